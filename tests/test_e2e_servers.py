"""Servers of one's own: Cotejo starts only what is left, and reaches them by TLS, with a name, and with no more rights
than the documentation asks for."""

import os
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from confluent_kafka import KafkaException

from stack.api import RUNTIME, Stack
from stack.kafka import Kafka
from stack.outcomes import reader
from stack.settings import ROOT, Settings, StackError
from tests.own_kafka import OwnKafka, own_kafka
from tests.own_mongo import DATABASE, OwnMongo, own_mongo
from tests.own_servers import Certificates
from tests.support import MESSAGES, Probe, command, eventually, page

pytestmark = pytest.mark.skipif(RUNTIME != "native", reason="a container does not reach what listens on 127.0.0.1")

PREFIXES = {"TOPIC_PREFIX": "team.cotejo.", "GROUP_PREFIX": "team-"}
NAMED_WITHIN_S = 30
WRONG = {
    "MTLS": {"KAFKA_SSL_KEYSTORE_LOCATION": ""},
    "PLAIN": {"KAFKA_SASL_PASSWORD": "wrong"},
    "SCRAM": {"KAFKA_SASL_PASSWORD": "wrong"},
}


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnKafka]:
    """A Kafka that allows only what the documentation says that must be granted."""
    with own_kafka(tmp_path_factory.mktemp("kafka")) as kafka:
        kafka.grant(PREFIXES["TOPIC_PREFIX"], PREFIXES["GROUP_PREFIX"])
        yield kafka


@pytest.fixture(scope="module")
def mongo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnMongo]:
    """A MongoDB with TLS and a user."""
    with own_mongo(tmp_path_factory.mktemp("mongo")) as mongo:
        yield mongo


def create_topics(settings: Mapping[str, str]) -> "subprocess.Popen[str]":
    return start("create-topics", {"PATH": os.environ["PATH"], **PREFIXES, **settings})


def start(program: str, environment: Mapping[str, str]) -> "subprocess.Popen[str]":
    return subprocess.Popen([ROOT / "target/release" / program], env={**environment}, stderr=subprocess.PIPE, text=True)


def says_refused(process: "subprocess.Popen[str]") -> bool:
    """Whether a program of ours says in time that a server refuses it; it is ended then."""
    timer = threading.Timer(NAMED_WITHIN_S, process.kill)
    timer.start()
    try:
        return any("waiting alone will not mend it" in line for line in process.stderr or ())
    finally:
        timer.cancel()
        process.kill()
        process.wait()


def topics(settings: Mapping[str, str]) -> set[str]:
    """What our commands see of a Kafka."""
    consumer = reader(Kafka.of(Settings(ROOT, environment={**settings, **PREFIXES})))
    try:
        return set(consumer.list_topics(timeout=3).topics)
    finally:
        consumer.close()


@pytest.mark.parametrize("listener", WRONG)
def test_services_and_commands_get_in_with_the_right_credentials(kafka: OwnKafka, listener: str) -> None:
    made = create_topics(kafka.settings(listener))
    assert made.wait(60) == 0, made.stderr and made.stderr.read()
    assert "team.cotejo.questions_in" in topics(kafka.settings(listener))


@pytest.mark.parametrize("listener", WRONG)
def test_with_wrong_ones_they_are_told_so(kafka: OwnKafka, listener: str) -> None:
    wrong = kafka.settings(listener) | WRONG[listener]
    assert says_refused(create_topics(wrong))
    with pytest.raises(KafkaException):
        topics(wrong)


def test_topics_that_somebody_else_made_are_taken_as_they_are(kafka: OwnKafka) -> None:
    ours, theirs = kafka.settings("SCRAM", TOPIC_PREFIX="theirs."), kafka.settings("INNER", TOPIC_PREFIX="theirs.")
    kafka.grant("theirs.", "theirs", "Create", "Alter", "AlterConfigs")
    assert says_refused(create_topics(ours)), "it may not create them"
    assert create_topics(theirs | {"TOPIC_RETENTION": "1h"}).wait(60) == 0
    _, told = (with_ours := create_topics(ours)).communicate(timeout=60)
    assert with_ours.returncode == 0
    assert (
        told.count("retention.ms from 3600000 to 604800000") == told.count("it cannot be changed") == len(MESSAGES) + 1
    )


def test_a_mongodb_that_is_not_the_right_one_or_does_not_know_us_is_named(mongo: OwnMongo, tmp_path: Path) -> None:
    for uri in (mongo.uri("wrong"), mongo.uri(authority=Certificates(tmp_path).authority)):
        environment = {"MONGODB_URI": uri, "MONGODB_DATABASE": DATABASE, "HTTP_ADDRESS": "127.0.0.1:0"}
        assert says_refused(start("storage-service", environment))


def test_a_whole_stack_works_on_locked_down_servers_under_its_own_prefixes(kafka: OwnKafka, mongo: OwnMongo) -> None:
    own = {"MONGODB_URI": mongo.uri(), "MONGODB_DATABASE": DATABASE}
    with Stack(env=kafka.settings("SCRAM", **PREFIXES, **own)) as stack:
        assert {"kafka", "mongo"}.isdisjoint(part.service for part in stack.runtime.parts())
        summary = stack.send(TRAFFIC_TOTAL="40", TRAFFIC_RATE="100")
        assert summary.verdicts.total() == 40
        assert summary.verdicts["error"] == 0
        assert summary.regenerations > 0
        with Probe(stack) as probe:
            [letter] = dead_letter(probe)
            assert letter == "team.cotejo.questions_in"
            assert probe.metrics_equal_the_results()
            stored = [outcome["_id"] for outcome in probe.results()]
            eventually(lambda: any(one in page(stack, "questions?run=") for one in stored), "a list of outcomes")
            assert "authorization failed" not in page(stack).lower()
        assert "waiting alone will not mend it" not in stack.runtime.read_log("explorer")
        environment = {
            **stack.settings.environment,
            **stack.endpoints,
            "GROUP_PREFIX": "others-",
            "HTTP_ADDRESS": "127.0.0.1:0",
        }
        assert says_refused(start("storage-service", environment))
        sent_back = command(stack, "dead-letters", "REPLAY=schema", "TOPIC=questions_in").stdout
        assert "sent back    1" in sent_back
        assert "Backlog  unknown" not in command(stack, "status").stdout
    stack.clean()
    ours_and_theirs = (PREFIXES["TOPIC_PREFIX"], "theirs.", "__")
    assert not [name for name in kafka.admin().list_topics(timeout=10).topics if not name.startswith(ours_and_theirs)]


def dead_letter(probe: Probe) -> list[str]:
    """Where a record that is no message is said to come from."""
    probe.write("questions_in", b"{}")
    deadline = time.monotonic() + 60
    while not (letters := probe.dead_letters()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return [topic for topic, _, _ in letters]


def test_a_start_ends_and_names_the_server_that_refuses(kafka: OwnKafka) -> None:
    stack = Stack(env=kafka.settings("PLAIN") | WRONG["PLAIN"] | PREFIXES)
    with pytest.raises(StackError, match=r"topics is refused what it needs(.|\n)*Authentication"):
        stack.start()
    stack.clean()
