import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flink_job.attempts import State
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
from flink_job.messages import LlmResponse

CONTRACTS = Path(__file__).parents[2] / "contracts"
EXAMPLES = CONTRACTS / "examples" / "LlmResponse"
NOW = datetime(2026, 3, 1, 12, 0, 2, 5999, tzinfo=UTC)


def schema(message: str) -> dict[str, Any]:
    return cast(dict[str, Any], json.loads((CONTRACTS / "schema" / f"{message}.schema.json").read_text("utf-8")))


def examples(kind: str) -> list[Any]:
    paths = sorted((EXAMPLES / kind).iterdir())
    assert paths
    return [pytest.param(path.read_bytes(), id=path.stem) for path in paths]


@pytest.fixture(scope="module")
def decoder() -> Decoder:
    return Decoder(schema("LlmResponse"))


@pytest.fixture
def response(decoder: Decoder) -> LlmResponse:
    return decoder.decode((EXAMPLES / "valid" / "every_field.json").read_bytes())


@pytest.mark.parametrize("value", examples("valid"))
def test_valid_examples_are_read_as_they_are_written(decoder: Decoder, value: bytes) -> None:
    assert decoder.decode(value) == json.loads(value)


@pytest.mark.parametrize("value", examples("invalid"))
def test_invalid_examples_are_rejected_with_a_reason(decoder: Decoder, value: bytes) -> None:
    with pytest.raises(RejectedError, match=r"^(empty$|(too_large|not_utf8|not_json|schema): .)"):
        decoder.decode(value)


@pytest.mark.parametrize("value", examples("either"))
def test_examples_that_may_be_read_either_way_are_read_or_rejected(decoder: Decoder, value: bytes) -> None:
    try:
        response = decoder.decode(value)
    except RejectedError as rejected:
        reason = str(rejected)
    else:
        jsonschema.validate(response, schema("LlmResponse"))
        return
    assert reason.startswith(("not_json: ", "schema: "))


@given(st.binary(max_size=300) | st.recursive(st.none() | st.text(), st.lists).map(lambda v: json.dumps(v).encode()))
def test_no_bytes_raise_anything_else(decoder: Decoder, value: bytes) -> None:
    with pytest.raises(RejectedError):
        decoder.decode(value)


def test_a_tombstone_is_rejected(decoder: Decoder) -> None:
    with pytest.raises(RejectedError, match=r"^tombstone$"):
        decoder.decode(None)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"best_answer": ...}, r"schema: .*best_answer"),
        ({"latency_ms": "soon"}, r"schema: .*latency_ms"),
        ({"usage": {"input_tokens": 1}}, r"schema: .*usage"),
        ({"llm_answer": "x" * (256 * 1024 + 1)}, "too_large: llm_answer"),
        ({"best_answer": "é" * (128 * 1024 + 1)}, "too_large: best_answer"),
        ({"title": "x" * 40_000, "content": "x" * 40_000}, "too_large: the question"),
        ({"retry_of": "é" * 65}, "too_large: an id"),
        ({"prompt": "x" * MAX_RECORD_BYTES}, "too_large: the record"),
    ],
)
def test_a_reason_names_what_is_wrong(
    decoder: Decoder, response: LlmResponse, changes: dict[str, object], reason: str
) -> None:
    message = {name: value for name, value in {**response, **changes}.items() if value is not ...}
    with pytest.raises(RejectedError, match=reason):
        decoder.decode(json.dumps(message).encode())


def test_an_accepted_answer_becomes_a_verdict_with_all_it_carried(response: LlmResponse) -> None:
    state = State().with_attempt(attempt_of(response, 0.8))
    verdict = validated(response, state, threshold=0.65, scorer="abc", now=NOW)
    jsonschema.validate(verdict, schema("ValidatedResponse"))
    carried = set(response) - {"prompt", "latency_ms", "attempts", "produced_at", "previous"}
    assert {name: verdict.get(name) for name in carried} == {name: response.get(name) for name in carried}
    assert {name: value for name, value in verdict.items() if name not in carried} == {
        "score": 0.8,
        "accepted": True,
        "verdict": "accepted",
        "source": "llm",
        "attempts": 2,
        "history": [{"attempts": 2, "score": 0.8, "model": "offline"}],
        "threshold": 0.65,
        "scorer": "abc",
        "decided_at": "2026-03-01T12:00:02.005Z",
    }


def test_an_exhausted_asking_keeps_its_best_attempt_and_not_its_last(response: LlmResponse) -> None:
    previous = previous_of(response)
    assert previous
    state = State().with_attempt(previous).with_attempt(attempt_of(response, 0.1))
    verdict = validated(response, state, threshold=0.65, scorer="abc")
    jsonschema.validate(verdict, schema("ValidatedResponse"))
    assert (verdict["llm_answer"], verdict["score"], verdict["attempts"]) == ("Because of the sea.", 0.12, 2)
    assert (verdict["accepted"], verdict["verdict"]) == (False, "exhausted")
    assert "model" not in verdict


def test_a_request_to_ask_again_carries_the_best_attempt(response: LlmResponse) -> None:
    previous = previous_of(response)
    assert previous
    request = regeneration(response, State().with_attempt(previous).with_attempt(attempt_of(response, 0.1)))
    jsonschema.validate(request, schema("RegenerationRequest"))
    assert request["attempts"] == 2
    assert request.get("previous") == {"llm_answer": "Because of the sea.", "score": 0.12, "attempts": 1}
    assert request["prompt"] == response["prompt"]
    assert request.get("asked_at") == response.get("asked_at")


@pytest.mark.parametrize("value", examples("valid"))
def test_whatever_is_read_can_be_answered(decoder: Decoder, value: bytes) -> None:
    response = decoder.decode(value)
    state = State().with_attempt(attempt_of(response, 0.5))
    for message, name in (
        (validated(response, state, threshold=0.65, scorer="abc"), "ValidatedResponse"),
        (regeneration(response, state), "RegenerationRequest"),
    ):
        key, record = encode(message)
        assert key.decode() == response["question_id"]
        jsonschema.validate(json.loads(record), schema(name))


def test_a_message_that_no_topic_takes_is_rejected(response: LlmResponse) -> None:
    response["prompt"] = "x" * MAX_RECORD_BYTES
    with pytest.raises(RejectedError, match=r"^too_large: what would follow"):
        encode(regeneration(response, State().with_attempt(attempt_of(response, 0.1))))
