"""The two functions that Flink runs on records. No exception ever leaves them: it would end the job."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

from pyflink.common import Row, Time, Types
from pyflink.datastream import KeyedProcessFunction, OutputTag, ProcessFunction, RuntimeContext
from pyflink.datastream.state import StateTtlConfig, ValueStateDescriptor
from pyflink.metrics import Counter

from flink_job.attempts import TOMBSTONE, Action, State, decide
from flink_job.judge import (
    MAX_RECORD_BYTES,
    Decoder,
    RejectedError,
    attempt_of,
    encode,
    previous_of,
    regeneration,
    validated,
)
from flink_job.scoring import Scorer

# Tags carry no type here: one that has been used to build a job cannot be pickled any more.
FAILED = OutputTag("failed")
VERDICT = OutputTag("verdict")
DEAD_LETTER = OutputTag("dead_letter")

SERVICE = "flink_job"
MAX_REASON = 1000  # characters
MAX_KEY_BYTES = 64 << 10

Output: TypeAlias = Row | tuple[OutputTag, Row]


@dataclass(frozen=True)
class Rules:
    """What the verdicts hang on."""

    topic: str
    """Where the records come from."""
    threshold: float
    """The score, in [0, 1], from which an answer is accepted."""
    max_attempts: int
    """How many times a model may be asked."""
    state_ttl_ms: int
    """How long an asking is remembered after its last attempt, in milliseconds."""


class Record(NamedTuple):
    """A record of Kafka with its origin; `timestamp` is UTC, as SQL writes it."""

    key: bytes | None
    value: bytes | None
    partition: int
    offset: int
    timestamp: str


class FirstJudge(ProcessFunction):  # type: ignore[misc]
    """Reads and scores every answer; one that passes at once needs no memory of the asking.

    Gives verdicts, and on the side dead letters and everything that needs the memory (`FAILED`).
    """

    def __init__(self, rules: Rules, scorer: Scorer, schema: Mapping[str, Any]) -> None:
        self._rules, self._scorer, self._schema = rules, scorer, schema

    def open(self, runtime_context: RuntimeContext) -> None:
        """Called by Flink before the first record."""
        self._decoder = Decoder(self._schema)
        self._count = _counters(runtime_context, "accepted", "dead")

    def process_element(self, row: Row, _context: ProcessFunction.Context) -> Iterator[Output]:
        """Called by Flink for every record."""
        record = Record(*row)
        yield from _guarded(lambda: self._judge(record), record, self._rules.topic, self._count["dead"])

    def _judge(self, record: Record) -> list[Output]:
        response = self._decoder.decode(record.value)
        attempt = attempt_of(response, self._scorer.score(response["llm_answer"], response["best_answer"]))
        if attempt.attempts > 1 or attempt.score < self._rules.threshold:
            return [(FAILED, Row(response["message_id"], attempt.score, *record))]
        state = State().with_attempt(attempt)
        verdict = validated(response, state, threshold=self._rules.threshold, scorer=self._scorer.hash)
        output = Row(*encode(verdict))
        self._count["accepted"].inc()
        return [output]


class Attempts(KeyedProcessFunction):  # type: ignore[misc]
    """Follows the attempts of each asking until its verdict.

    Gives requests to ask again, and on the side verdicts and dead letters.
    """

    def __init__(self, rules: Rules, scorer_hash: str, schema: Mapping[str, Any]) -> None:
        self._rules, self._scorer_hash, self._schema = rules, scorer_hash, schema

    def open(self, runtime_context: RuntimeContext) -> None:
        """Called by Flink before the first record."""
        self._decoder = Decoder(self._schema)
        self._count = _counters(runtime_context, "accepted", "exhausted", "regenerated", "dead")
        descriptor = ValueStateDescriptor("asking", Types.STRING())
        # `Time`, for `Duration` would call for a JVM that is not there.
        descriptor.enable_time_to_live(
            StateTtlConfig.new_builder(Time.milliseconds(self._rules.state_ttl_ms))
            .disable_cleanup_in_background()  # the default of that, too, calls for a JVM
            .cleanup_incrementally(10, run_cleanup_for_every_record=False)
            .build()
        )
        self._asking = runtime_context.get_state(descriptor)

    def process_element(self, row: Row, _context: KeyedProcessFunction.Context) -> Iterator[Output]:
        """Called by Flink for every record."""
        _, score, *fields = row
        record = Record(*fields)
        yield from _guarded(lambda: self._follow(record, score), record, self._rules.topic, self._count["dead"])

    def _follow(self, record: Record, score: float) -> list[Output]:
        rules = self._rules
        response = self._decoder.decode(record.value)
        before = State.from_json(self._asking.value())
        state, action = decide(
            before,
            attempt_of(response, score),
            previous_of(response),
            threshold=rules.threshold,
            max_attempts=rules.max_attempts,
        )
        outputs: list[Output] = []
        match action:
            case Action.REGENERATE:
                outputs = [Row(*encode(regeneration(response, state)))]
                self._count["regenerated"].inc()
            case Action.ACCEPT | Action.EXHAUST:
                verdict = validated(response, state, threshold=rules.threshold, scorer=self._scorer_hash)
                outputs = [(VERDICT, Row(*encode(verdict)))]
                self._count["accepted" if action is Action.ACCEPT else "exhausted"].inc()
                state = TOMBSTONE
        if state != before:
            self._asking.update(state.to_json())
        return outputs


def _counters(runtime_context: RuntimeContext, *names: str) -> dict[str, Counter]:
    metrics = runtime_context.get_metrics_group()
    return {name: metrics.counter(name) for name in names}


def _guarded(handle: Callable[[], list[Output]], record: Record, topic: str, dead: Counter) -> list[Output]:
    """What `handle` gives; or, whatever goes wrong, a dead letter that says why."""
    try:
        return handle()
    except RejectedError as rejected:
        reason = str(rejected)
    except Exception as error:  # noqa: BLE001 - whatever it is, it must not end the job
        reason = f"internal: {type(error).__name__}: {error}"
    dead.inc()
    return [(DEAD_LETTER, _dead_letter(record, topic, reason[:MAX_REASON]))]


def _dead_letter(record: Record, topic: str, reason: str) -> Row:
    headers = {
        "reason": reason,
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
