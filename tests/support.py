"""Looks at a running stack from outside: its topics and its collections."""

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

import httpx
from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition
from pymongo import MongoClient

from stack.api import RUNTIME, Stack
from stack.backlog import READERS
from stack.kafka import Kafka
from stack.outcomes import DeadLetters, headers_of
from stack.runtime import SERVICES, SUBMIT, Part, end
from stack.settings import ROOT
from tests import sums

WEB = httpx.Client(trust_env=False, timeout=30, limits=httpx.Limits(max_keepalive_connections=0))
"""Asks for pages. Each client reads a bundle of certificates, which takes 40 ms: so there is one."""

Document = sums.Document
Origin = tuple[str, int, int]
"""Topic, partition and offset of a record."""
PATIENCE_S = 60.0
BACK_AFTER_S = 120.0

EXAMPLES = ROOT / "contracts" / "examples"
MESSAGES: dict[str, str] = {
    topic["name"]: topic["message"] for topic in json.loads((ROOT / "contracts" / "topics.json").read_text())
}
"""The message that each topic carries, in the order a question meets them."""


class DeadLetter(NamedTuple):
    """A record that could not be handled, and what is said about it."""

    key: bytes | None
    value: bytes | None
    headers: dict[str, str]


class Probe:
    """Writes and reads topics, and reads collections, of one stack."""

    def __init__(self, stack: Stack) -> None:
        endpoints = stack.endpoints
        self._kafka = Kafka.of(stack.settings)
        self._producer = Producer(
            {
                **self._kafka.client,
                "message.max.bytes": 20_000_000,
                # That of the services, so that a key has the partition that they give it.
                "partitioner": "murmur2_random",
            }
        )
        self._mongo: MongoClient[Document] = MongoClient(endpoints["MONGODB_URI"], tz_aware=True)
        self.database = self._mongo[endpoints["MONGODB_DATABASE"]]
        self._new_letters = DeadLetters(self._kafka)
        self._letters: dict[Origin, DeadLetter] = {}

    def __enter__(self) -> "Probe":
        return self

    def __exit__(self, *details: object) -> None:
        self._new_letters.__exit__(*details)
        self._mongo.close()

    def write(
        self,
        topic: str,
        *values: bytes | None,
        key: bytes | None = None,
        headers: Mapping[str, str | bytes | None] | None = None,
    ) -> list[Origin]:
        """Writes records and returns where each lies, as acknowledged."""
        places: dict[int, Origin] = {}

        def report(index: int) -> Callable[[Any, Message], None]:
            def delivered(error: Any, record: Message) -> None:  # noqa: ANN401 - the library's own
                if error:
                    raise KafkaException(error)
                places[index] = (topic, record.partition() or 0, record.offset() or 0)

            return delivered

        for index, value in enumerate(values):
            self._producer.produce(
                self._kafka.topic(topic), value, key, on_delivery=report(index), headers=dict(headers or {})
            )
        self._producer.flush(PATIENCE_S)
        assert len(places) == len(values), "Kafka has not acknowledged everything"
        return [places[index] for index in range(len(values))]

    def read(self, topic: str) -> list[Message]:
        """Every record that a topic holds now."""
        consumer = self._consumer("probe")
        try:
            name = self._kafka.topic(topic)
            partitions = [TopicPartition(name, p, 0) for p in consumer.list_topics(name).topics[name].partitions]
            left = {(p.partition): consumer.get_watermark_offsets(p)[1] for p in partitions}
            consumer.assign(partitions)
            records: list[Message] = []
            deadline = time.monotonic() + PATIENCE_S
            while any(position < left[partition] for partition, position in _positions(consumer, partitions)):
                assert time.monotonic() < deadline, f"{topic} cannot be read to its end"
                records += [record for record in consumer.consume(1000, timeout=0.2) if record.error() is None]
            return records
        finally:
            consumer.close()

    def ask(self, *questions: Document, key: bytes | None = None) -> list[str]:
        """Asks questions and returns their message_ids."""
        self.write("questions_in", *(json.dumps(question).encode() for question in questions), key=key)
        return [question["message_id"] for question in questions]

    def outcomes(self, message_ids: list[str]) -> dict[str, Document]:
        """The outcome of each of these requests, as soon as all have one."""
        results = self.database["results"]
        wanted = {"_id": {"$in": message_ids}}
        eventually(lambda: results.count_documents(wanted) == len(set(message_ids)), f"outcomes of {message_ids[:3]}…")
        return {outcome["_id"]: outcome for outcome in results.find(wanted)}

    def dead_letters(self) -> dict[Origin, DeadLetter]:
        """Every dead letter that came since the probe was made."""
        for record in self._new_letters.new():
            headers = headers_of(record)
            origin = (headers["topic"], int(headers["partition"]), int(headers["offset"]))
            self._letters[origin] = DeadLetter(record.key(), record.value(), headers)
        return self._letters

    def publish_again(self, topic: str) -> None:
        """Writes once more whatever a topic holds."""
        for record in self.read(topic):
            self._producer.produce(self._kafka.topic(topic), record.value(), record.key())
        assert self._producer.flush(PATIENCE_S) == 0, "Kafka has not acknowledged everything"

    def settle(self) -> None:
        """Returns when every record has been handled and nothing follows any more."""
        looks: list[list[int]] = [[]]

        def is_quiet() -> bool:
            ends, positions = self.progress()
            looks.append(ends)
            # What was in hand at the look before would have been written since.
            return ends == positions == looks[-2]

        eventually(is_quiet, "rest")

    def results(self) -> list[Document]:
        """Every outcome, in the order of their ids."""
        return list(self.database["results"].find().sort("_id"))

    def metrics(self) -> dict[str, Document]:
        """The metrics documents: `global` and those of the runs."""
        return {document["_id"]: document for document in self.database["metrics"].find({"decided": {"$exists": True}})}

    def metrics_equal_the_results(self) -> bool:
        """Whether the metrics document says just what the results add up to, and each run's what its own do.

        With them goes what `expired` says of those that were removed, or may be.
        """
        metrics, expired = self.metrics(), self.expired()
        by_document: dict[str, list[Document]] = {"global": self.results()} | {
            name: [] for name in expired if name != "global"
        }
        for outcome in by_document["global"]:
            if outcome.get("run"):
                by_document.setdefault(f"run:{outcome['run']}", []).append(outcome)

        def total(name: str, results: list[Document]) -> Document:
            gone = expired.get(name)
            left = [outcome for outcome in results if not gone or outcome["stored_at"] >= gone["before"]]
            return {field: sums.added(value, (gone or {}).get(field)) for field, value in sums.sum_up(left).items()}

        return all(sums.says(metrics.get(name, {}), total(name, results)) for name, results in by_document.items())

    def expired(self) -> dict[str, Document]:
        """What is known of the results that were removed, by metrics document."""
        return {document["_id"]: document for document in self.database["expired"].find()}

    def read_again(self, group: str) -> None:
        """Lets a consumer group that is stopped begin with the first record of each of its topics."""
        reader = self._consumer(group)
        try:
            for topic in (topic for topic, its_group in READERS.items() if its_group == group):
                name = self._kafka.topic(topic)
                first = [TopicPartition(name, p, 0) for p in reader.list_topics(name).topics[name].partitions]
                reader.commit(offsets=first, asynchronous=False)
        finally:
            reader.close()

    def has_read(self, group: str, topic: str) -> bool:
        """Whether a group has said that it has read a topic to its end."""
        ends, positions = self.progress({topic: group})
        return ends == positions

    def progress(self, readers: Mapping[str, str] = READERS) -> tuple[list[int], list[int]]:
        """The end of every partition, and the position of its reader."""
        ends, positions = [], []
        for topic, group in readers.items():
            reader = self._consumer(group)
            try:
                name = self._kafka.topic(topic)
                partitions = [TopicPartition(name, p) for p in reader.list_topics(name).topics[name].partitions]
                positions += [max(place.offset, 0) for place in reader.committed(partitions, PATIENCE_S)]
                ends += [reader.get_watermark_offsets(partition)[1] for partition in partitions]
            finally:
                reader.close()
        return ends, positions

    def _consumer(self, group: str) -> Consumer:
        return Consumer({**self._kafka.client, "group.id": self._kafka.group(group), "enable.auto.commit": False})


def _positions(consumer: Consumer, partitions: list[TopicPartition]) -> list[tuple[int, int]]:
    return [(p.partition, max(p.offset, 0)) for p in consumer.position(partitions)]


def question(title: str = "Why is the sky blue?", **fields: object) -> Document:
    """A question with ids of its own, unless `fields` says otherwise."""
    return {
        "message_id": str(uuid.uuid4()),
        "trace_id": "trace",
        "question_id": uuid.uuid4().hex,
        "title": title,
        "content": "",
        "best_answer": "Molecules of air scatter the short waves of blue light far more than the long red ones.",
        "source": "test",
        "created_at": "2026-01-01T00:00:00Z",
        "attempts": 0,
        "asked_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
    } | fields


def message(topic: str, **fields: object) -> Document:
    """A message for a topic with no more than it must have, and ids of its own unless `fields` says otherwise."""
    example = json.loads((EXAMPLES / MESSAGES[topic] / "valid" / "only_required_fields.json").read_bytes())
    ids = {"message_id": str(uuid.uuid4()), "question_id": uuid.uuid4().hex}
    return {**example, **ids, **fields}


def is_json_object(value: bytes | str | None) -> bool:
    """Whether a record has a message: tests write what is none, too."""
    try:
        return isinstance(json.loads(value or b""), dict)
    except (ValueError, RecursionError):
        return False


def submitter(stack: Stack) -> Part:
    """The part that looks after the job."""
    return next(part for part in stack.runtime.parts() if part.service == SUBMIT)


def eventually(condition: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
    """Waits until something holds; fails when it does not in time."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, f"there should be {what} by now"
        time.sleep(0.1)


@contextmanager
def other_settings(stack: Stack, **settings: str) -> Iterator[None]:
    """Runs the services, and not the job, with other settings for a while."""
    parts = [part for part in stack.runtime.parts() if part.service in SERVICES]
    with ExitStack() as until:
        until.callback(stack.wait_ready)
        for part in parts:
            stack.runtime.stop_part(part.name)
        for part in parts:
            until.callback(end, stack.runtime.popen(part.name, environment=settings, quiet=True))
        for part in parts:
            eventually(partial(_is_ready, part), f"a {part.name} that is ready")
        yield


def _is_ready(part: Part) -> bool:
    try:
        return WEB.get(f"http://127.0.0.1:{part.port}/readyz").is_success
    except httpx.TransportError:
        return False


def command(
    stack: Stack, *arguments: str, keys: str = "", fails: bool = False, settings: Mapping[str, str] = {}
) -> "subprocess.CompletedProcess[str]":
    """Runs a command as `make` does, with keys piped into it and `settings` over the stack's own."""
    ports = {name: str(port) for name, port in stack.settings.ports.items()}
    own = {**stack.settings.environment, **ports, "COTEJO_RUN_DIR": str(stack.run_dir), "RUNTIME": RUNTIME}
    given = [sys.executable, "-m", "stack", *arguments]
    ran = subprocess.run(
        given, cwd=ROOT, env={**own, **settings}, input=keys, capture_output=True, text=True, check=False
    )
    assert (ran.returncode != 0) == fails, ran.stdout + ran.stderr
    return ran


def page(stack: Stack, path: str = "") -> str:
    """The text of a page of explorer, in English."""
    address = f"{stack.endpoints['EXPLORER_URL']}/en/{path}".rstrip("/")
    return WEB.get(address).text


def kill_and_wait(stack: Stack, name: str) -> None:
    """Kills the main process of a part and waits until there is another that is ready."""

    def part() -> Part:
        return next(part for part in stack.runtime.parts() if part.name == name)

    def is_back() -> bool:
        now = part()
        return now.pid not in (0, before) and stack.runtime.is_ready(now)

    before = part().pid
    stack.runtime.kill_part(name)
    eventually(is_back, f"a new {name}", BACK_AFTER_S)
