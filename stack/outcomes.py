"""What has become of the questions of one run, and the figures at its end."""

import csv
import json
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Message, TopicPartition
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.errors import ConnectionFailure

from flink_job.database import FORMAT_IS_IN, check_format
from stack.kafka import Kafka

Document = Mapping[str, Any]

TRAP = "offline-trap"
"""The model of an answer that looks right and is wrong, by the offline model's intent."""

SMALLEST_SHOWN = Decimal("0.0001")

CHUNK = 1_000
CHUNKS_A_LOOK = 5


def results(endpoints: Mapping[str, str]) -> Collection[Document]:
    """The collection of all outcomes; a server that is away now may come later.

    Raises NewerDataError where a newer version has written.
    """
    client: MongoClient[Document] = MongoClient(
        endpoints["MONGODB_URI"], tz_aware=True, appname="stack", readPreference="primary"
    )
    database = client[endpoints["MONGODB_DATABASE"]]
    with suppress(ConnectionFailure):
        check_format(database[FORMAT_IS_IN].find_one({"_id": FORMAT_IS_IN}))
    return database["results"]


class EventLog:
    """The log that a generator writes while it sends, read as it grows."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_to = 0
        self._columns: list[str] = []

    def new_rows(self, limit: int = 10_000) -> Iterator[dict[str, str]]:
        """The rows written since the last call, at most `limit`; a half-written one waits."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._read_to)
            for line in islice(file, limit):
                if not line.endswith(b"\n"):
                    return
                self._read_to += len(line)
                [values] = csv.reader([line.decode()])
                if self._columns:
                    yield dict(zip(self._columns, values, strict=True))
                else:
                    self._columns = values


def reader(kafka: Kafka, group: str = "none") -> Consumer:
    """A consumer that leaves no trace in Kafka; it can ask how far a group is, and does not join it."""
    return Consumer(
        {
            **kafka.client,
            "group.id": kafka.group(group),
            "enable.auto.commit": False,
        }
    )


def headers_of(letter: Message) -> dict[str, str]:
    """What a dead letter says of itself, by name."""
    return {name: _text(value) for name, value in dict(letter.headers() or []).items()}


class DeadLetters:
    """The dead letters that are written from now on."""

    def __init__(self, kafka: Kafka) -> None:
        self._consumer = reader(kafka)
        topic = kafka.topic("dead_letters")
        partitions = self._consumer.list_topics(topic, timeout=30).topics[topic].partitions
        ends = [TopicPartition(topic, partition) for partition in partitions]
        for end in ends:
            end.offset = self._consumer.get_watermark_offsets(end, timeout=30)[1]
        self._consumer.assign(ends)

    def __enter__(self) -> "DeadLetters":
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def new(self) -> list[Message]:
        """Those that came since the last call, at most a thousand."""
        return [letter for letter in self._consumer.consume(CHUNK, timeout=0) if letter.error() is None]


class Follower:
    """Follows every question of a run until it has an outcome or is a dead letter.

    Each look costs the same, however many questions are pending.
    """

    def __init__(self, events: EventLog, stored: Collection[Document], letters: DeadLetters) -> None:
        self.asked = 0
        self.decided = 0
        self.dead = 0
        self._caught_up = False
        self._events, self._results, self._letters = events, stored, letters
        self._pending: OrderedDict[str, str] = OrderedDict()
        self._dead: set[str] = set()

    @property
    def pending(self) -> list[str]:
        """The first few ids that have neither outcome nor dead letter."""
        return list(islice(self._pending, 5))

    def has_read_all(self) -> bool:
        """Whether the log held nothing new at the last look."""
        return self._caught_up

    def look(self) -> None:
        """Brings the counts up to date."""
        for letter in self._letters.new():
            self._dead |= _names(letter)
        self._caught_up = True
        for row in self._events.new_rows():
            self._caught_up = False
            self.asked += 1
            self._pending[row["message_id"]] = f"{row['partition']}/{row['offset']}"
        for _ in range(CHUNKS_A_LOOK):
            chunk = list(islice(self._pending, CHUNK))
            found = {document["_id"] for document in self._results.find({"_id": {"$in": chunk}}, {"_id": 1})}
            dead = {
                message_id for message_id in chunk if not self._dead.isdisjoint({message_id, self._pending[message_id]})
            }
            self.decided += len(found)
            self.dead += len(dead - found)
            for message_id in chunk:
                if message_id in found | dead:
                    del self._pending[message_id]
                else:
                    self._pending.move_to_end(message_id)
            if len(found) < CHUNK:
                break


def _names(letter: Message) -> set[str]:
    """What a dead letter may be known by: its message's id, or where the question was read."""
    headers = headers_of(letter)
    # It may have a prefix.
    is_question = headers.get("topic", "").endswith("questions_in")
    origin = {f"{headers.get('partition')}/{headers.get('offset')}"} if is_question else set()
    return origin | {_message_id(letter.value())} - {""}


def _text(value: str | bytes | None) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value or ""


def _message_id(value: str | bytes | None) -> str:
    try:
        return str(json.loads(value or b"")["message_id"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""


@dataclass
class Bill:
    """What a run has cost, failed attempts included; it is not shown where only the simulated model was asked."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    nanodollars: int = 0
    is_estimated: bool = False
    has_models: bool = False

    def add(self, spent: Document) -> None:
        """Adds what one outcome has cost."""
        self.calls += spent["calls"]
        self.input_tokens += spent["input_tokens"]
        self.output_tokens += spent["output_tokens"]
        self.nanodollars += spent["nanodollars"]
        self.is_estimated |= bool(spent.get("estimated"))
        self.has_models |= bool(spent.get("by_model"))

    def rows(self) -> list[tuple[str, str]]:
        """What to show, line by line."""
        if not (self.nanodollars or self.has_models):
            return []
        return [
            ("model calls", f"{self.calls:,}"),
            ("tokens in/out", f"{self.input_tokens:,}/{self.output_tokens:,}"),
            ("spent", ("about " if self.is_estimated else "") + _dollars(self.nanodollars)),
        ]


def _dollars(nanodollars: int) -> str:
    """To the hundredth of a cent; whatever was spent is not shown as nothing."""
    amount = Decimal(nanodollars).scaleb(-9)
    return f"${amount:,.4f}" if not nanodollars or amount >= SMALLEST_SHOWN else f"under ${SMALLEST_SHOWN}"


@dataclass
class Summary:
    """The figures of one run. Latencies are in milliseconds, from the scheduled time on; traps are by their verdict.

    Paraphrases are counted by whether they have the id of what they paraphrase, and so are known by its answer.

    `doubtful` is the id of one question whose answer was rejected or unsure, if there is one.
    """

    folder: Path
    asked: int = 0
    dead_letters: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    regenerations: int = 0
    unsure: int = 0
    traps: Counter[str] = field(default_factory=Counter)
    paraphrases: Counter[bool] = field(default_factory=Counter)
    scores: list[float] = field(default_factory=list)
    latencies: list[int] = field(default_factory=list)
    seconds: float = 0.0
    bill: Bill = field(default_factory=Bill)
    doubtful: str = ""

    def rows(self) -> list[tuple[str, str]]:
        """What to show, line by line."""
        decided, same = self.verdicts.total(), self.paraphrases
        mean = sum(self.scores) / len(self.scores) if self.scores else float("nan")
        rate = decided / self.seconds if self.seconds else float("nan")
        return [
            ("asked", f"{self.asked:,}"),
            ("decided", f"{decided:,}"),
            *((name, f"{self.verdicts[key]:,}") for name, key in VERDICTS),
            ("cache hits", f"{self.sources['cache'] + self.sources['mongodb']:,}"),
            ("shared with a twin", f"{self.sources['coalesced']:,}"),
            ("regenerations", f"{self.regenerations:,}"),
            ("dead letters", f"{self.dead_letters:,}"),
            *([("unsure", f"{self.unsure:,}")] if self.unsure else []),
            *([("traps accepted", f"{self.traps['accepted']:,} of {self.traps.total():,}")] if self.traps else []),
            *([("paraphrases known", f"{same[True]:,} of {same.total():,}")] if same else []),
            ("mean score", f"{mean:.3f}"),
            *((f"latency p{share}", f"{percentile(self.latencies, share):,.0f} ms") for share in (50, 95, 99)),
            ("questions/s", f"{rate:,.1f}"),
            *self.bill.rows(),
        ]


VERDICTS = (("  accepted", "accepted"), ("  exhausted", "exhausted"), ("  errors", "error"))


def percentile(values: list[int], share: int) -> float:
    """The smallest value that `share` percent of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * share // 100) - 1)] if ordered else float("nan")


def summarise(folder: Path, stored: Collection[Document], dead_letters: int) -> Summary:
    """Sums up a run from its record in `folder` and from the stored outcomes."""
    summary = Summary(folder, dead_letters=dead_letters)
    events = EventLog(folder / "events.csv")
    times = []
    while chunk := list(events.new_rows(CHUNK)):
        summary.asked += len(chunk)
        paraphrased = (row for row in chunk if row.get("paraphrase_of"))
        summary.paraphrases.update(row["paraphrase_of"] == row["question_id"] for row in paraphrased)
        for outcome in stored.find({"_id": {"$in": [row["message_id"] for row in chunk]}}, PROJECTION):
            summary.verdicts[outcome["verdict"]] += 1
            summary.sources[outcome["source"] or "none"] += 1
            summary.regenerations += max(0, outcome["attempts"] - 1)
            summary.unsure += outcome.get("confidence") == "unsure"
            if not summary.doubtful and _is_doubtful(outcome):
                summary.doubtful = outcome["_id"]
            if outcome.get("model") == TRAP:
                summary.traps[outcome["verdict"]] += 1
            summary.scores += _known(outcome, "score")
            summary.latencies += _known(outcome, "latency_ms")
            for spent in _known(outcome, "spent"):
                summary.bill.add(spent)
            times += _known(outcome, "asked_at", "decided_at")
    if times:
        summary.seconds = (max(times) - min(times)).total_seconds()
    return summary


def _is_doubtful(outcome: Document) -> bool:
    """Whether an answer was rejected, or the judge was unsure of it."""
    is_scored = outcome.get("score") is not None
    return is_scored and (outcome["verdict"] == "exhausted" or outcome.get("confidence") == "unsure")


def _known(outcome: Document, *names: str) -> list[Any]:
    return [outcome[name] for name in names if outcome.get(name) is not None]


PROJECTION = (
    "verdict",
    "source",
    "attempts",
    "latency_ms",
    "score",
    "asked_at",
    "decided_at",
    "confidence",
    "model",
    "spent",
)
