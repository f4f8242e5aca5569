"""What leaves the functions that Flink runs, and what does not."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import cotejo_native
import pytest
from pyflink.common import Row

from flink_job.fit_scorer import fit, shipped_model
from flink_job.functions import DEAD_LETTER, FAILED, RESTARTS, VERDICT, Attempts, Errors, FirstJudge
from flink_job.shipping import Build, JudgeToBe

EXAMPLES = Path(__file__).parents[2] / "contracts" / "examples"


class State:
    """A state whose backend may fail."""

    def __init__(self, fails_at: str = "", kept: str | None = None) -> None:
        self.kept, self._fails_at = kept, fails_at

    def value(self) -> str | None:
        self._act("value")
        return self.kept

    def update(self, state: str) -> None:
        self._act("update")
        self.kept = state

    def clear(self) -> None:
        self._act("clear")
        self.kept = None

    def _act(self, what: str) -> None:
        if what == self._fails_at:
            raise OSError("the state's backend is gone")


class Judge:
    """Gives what it was told to, or fails; keeps what it was asked with."""

    def __init__(
        self, error: BaseException | None = None, action: str = "regenerated", state: str | None = "1"
    ) -> None:
        self._error, self._action, self._state = error, action, state
        self.remembered: str | None = None

    def follow(self, state: str | None, _judged: bytes, value: bytes | None) -> Any:  # noqa: ANN401 - see the module
        if self._error:
            raise self._error
        self.remembered = state
        return self._action, self._state, (b"key", value)


class Metric(Counter[str]):
    """Counts nothing that anybody reads."""

    def inc(self) -> None: ...


def attempts(
    judge: Judge | cotejo_native.Judge, undecided: State | None = None, decided: State | None = None
) -> Attempts:
    function = Attempts("llm_responses", JudgeToBe(Build.of(b""), b"", 0.65, 3), 1000)
    function._judge, function._undecided, function._decided = judge, undecided or State(), decided or State()  # type: ignore[assignment]
    function._count = {name: Metric() for name in ("accepted", "exhausted", "regenerated", "dead")}
    return function


def handled(function: Attempts) -> list[Any]:
    row = Row(b"judged", b"key", b"value", 0, 7, "2026-01-01 00:00:00")
    return list(function.process_element1(row, None))


def test_what_fails_at_first_is_followed_under_its_requests_name() -> None:
    judge = cotejo_native.Judge(fit(["The sky is blue."], shipped_model()).text, 0.65, 3)
    response = json.loads((EXAMPLES / "LlmResponse" / "valid" / "every_field.json").read_text("utf-8"))
    value = json.dumps({**response, "llm_answer": "Nobody knows."}).encode()
    first = FirstJudge("llm_responses", JudgeToBe(Build.of(b""), b"", 0.65, 3))
    first._judge = judge
    [(tag, (key, failed))] = first.process_element(Row(b"m", value, 0, 7, "2026-01-01 00:00:00"), None)
    assert (tag, key) == (FAILED, response["message_id"])
    undecided = State()
    [regeneration] = attempts(judge, undecided).process_element1(failed, None)
    assert json.loads(regeneration[1])["message_id"] == key
    assert undecided.kept


def test_an_attempt_that_failed_is_remembered() -> None:
    undecided, decided = State(), State()
    assert handled(attempts(Judge(), undecided, decided)) == [Row(b"key", b"value")]
    assert (undecided.kept, decided.kept) == ("1", None)


@pytest.mark.parametrize("action", ["accepted", "exhausted"])
def test_of_a_request_that_is_decided_nothing_is_remembered_but_that(action: str) -> None:
    undecided, decided = State(kept="1"), State()
    [(tag, verdict)] = handled(attempts(Judge(action=action, state="over"), undecided, decided))
    assert (tag, verdict) == (VERDICT, Row(b"key", b"value"))
    assert (undecided.kept, decided.kept) == (None, "over")


def test_a_repeat_after_the_verdict_changes_nothing() -> None:
    judge, undecided, decided = Judge(action="dropped", state=None), State(), State(kept="over")
    assert handled(attempts(judge, undecided, decided)) == []
    assert (judge.remembered, undecided.kept, decided.kept) == ("over", None, "over")


def test_a_straggler_is_remembered_though_nothing_follows_from_it() -> None:
    undecided = State(kept="2")
    assert handled(attempts(Judge(action="dropped", state="1, 2"), undecided)) == []
    assert undecided.kept == "1, 2"


@pytest.mark.parametrize("access", ["value", "update"])
def test_a_state_that_fails_makes_no_dead_letter_of_a_good_answer(access: str) -> None:
    with pytest.raises(OSError, match="backend is gone"):
        handled(attempts(Judge(), State(access)))


def test_a_judge_that_fails_makes_a_dead_letter_and_forgets_nothing() -> None:
    undecided = State(kept="1")
    [(tag, letter)] = handled(attempts(Judge(ValueError("no")), undecided))
    assert tag is DEAD_LETTER
    assert letter[2]["reason"] == b"internal: ValueError: no"
    assert undecided.kept == "1"


def test_memory_that_runs_short_restarts_the_task_and_only_the_fourth_time_is_it_the_records_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flink_job.functions.gettempdir", lambda: str(tmp_path))
    for _ in range(RESTARTS):
        with pytest.raises(MemoryError):
            handled(attempts(Judge(MemoryError("2 GiB"))))
    [(tag, letter)] = handled(attempts(Judge(MemoryError("2 GiB"))))
    assert tag is DEAD_LETTER
    assert letter[2]["reason"] == b"out_of_memory: 4 times: 2 GiB"
    assert handled(attempts(Judge())) == [Row(b"key", b"value")]


def errors() -> Errors:
    function = Errors(JudgeToBe(Build.of(b""), b"", 0.65, 3))
    function._judge = cotejo_native.Judge  # type: ignore[assignment]
    return function


def test_a_request_that_ended_with_an_error_is_forgotten() -> None:
    error = next(EXAMPLES.glob("ErrorMessage/valid/*.json")).read_bytes()
    [ended] = errors().process_element(Row(b"m", error, 0, 7, "2026-01-01 00:00:00"), None)
    undecided, decided = State(kept="1"), State()
    assert list(attempts(Judge(), undecided, decided).process_element2(ended, None)) == []
    assert (ended[0], undecided.kept, decided.kept) == (json.loads(error)["message_id"], None, None)


@pytest.mark.parametrize(
    "value",
    [None, b"", b"no", b"[1]", b"{}", b'{"message_id": "m"}', b'{"message_id": "\\ud800"}', b"\xff", b"[" * 100_000],
)
def test_an_error_that_cannot_be_read_ends_nothing(value: bytes | None) -> None:
    assert list(errors().process_element(Row(b"m", value, 0, 7, "2026-01-01 00:00:00"), None)) == []
