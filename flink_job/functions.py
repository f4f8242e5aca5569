"""The functions that Flink runs on records.

No record makes an exception leave them: it would end the job. Where the state fails, or memory runs short, one does
leave: the task starts again from the last checkpoint, and loses nothing.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, TypeVar

from pyflink.common import Row, Time, Types
from pyflink.datastream import KeyedCoProcessFunction, OutputTag, ProcessFunction, RuntimeContext
from pyflink.datastream.state import StateTtlConfig, ValueStateDescriptor
from pyflink.metrics import Counter

from flink_job.shipping import JudgeToBe

if TYPE_CHECKING:
    from cotejo_native import Followed, Rejected

# Tags carry no type here: one that has been used to build a job cannot be pickled any more.
FAILED = OutputTag("failed")
VERDICT = OutputTag("verdict")
DEAD_LETTER = OutputTag("dead_letter")

SERVICE = "flink_job"
MAX_RECORD_BYTES = 4 << 20
MAX_REASON = 1000  # characters
RESTARTS = 3
"""How often a task starts again at one record before that is a dead letter."""
MAX_KEY_BYTES = 64 << 10
DECIDED_TTL_MS = 3_600_000
"""How long a verdict is remembered at most. A repeat that comes later may cost calls of the model, but no outcome:
storage-service keeps the first."""
QUERY_TIME_AFTER = 1000
"""RocksDB asks for the time once in so many entries, to tell what has expired: Flink's own default."""

Output: TypeAlias = Row | tuple[OutputTag, Row]
Result = TypeVar("Result")


class Record(NamedTuple):
    """A record of Kafka with its origin; `timestamp` is UTC, as SQL writes it."""

    key: bytes | None
    value: bytes | None
    partition: int
    offset: int
    timestamp: str


VALUE = Record._fields.index("value")


class FirstJudge(ProcessFunction):  # type: ignore[misc]
    """Reads and scores every answer; one that passes at once needs no memory of the request.

    Gives verdicts, and on the side dead letters and everything that needs the memory (`FAILED`).

    Parameters
    ----------
    topic : str
        Where the records come from.
    judge : JudgeToBe
        What judges them.
    """

    def __init__(self, topic: str, judge: JudgeToBe) -> None:
        self._topic, self._judge_to_be = topic, judge

    def open(self, runtime_context: RuntimeContext) -> None:
        """Called by Flink before the first record."""
        self._judge = self._judge_to_be.make()
        self._count = _counters(runtime_context, "accepted", "dead")

    def process_element(self, row: Row, _context: ProcessFunction.Context) -> Iterator[Output]:
        """Called by Flink for every record."""
        match _guarded(lambda: self._judge.first(row[VALUE]), row):
            case ("accepted", key, value):
                self._count["accepted"].inc()
                yield Row(key, value)
            case ("failed", message_id, judged):
                yield FAILED, Row(message_id, Row(judged, *row))
            case ("rejected", reason):
                self._count["dead"].inc()
                yield DEAD_LETTER, _dead_letter(Record(*row), self._topic, reason)


class Errors(ProcessFunction):  # type: ignore[misc]
    """Tells `Attempts` which requests have ended with an error; what cannot be read, storage-service tells of.

    Parameters
    ----------
    judge : JudgeToBe
        What reads them.
    """

    def __init__(self, judge: JudgeToBe) -> None:
        self._judge_to_be = judge

    def open(self, _runtime_context: RuntimeContext) -> None:
        """Called by Flink before the first record."""
        self._judge = self._judge_to_be.make()

    def process_element(self, row: Row, _context: ProcessFunction.Context) -> Iterator[Row]:
        """Called by Flink for every record."""
        if message_id := self._judge.ended(row[VALUE]):
            yield Row(message_id, message_id)


class Attempts(KeyedCoProcessFunction):  # type: ignore[misc]
    """Follows the attempts of each request (first input) until its verdict, or its error (second input).

    Gives requests to ask again, and on the side verdicts and dead letters.

    Parameters
    ----------
    topic : str
        Where the records come from.
    judge : JudgeToBe
        What judges them.
    state_ttl_ms : int
        How long a request is remembered after its last attempt, in milliseconds.
    """

    def __init__(self, topic: str, judge: JudgeToBe, state_ttl_ms: int) -> None:
        self._topic, self._judge_to_be, self._state_ttl_ms = topic, judge, state_ttl_ms

    def open(self, runtime_context: RuntimeContext) -> None:
        """Called by Flink before the first record."""
        self._judge = self._judge_to_be.make()
        self._count = _counters(runtime_context, "accepted", "exhausted", "regenerated", "dead")
        # The states' names in savepoints: another would forget every undecided request.
        self._undecided = runtime_context.get_state(_expiring("asking", self._state_ttl_ms))
        self._decided = runtime_context.get_state(_expiring("decided", min(self._state_ttl_ms, DECIDED_TTL_MS)))

    def process_element1(self, row: Row, _context: KeyedCoProcessFunction.Context) -> Iterator[Output]:
        """Called by Flink for every attempt that failed."""
        judged, *fields = row
        record = Record(*fields)
        match self._follow(judged, record):
            case ("regenerated", _, (key, value)):
                self._count["regenerated"].inc()
                yield Row(key, value)
            case ("accepted" | "exhausted" as verdict, _, (key, value)):
                self._count[verdict].inc()
                yield VERDICT, Row(key, value)
            case ("rejected", reason):
                self._count["dead"].inc()
                yield DEAD_LETTER, _dead_letter(record, self._topic, reason)

    def process_element2(self, _row: Row, _context: KeyedCoProcessFunction.Context) -> Iterator[Output]:
        """Called by Flink for every request that ended with an error: what follows under its name is asked anew."""
        self._undecided.clear()
        return iter(())

    def _follow(self, judged: bytes, record: Record) -> "Followed | Rejected":
        remembered = self._undecided.value() or self._decided.value()
        followed = _guarded(lambda: self._judge.follow(remembered, judged, record.value), record)
        match followed:
            case ("regenerated" | "dropped", str(state), _):
                self._undecided.update(state)
            case ("accepted" | "exhausted", str(tombstone), _):
                self._undecided.clear()
                self._decided.update(tombstone)
        return followed


def _expiring(name: str, ttl_ms: int) -> ValueStateDescriptor:
    """A state that is gone some time after it was last written; of RocksDB's files, as they are merged."""
    descriptor = ValueStateDescriptor(name, Types.STRING())
    # `Time`, for `Duration` would call for a JVM that is not there; so would each default.
    descriptor.enable_time_to_live(
        StateTtlConfig.new_builder(Time.milliseconds(ttl_ms))
        .disable_cleanup_in_background()
        .cleanup_in_rocksdb_compact_filter(QUERY_TIME_AFTER, Time.days(30))
        .build()
    )
    return descriptor


def _counters(runtime_context: RuntimeContext, *names: str) -> dict[str, Counter]:
    metrics = runtime_context.get_metrics_group()
    return {name: metrics.counter(name) for name in names}


def _guarded(judge: Callable[[], Result], record: Row | Record) -> "Result | Rejected":
    """What `judge` gives; or, whatever goes wrong with the record, why."""
    try:
        return judge()
    except (KeyboardInterrupt, SystemExit):
        raise
    except MemoryError as error:
        # Rarely the record's fault: the task tries again, in a process that may have more by then.
        times = _times_short_of_memory(record)
        if times <= RESTARTS:
            raise
        return "rejected", f"out_of_memory: {times} times: {error}"
    except BaseException as error:  # noqa: BLE001 - a panic of Rust is no `Exception`, and must not end the job either
        return "rejected", f"internal: {type(error).__name__}: {error}"


def _times_short_of_memory(record: Row | Record) -> int:
    """How often memory ran short at this record, now included: in a file, for the task that starts again forgets."""
    _, _, partition, offset, _ = record
    file = Path(gettempdir(), f"out-of-memory-{partition}-{offset}")
    times = file.stat().st_size if file.exists() else 0
    with file.open("ab") as tally:
        tally.write(b"|")
    return times + 1


def _dead_letter(record: Record, topic: str, reason: str) -> Row:
    headers = {
        "reason": reason[:MAX_REASON],
        "service": SERVICE,
        "topic": topic,
        "partition": str(record.partition),
        "offset": str(record.offset),
        "timestamp": str(_milliseconds(record.timestamp)),
    }
    # A compressed batch can hold a record that no topic would take by itself.
    key, value = _cut(record.key, MAX_KEY_BYTES), _cut(record.value, MAX_RECORD_BYTES)
    return Row(key, value, {name: text.encode(errors="replace") for name, text in headers.items()})


def _cut(part: bytes | None, most: int) -> bytes | None:
    return None if part is None else part[:most]


def _milliseconds(timestamp: str) -> int:
    """Milliseconds since 1970; -1 for a time that Python cannot hold, for Kafka takes any."""
    try:
        return round(datetime.fromisoformat(timestamp + "+00:00").timestamp() * 1000)
    except (ValueError, OverflowError):
        return -1
