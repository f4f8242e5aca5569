"""Several copies of each service share its work: everything is done, and nothing is done twice."""

import csv
import json
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Message
from confluent_kafka.admin import AdminClient

from flink_job.flink_rest import Flink
from stack.api import Stack
from stack.backlog import READERS
from stack.settings import SCALES
from tests.support import WEB, Document, Probe, eventually, kill_and_wait, question

COPIES = {"cache-service": 2, "llm-consumer": 3, "storage-service": 2, "taskmanager": 2}
GROUPS = sorted({group for group in READERS.values() if group != "flink_job"})
PARTITIONS = 3


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack with several copies of all that can be scaled."""
    with Stack(env={SCALES[part]: str(copies) for part, copies in COPIES.items()}) as stack:
        yield stack
    stack.clean()


def test_there_are_as_many_copies_as_were_asked_for(stack: Stack) -> None:
    running = Counter(part.service for part in stack.runtime.parts() if part.running)
    assert {part: running[part] for part in COPIES} == COPIES
    overview = WEB.get(stack.endpoints["FLINK_URL"] + "/overview").json()
    assert overview["taskmanagers"] == COPIES["taskmanager"]


@pytest.mark.parametrize("group", GROUPS)
def test_the_partitions_of_each_topic_are_spread_over_all_copies(stack: Stack, group: str) -> None:
    copies = COPIES[group.removesuffix("-regenerations")]
    admin = AdminClient({"bootstrap.servers": stack.endpoints["KAFKA_BOOTSTRAP_SERVERS"]})

    def are_spread() -> bool:
        members = admin.describe_consumer_groups([group])[group].result().members
        owned = [(member.member_id, place) for member in members for place in member.assignment.topic_partitions]
        return all(
            len({place.partition for _, place in owned if place.topic == topic}) == PARTITIONS
            and len({member for member, place in owned if place.topic == topic}) == copies
            for topic, reader in READERS.items()
            if reader == group
        )

    eventually(are_spread, f"{copies} members of {group}, each with partitions of each topic")


def test_every_question_is_answered_and_stored_once(stack: Stack, probe: Probe) -> None:
    summary = stack.send(TRAFFIC_RUN="scaled", TRAFFIC_TOTAL="300", TRAFFIC_RATE="100", TRAFFIC_POPULARITY="each")
    assert summary.asked == summary.verdicts.total() == len(probe.results()) == 300
    calls = Counter(
        (response["message_id"], response["attempts"])
        for response in (json.loads(record.value() or b"") for record in probe.read("llm_responses"))
    )
    assert set(calls.values()) == {1}
    assert len(calls) == sum(outcome["attempts"] for outcome in probe.results())
    assert probe.metrics_equal_the_results()


def test_every_copy_has_its_part_of_the_work(stack: Stack) -> None:
    with (stack.settings.data_collected() / "scaled" / "events.csv").open() as file:
        assert len({row["partition"] for row in csv.DictReader(file)}) == PARTITIONS
    for part in stack.runtime.parts():
        if part.port and part.service in COPIES:
            metrics = WEB.get(f"http://127.0.0.1:{part.port}/metrics").text
            handled = [float(line.split()[-1]) for line in metrics.splitlines() if "messages_handled_total{" in line]
            assert sum(handled) > 0, part.name
    assert WEB.get(stack.endpoints["STORAGE_URL"] + "/api/metrics").json()["decided"] > 0


def test_every_taskmanager_has_its_part_of_the_work(stack: Stack) -> None:
    url = stack.endpoints["FLINK_URL"]
    [job] = Flink(url).running()

    def get(path: str) -> Document:
        answer: Document = WEB.get(f"{url}/jobs/{job.id}{path}").json()
        return answer

    def share_it() -> bool:
        reading = get("")["vertices"][0]["id"]
        shares = get(f"/vertices/{reading}/taskmanagers")["taskmanagers"]
        return len(shares) == COPIES["taskmanager"] and all(share["metrics"]["write-records"] for share in shares)

    eventually(share_it, "records that each TaskManager has scored")


def test_a_copy_that_is_killed_leaves_nothing_undone(stack: Stack, probe: Probe) -> None:
    before, last = len(probe.results()), [f"{part}-{copies}" for part, copies in COPIES.items()]
    back: list[str] = []

    def kill_each() -> None:
        for name in last:
            kill_and_wait(stack, name)
            back.append(name)

    killer = threading.Timer(2, kill_each)
    killer.start()
    try:
        summary = stack.send(TRAFFIC_TOTAL="300", TRAFFIC_RATE="30")
    finally:
        killer.join()
    assert back == last
    assert summary.asked == summary.verdicts.total() == len(probe.results()) - before == 300
    eventually(probe.metrics_equal_the_results, "metrics that equal the results")


def test_partitions_that_are_added_to_a_running_stack_have_their_part_of_the_work(stack: Stack) -> None:
    more = {"TOPIC_PARTITIONS": str(PARTITIONS + 1)}
    assert stack.runtime.popen("topics", environment=more, quiet=True).wait(60) == 0
    # Whoever connects now knows of them.
    with Probe(stack) as probe:
        ask_all_partitions(probe)


def ask_all_partitions(probe: Probe) -> None:
    asked: list[str] = []

    def new_records(topic: str) -> list[Message]:
        return [record for record in probe.read(topic) if record.partition() == PARTITIONS]

    def new_verdicts() -> list[dict[str, Any]]:
        verdicts = [json.loads(record.value() or b"") for record in new_records("validated_responses")]
        return [verdict for verdict in verdicts if verdict["accepted"]]

    def all_are_written_to() -> bool:
        for number in range(10):
            one = question(f"Does partition {number} have its part?")
            asked.extend(probe.ask(one, key=one["question_id"].encode()))
        probe.outcomes(asked)
        return all(map(new_records, ("questions_in", "llm_requests", "llm_responses"))) and bool(new_verdicts())

    eventually(all_are_written_to, "records in the new partition of each topic, an accepted verdict among them")
    # Each copy of cache-service has read the verdicts along, those of the new partition as well.
    accepted = new_verdicts()[0]

    def is_in_memory() -> bool:
        again = probe.ask(question(accepted["title"], question_id=accepted["question_id"]))
        return {outcome["source"] for outcome in probe.outcomes(again).values()} == {"cache"}

    eventually(is_in_memory, "an answer from the memory that verdicts fill")
    assert probe.metrics_equal_the_results()
