"""The Rust module as Python sees it: records in, records out. Its own tests go deeper."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from cotejo_native import Judge, Scorer, decode
from hypothesis import given
from hypothesis import strategies as st

from flink_job.fit_scorer import Artefact, fit, shipped_model

CONTRACTS = Path(__file__).parents[2] / "contracts"
MESSAGES = sorted(path.name for path in (CONTRACTS / "examples").iterdir())
EXAMPLES = CONTRACTS / "examples" / "LlmResponse"
REASON = r"^(empty$|(too_large|not_utf8|not_json|schema): .)"
OLDER_STATE = {
    "history": [{"attempts": 1, "score": 0.9, "model": "offline"}],
    "best": {"attempts": 1, "score": 0.9, "answer": {"llm_answer": "Nobody knows.", "model": "offline"}},
    "decided": False,
}
"""As the job kept it before it knew of signals and of whose scores they are."""


def schema(message: str) -> Any:  # noqa: ANN401 - whatever JSON holds
    return json.loads((CONTRACTS / "schema" / f"{message}.schema.json").read_text("utf-8"))


def examples(kind: str) -> list[Any]:
    paths = [path for message in MESSAGES for path in sorted((CONTRACTS / "examples" / message).glob(f"{kind}/*"))]
    return [pytest.param(path.parts[-3], path.read_bytes(), id=f"{path.parts[-3]}-{path.stem}") for path in paths]


@pytest.fixture(scope="module")
def artefact() -> Artefact:
    return fit(["Water boils at one hundred degrees at the sea.", "The sky is blue."], shipped_model())


@pytest.fixture(scope="module")
def judge(artefact: Artefact) -> Judge:
    return Judge(artefact.text, 0.65, 3)


@pytest.fixture
def response() -> dict[str, Any]:
    message: dict[str, Any] = json.loads((EXAMPLES / "valid" / "every_field.json").read_text("utf-8"))
    return message


def encoded(message: dict[str, Any], **changes: object) -> bytes:
    changed = {name: value for name, value in {**message, **changes}.items() if value is not ...}
    return json.dumps(changed).encode()


def failed(judge: Judge, value: bytes) -> bytes:
    """What the judge hands on of an answer that fails."""
    outcome = judge.first(value)
    assert outcome[0] == "failed"
    return outcome[2]


def followed(judge: Judge, state: str | None, value: bytes) -> tuple[str, str, dict[str, Any]]:
    """What is done about an answer that fails, the new state, and the message."""
    outcome = judge.follow(state, failed(judge, value), value)
    assert outcome[0] != "rejected"
    action, after, record = outcome
    assert after
    assert record
    return action, after, json.loads(record[1])


@pytest.mark.parametrize(("message", "value"), examples("valid"))
def test_valid_examples_are_read(message: str, value: bytes) -> None:
    assert decode(message, value) is None


@pytest.mark.parametrize(("message", "value"), examples("invalid"))
def test_invalid_examples_are_rejected_with_a_reason(message: str, value: bytes, judge: Judge) -> None:
    reason = decode(message, value)
    assert reason is not None
    assert re.match(REASON, reason)
    if message == "LlmResponse":
        assert judge.first(value) == ("rejected", reason)


@pytest.mark.parametrize(("message", "value"), examples("either"))
def test_examples_that_may_be_read_either_way_are_read_or_rejected(message: str, value: bytes) -> None:
    reason = decode(message, value)
    assert reason is None or reason.startswith(("not_json: ", "schema: "))


@given(st.binary(max_size=300) | st.recursive(st.none() | st.text(), st.lists).map(lambda v: json.dumps(v).encode()))
def test_no_bytes_do_anything_but_be_rejected(judge: Judge, value: bytes) -> None:
    assert judge.first(value)[0] == "rejected"


def test_a_tombstone_is_rejected(judge: Judge) -> None:
    assert judge.first(None) == ("rejected", "tombstone")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"best_answer": ...}, "schema: missing field `best_answer`"),
        ({"latency_ms": "soon"}, "schema: latency_ms"),
        ({"usage": {"input_tokens": 1}}, "schema: usage.*output_tokens"),
        ({"attempts": 0}, "schema: attempts"),
        ({"retry_of": "é" * 65}, "schema: retry_of: an id of 130 bytes"),
        ({"llm_answer": "x" * (256 * 1024 + 1)}, "too_large: llm_answer"),
        ({"best_answer": "é" * (128 * 1024 + 1)}, "too_large: best_answer"),
        ({"other_answers": ["x"] * 17}, "too_large: other_answers"),
        ({"title": "x" * 40_000, "content": "x" * 40_000}, "too_large: the question"),
        ({"prompt": "x" * (4 << 20)}, "too_large: "),
    ],
)
def test_a_reason_names_what_is_wrong(
    judge: Judge, response: dict[str, Any], changes: dict[str, object], reason: str
) -> None:
    outcome = judge.first(encoded(response, **changes))
    assert outcome[0] == "rejected"
    assert re.match(reason, outcome[1])


def test_a_good_first_answer_becomes_a_verdict_with_all_it_carried(
    judge: Judge, artefact: Artefact, response: dict[str, Any]
) -> None:
    response |= {"attempts": 1, "llm_answer": response["best_answer"], "previous": None, "other_answers": ["Not so."]}
    outcome = judge.first(encoded(response))
    assert outcome[:2] == ("accepted", response["question_id"].encode())
    value = outcome[-1]
    verdict = json.loads(value)
    jsonschema.validate(verdict, schema("ValidatedResponse"))
    carried = set(response) - {"prompt", "latency_ms", "attempts", "produced_at", "previous"}
    assert {name: verdict.get(name) for name in carried} == {name: response[name] for name in carried}
    scorer = Scorer(artefact.text)
    texts = (
        f"{response['title']}\n{response['content']}",
        [response["best_answer"], "Not so."],
        response["llm_answer"],
    )
    signals = {name: round(value, 4) for name, value in scorer.signals(*texts).items()}
    assert verdict["signals"] == {name: value for name, value in signals.items() if value}
    made = ("score", "accepted", "verdict", "source", "attempts", "threshold", "scorer", "confidence", "history")
    score = scorer.score(*texts)
    assert {name: verdict[name] for name in made} == {
        "score": score,
        "accepted": True,
        "verdict": "accepted",
        "source": "llm",
        "attempts": 1,
        "threshold": 0.65,
        "scorer": artefact.hash,
        "confidence": "unsure" if scorer.is_unsure(score) else "sure",
        "history": [{"attempts": 1, "score": score, "model": response["model"], "scorer": artefact.hash}],
    }


def test_a_failed_answer_is_asked_for_again_and_at_last_given_up(judge: Judge, response: dict[str, Any]) -> None:
    state, previous = None, None
    for attempts in (1, 2, 3):
        value = encoded(response, attempts=attempts, llm_answer="Nobody knows.", previous=previous)
        judged = failed(judge, value)
        action, state, message = followed(judge, state, value)
        previous = message.get("previous")
        assert action == ("exhausted" if attempts == 3 else "regenerated")
        jsonschema.validate(message, schema("ValidatedResponse" if attempts == 3 else "RegenerationRequest"))
        assert message["attempts"] == attempts
        assert judge.follow(state, judged, value) == ("dropped", None, None)


def test_a_request_that_an_older_job_left_undecided_is_scored_anew_and_decided(
    judge: Judge, artefact: Artefact, response: dict[str, Any]
) -> None:
    value = encoded(response, attempts=3, llm_answer="I do not know.", previous=None)
    action, state, verdict = followed(judge, json.dumps(OLDER_STATE), value)
    assert (action, json.loads(state)) == ("exhausted", {"history": [], "best": None, "decided": True})
    assert verdict["score"] < 0.65
    assert verdict["scorer"] == artefact.hash
    assert verdict["history"][0] == {"attempts": 1, "score": 0.9, "model": "offline"}


def test_a_stored_state_that_cannot_be_read_is_a_reason_and_no_exception(
    judge: Judge, response: dict[str, Any]
) -> None:
    outcome = judge.follow("no state", b"{}", encoded(response))
    assert outcome[0] == "rejected"
    assert outcome[1].startswith("internal: ")


def test_what_would_follow_and_fits_no_record_is_rejected(judge: Judge) -> None:
    value = (EXAMPLES / "valid" / "only_required_fields.json").read_bytes()
    message = {**json.loads(value), "llm_answer": "Nobody knows.", "attempts": 1, "prompt": ""}
    value = encoded(message, prompt="x" * ((4 << 20) - len(encoded(message))))
    outcome = judge.follow(None, failed(judge, value), value)
    assert outcome[0] == "rejected"
    assert outcome[1].startswith("too_large: what would follow")


def test_a_damaged_artefact_is_refused(artefact: Artefact) -> None:
    with pytest.raises(ValueError, match="damaged"):
        Judge(artefact.text.replace('"documents":2', '"documents":3'), 0.65, 3)
