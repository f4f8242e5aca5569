"""What leaves the functions that Flink runs, and what does not."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pyflink.common import Row

from flink_job.functions import DEAD_LETTER, RESTARTS, Attempts
from flink_job.shipping import Build, JudgeToBe


class Asking:
    """A state whose backend may fail."""

    def __init__(self, fails_at: str = "") -> None:
        self.kept: str | None = None
        self._fails_at = fails_at

    def value(self) -> str | None:
        self._act("value")
        return self.kept

    def update(self, state: str) -> None:
        self._act("update")
        self.kept = state

    def _act(self, what: str) -> None:
        if what == self._fails_at:
            raise OSError("the state's backend is gone")


class Judge:
    """Asks again, or fails."""

    def __init__(self, error: BaseException | None = None) -> None:
        self._error = error

    def follow(self, _state: str | None, _judged: bytes, value: bytes | None) -> Any:  # noqa: ANN401 - see the module
        if self._error:
            raise self._error
        return "regenerated", "asked once", (b"key", value)


class Metric(Counter[str]):
    """Counts nothing that anybody reads."""

    def inc(self) -> None: ...


def attempts(judge: Judge, asking: Asking) -> Attempts:
    function = Attempts("llm_responses", JudgeToBe(Build.of(b""), b"", 0.65, 3), 1000)
    function._judge, function._asking = judge, asking  # type: ignore[assignment]
    function._count = {name: Metric() for name in ("regenerated", "dead")}
    return function


def handled(function: Attempts) -> list[Any]:
    row = Row("m", b"judged", b"key", b"value", 0, 7, "2026-01-01 00:00:00")
    return list(function.process_element(row, None))


def test_what_is_to_be_remembered_is_kept() -> None:
    asking = Asking()
    assert handled(attempts(Judge(), asking)) == [Row(b"key", b"value")]
    assert asking.kept == "asked once"


@pytest.mark.parametrize("access", ["value", "update"])
def test_a_state_that_fails_makes_no_dead_letter_of_a_good_answer(access: str) -> None:
    with pytest.raises(OSError, match="backend is gone"):
        handled(attempts(Judge(), Asking(access)))


def test_a_judge_that_fails_makes_a_dead_letter_and_forgets_nothing() -> None:
    asking = Asking()
    [(tag, letter)] = handled(attempts(Judge(ValueError("no")), asking))
    assert tag is DEAD_LETTER
    assert letter[2]["reason"] == b"internal: ValueError: no"
    assert asking.kept is None


def test_memory_that_runs_short_restarts_the_task_and_only_the_fourth_time_is_it_the_records_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flink_job.functions.gettempdir", lambda: str(tmp_path))
    for _ in range(RESTARTS):
        with pytest.raises(MemoryError):
            handled(attempts(Judge(MemoryError("2 GiB")), Asking()))
    [(tag, letter)] = handled(attempts(Judge(MemoryError("2 GiB")), Asking()))
    assert tag is DEAD_LETTER
    assert letter[2]["reason"] == b"out_of_memory: 4 times: 2 GiB"
    assert handled(attempts(Judge(), Asking())) == [Row(b"key", b"value")]
