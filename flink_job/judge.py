"""From a record's bytes to a message or the reason why not, and from a verdict to the message that tells it.

Nothing here knows Flink.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, cast

import fastjsonschema
import orjson

from flink_job.attempts import Answer, Attempt, State
from flink_job.messages import LlmResponse, PreviousAttempt, RegenerationRequest, ValidatedResponse

MAX_RECORD_BYTES = 4 << 20
"""The largest record that a topic takes."""
MAX_QUESTION_BYTES = 64 << 10
"""The largest question, title and content together."""
MAX_ANSWER_BYTES = 256 << 10
"""The largest answer, a model's or a person's."""
MAX_ID_BYTES = 128
"""The longest identifier."""

_OVERHEAD = 256  # what a record weighs beside its key and value
_IDENTITY = ("message_id", "trace_id", "question_id", "title", "content", "best_answer")
_CARRIED = ("asked_at", "retry_of")


class RejectedError(Exception):
    """A record that can never be handled.

    Its text is the reason; the first word is one of those that the Rust services use too: `tombstone`, `empty`,
    `too_large`, `not_utf8`, `not_json`, `schema`.
    """


class Decoder:
    """Reads messages from the bytes of records.

    Parameters
    ----------
    schema : mapping
        The JSON Schema of `LlmResponse`.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        # In draft 4, and in Rust, 1.0 is no integer; later it is one.
        strict = {**schema, "$schema": "http://json-schema.org/draft-04/schema#"}
        self._check: Callable[[object], object] = fastjsonschema.compile(
            strict, formats={"date-time": _is_timestamp}, use_default=False
        )

    def decode(self, value: bytes | None) -> LlmResponse:
        """Reads one message.

        Raises
        ------
        RejectedError
            It can never be handled, and why.
        """
        if value is None:
            raise RejectedError("tombstone")
        if not value:
            raise RejectedError("empty")
        if len(value) > MAX_RECORD_BYTES:
            raise _too_large("the record", len(value), MAX_RECORD_BYTES)
        try:
            message = orjson.loads(value)
        except orjson.JSONDecodeError as error:
            raise RejectedError(f"{'not_json' if _is_utf8(value) else 'not_utf8'}: {error}") from None
        try:
            self._check(message)
        except fastjsonschema.JsonSchemaException as error:
            raise RejectedError(f"schema: {error}") from None
        response = cast(LlmResponse, message)
        _check_sizes(response)
        return response


def _is_timestamp(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _too_large(what: str, size: int, limit: int) -> RejectedError:
    return RejectedError(f"too_large: {what} has {size} bytes, {limit} at most are allowed")


def _check_sizes(response: LlmResponse) -> None:
    ids = (response["message_id"], response["trace_id"], response["question_id"], response.get("retry_of") or "")
    sizes = (
        ("an id", max(len(text.encode()) for text in ids), MAX_ID_BYTES),
        ("the question", len(response["title"].encode()) + len(response["content"].encode()), MAX_QUESTION_BYTES),
        ("llm_answer", len(response["llm_answer"].encode()), MAX_ANSWER_BYTES),
        ("best_answer", len(response["best_answer"].encode()), MAX_ANSWER_BYTES),
    )
    for what, size, limit in sizes:
        if size > limit:
            raise _too_large(what, size, limit)


def attempt_of(response: LlmResponse, score: float) -> Attempt:
    """The attempt that a response is."""
    answer = {name: response[name] for name in Answer.__annotations__ if response.get(name) is not None}  # type: ignore[literal-required]
    return Attempt(response["attempts"], score, cast(Answer, answer))


def previous_of(response: LlmResponse) -> Attempt | None:
    """The best earlier attempt, if the response tells of one."""
    previous = response.get("previous")
    return Attempt.from_previous(previous) if previous else None


def validated(
    response: LlmResponse, state: State, *, threshold: float, scorer: str, now: datetime | None = None
) -> ValidatedResponse:
    """The verdict on an asking: its best attempt, accepted or not.

    Parameters
    ----------
    response : LlmResponse
        The message that brought the verdict about.
    state : State
        The asking with all its attempts; at least one.
    threshold : float
        The score, in [0, 1], from which an answer is accepted.
    scorer : str
        The hash of the scorer.
    now : datetime, optional
        The time of the verdict.
    """
    accepted = state.score >= threshold
    verdict: dict[str, object] = {
        **_identity(response),
        **(state.best.answer if state.best else {}),
        "score": state.score,
        "accepted": accepted,
        "verdict": "accepted" if accepted else "exhausted",
        "source": "llm",
        "attempts": state.attempts,
        "history": list(state.history),
        "threshold": threshold,
        "scorer": scorer,
        "decided_at": _rfc3339(now or datetime.now(UTC)),
    }
    return cast(ValidatedResponse, verdict)


def regeneration(response: LlmResponse, state: State) -> RegenerationRequest:
    """The request to ask once more, with the best attempt so far."""
    request = {**_identity(response), "prompt": response["prompt"], "attempts": state.attempts}
    if state.best:
        request["previous"] = PreviousAttempt(
            llm_answer=state.best.answer["llm_answer"], score=state.best.score, attempts=state.best.attempts
        )
    return cast(RegenerationRequest, request)


def encode(message: ValidatedResponse | RegenerationRequest) -> tuple[bytes, bytes]:
    """The key and the value of a message's record.

    Raises
    ------
    RejectedError
        No topic takes a record of that size.
    """
    key, value = message["question_id"].encode(), orjson.dumps(message)
    size = len(key) + len(value) + _OVERHEAD
    if size > MAX_RECORD_BYTES:
        raise _too_large("what would follow", size, MAX_RECORD_BYTES)
    return key, value


def _identity(response: LlmResponse) -> dict[str, object]:
    fields = cast(Mapping[str, object], response)
    return {name: fields[name] for name in _IDENTITY} | {
        name: fields[name] for name in _CARRIED if fields.get(name) is not None
    }


def _rfc3339(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
