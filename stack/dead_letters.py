"""The command that shows what could not be handled, and sends it back to where it came from."""

import argparse
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, Producer, TopicPartition
from pymongo.errors import BulkWriteError
from rich.console import Console
from rich.table import Column, Table

from flink_job.database import Database
from flink_job.kafka import MAX_REQUEST_BYTES
from stack.kafka import Kafka
from stack.options import options
from stack.outcomes import headers_of, reader
from stack.runtime import Runtime, need_running
from stack.settings import Settings, StackError

OPTIONS = {"dead-letters": ("REPLAY", "TOPIC")}
"""What the command can be told, as NAME=value."""

TOPIC = "dead_letters"
# Of the largest letters, so many are half a gigabyte.
CHUNK = 100
PATIENCE_S = 60.0
DUPLICATE_KEY = 11000

# Reasons are shown as they are, whatever brackets are in them.
console = Console(highlight=False, markup=False)


@dataclass(frozen=True)
class Letter:
    """A record that could not be handled, where it came from, and why."""

    topic: str
    partition: int
    offset: int
    timestamp: str
    reason: str
    key: bytes | None
    value: bytes | None

    @property
    def kind(self) -> str:
        """What its reason begins with: a word, the same for all of its kind."""
        return self.reason.partition(":")[0]

    @property
    def origin(self) -> str:
        """Names it for good: a topic that is made anew counts its offsets from 0 again, at another time."""
        return f"{self.topic}/{self.partition}/{self.offset}@{self.timestamp}"


@dataclass
class Group:
    """Letters of one kind from one topic."""

    letters: int = 0
    replayed: int = 0
    newest: int = 0
    sample: str = ""


@dataclass
class Replay:
    """How many of the chosen letters were sent back, and of which Kafka did not take any."""

    sent: int = 0
    before: int = 0
    refused: Counter[str] = field(default_factory=Counter)


class Replays(Database):
    """Which letters were sent back."""

    def among(self, letters: Iterable[Letter]) -> set[str]:
        """The origins of those of these letters that were."""
        origins = [letter.origin for letter in letters]
        return {replay["_id"] for replay in self._database["replays"].find({"_id": {"$in": origins}})}

    def note(self, origins: Sequence[str]) -> None:
        """Takes note of letters that were; again changes nothing."""
        now = datetime.now(UTC)
        try:
            self._database["replays"].insert_many([{"_id": origin, "at": now} for origin in origins], ordered=False)
        except BulkWriteError as error:
            if any(failed["code"] != DUPLICATE_KEY for failed in error.details["writeErrors"]):
                raise


def dead_letters(runtime: Runtime, settings: Settings, arguments: argparse.Namespace) -> None:
    """Show what could not be handled; with REPLAY=reason: send it back to its topic, each record once."""
    given = options(arguments, OPTIONS["dead-letters"])
    need_running(runtime)
    endpoints = settings.endpoints()
    kafka, topic, kind = Kafka.of(settings), given.get("TOPIC"), given.get("REPLAY")
    letters = (letter for letter in read(kafka) if not topic or letter.topic in (topic, kafka.topic(topic)))
    with (
        Replays(endpoints["MONGODB_URI"], endpoints["MONGODB_DATABASE"]) as replays,
        console.status("Reading dead letters …"),
    ):
        if not kind:
            groups = overview(letters, replays)
            console.print(_table(groups)) if groups else console.print("There is no dead letter.")
            return
        done = replay(kafka, (letter for letter in letters if letter.kind == kind), replays)
    if not (done.sent or done.before or done.refused):
        raise StackError(f"No dead letter has REPLAY={kind}; without it, `make dead-letters` shows what there is.")
    console.print(f"sent back    {done.sent:,}\nsent before  {done.before:,}")
    for reason, number in done.refused.items():
        console.print(f"not taken    {number:,}: {reason}")
    console.print("What still cannot be handled becomes a dead letter again, of a later record.")


def read(kafka: Kafka) -> Iterator[Letter]:
    """Every letter that there is now, once."""
    consumer = reader(kafka)
    try:
        topic = kafka.topic(TOPIC)
        partitions = consumer.list_topics(topic, timeout=PATIENCE_S).topics[topic].partitions
        places = [TopicPartition(topic, number, OFFSET_BEGINNING) for number in partitions]
        bounds = {place.partition: consumer.get_watermark_offsets(place, timeout=PATIENCE_S) for place in places}
        left = {partition: end for partition, (begin, end) in bounds.items() if end > begin}
        consumer.assign([place for place in places if place.partition in left])
        seen: set[int] = set()
        for record in _until(consumer, left):
            letter = _letter(record)
            # A service that was killed may have written it twice.
            if hash(letter.origin) not in seen:
                seen.add(hash(letter.origin))
                yield letter
    finally:
        consumer.close()


def _until(consumer: Consumer, left: dict[int, int]) -> Iterator[Message]:
    """The records of each partition up to the end that is `left` to reach."""
    deadline = time.monotonic() + PATIENCE_S
    while left:
        for record in consumer.consume(CHUNK, timeout=1):
            if record.error() is None:
                deadline = time.monotonic() + PATIENCE_S
                partition, offset = record.partition() or 0, record.offset() or 0
                if offset < left.get(partition, 0):
                    yield record
                if offset + 1 >= left.get(partition, 0):
                    left.pop(partition, None)
        if time.monotonic() > deadline:
            raise StackError(f"Kafka has given no dead letter for {PATIENCE_S:.0f} s, and there are more.")


def _letter(record: Message) -> Letter:
    headers = headers_of(record)
    key, value = record.key(), record.value()
    return Letter(
        headers.get("topic", ""),
        int(headers.get("partition", 0)),
        int(headers.get("offset", 0)),
        headers.get("timestamp", ""),
        headers.get("reason", ""),
        key.encode() if isinstance(key, str) else key,
        value.encode() if isinstance(value, str) else value,
    )


def overview(letters: Iterable[Letter], replays: Replays) -> Mapping[tuple[str, str], Group]:
    """How many letters there are by kind and topic, and what the newest of each says."""
    groups: defaultdict[tuple[str, str], Group] = defaultdict(Group)
    for chunk in _chunks(letters):
        replayed = replays.among(chunk)
        for letter in chunk:
            group = groups[letter.kind, letter.topic]
            group.letters += 1
            group.replayed += letter.origin in replayed
            if (when := int(letter.timestamp or 0)) >= group.newest:
                group.newest, group.sample = when, letter.reason.partition(":")[2].strip()
    return groups


def _table(groups: Mapping[tuple[str, str], Group]) -> Table:
    numbers = (Column(name, justify="right") for name in ("letters", "sent back"))
    table = Table("reason", "topic", *numbers, "newest", "which says", box=None, header_style="bold")
    for (kind, topic), group in sorted(groups.items()):
        newest = f"{datetime.fromtimestamp(group.newest / 1000).astimezone():%Y-%m-%d %H:%M:%S}"
        table.add_row(kind, topic, f"{group.letters:,}", f"{group.replayed:,}", newest, group.sample[:80])
    return table


def replay(kafka: Kafka, letters: Iterable[Letter], replays: Replays) -> Replay:
    """Sends letters back to where they came from; who is interrupted may send some of them twice.

    That is harmless: a request has one outcome, however often a message of it comes.
    """
    done = Replay()
    producer = Producer({**kafka.client, "message.max.bytes": MAX_REQUEST_BYTES})
    for chunk in _chunks(letters):
        replayed = replays.among(chunk)
        taken: list[str] = []
        for letter in chunk:
            if letter.origin in replayed:
                done.before += 1
                continue
            if not letter.topic:
                done.refused["it does not say where it came from"] += 1
                continue
            report = partial(_delivered, letter.origin, taken, done.refused)
            producer.produce(letter.topic, letter.value, letter.key, letter.partition, on_delivery=report)
        missing = producer.flush(PATIENCE_S)
        if taken:
            replays.note(taken)
        done.sent += len(taken)
        if missing:
            raise StackError(f"Kafka has not taken {missing:,} records. Give the command again once it is well.")
    return done


def _chunks(letters: Iterable[Letter]) -> Iterator[list[Letter]]:
    left = iter(letters)
    while chunk := list(islice(left, CHUNK)):
        yield chunk


def _delivered(
    origin: str,
    taken: list[str],
    refused: Counter[str],
    error: KafkaError | None,
    _record: Any,  # noqa: ANN401 - the library's own
) -> None:
    if error is None:
        taken.append(origin)
    else:
        refused[error.str()] += 1
