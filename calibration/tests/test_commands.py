"""What the commands about the judge hand on: calibrations to the job, texts to the tool that explains."""

import argparse
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from calibration.cases import Chosen
from stack import judging
from stack.explanation import verdict
from stack.settings import Settings, StackError

SHIPPED = {"slope": [1.0, 1.0], "intercept": [0.0, 0.0]}
CALIBRATED = {"slope": [0.5, 0.5], "intercept": [1.0, 1.0]}


class Store:
    """A store with one calibration."""

    def __init__(self) -> None:
        self.applied: str | None = None
        self.submitted: str | None = None

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None: ...

    def newest_calibration(self) -> Mapping[str, Any]:
        return {"_id": "new", "model": {"calibration": CALIBRATED}, "threshold": 0.7, "effect": "At 0.65, 9."}

    def apply(self, model: str) -> None:
        self.applied = model

    def reset(self) -> None:
        self.applied = None

    def scorer(self) -> str:
        calibration = CALIBRATED if self.submitted else SHIPPED
        return json.dumps({"hash": f"scorer of {self.submitted}", "model": {"calibration": calibration}})


class Stack:
    """A stack whose flink-submit fails as often as it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
        self.store, self.failures, self.submits = Store(), 0, 0
        self._settings, self._screen = settings, io.StringIO()
        monkeypatch.setattr(judging, "need_running", lambda _: None)
        monkeypatch.setattr(judging, "_store", lambda _: self.store)
        monkeypatch.setattr(judging, "submit_again", self._submit_again)
        monkeypatch.setattr(judging, "console", Console(file=self._screen, width=120))

    def _submit_again(self, _runtime: object, _steps: object) -> None:
        self.submits += 1
        if self.failures:
            self.failures -= 1
            raise StackError("flink-submit failed")
        self.store.submitted = self.store.applied

    def apply(self, *options: str) -> str:
        self._screen.truncate(0)
        given = argparse.Namespace(command="apply-calibration", options=options)
        judging.apply_calibration(self, self._settings, given)  # type: ignore[arg-type]
        return self._screen.getvalue()


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Stack:  # noqa: ANN401 - see pytest
    return Stack(monkeypatch, Settings(tmp_path))


def test_a_calibration_is_submitted_again_after_that_failed(stack: Stack) -> None:
    stack.failures = 1
    with pytest.raises(StackError):
        stack.apply()
    assert stack.store.applied == "new"
    said = stack.apply()
    assert stack.store.submitted == "new"
    assert "1.000 → 0.500" in said
    assert "Later verdicts name the scorer scorer of new." in said


def test_the_job_is_submitted_however_often_and_told_of_no_change_where_there_is_none(stack: Stack) -> None:
    stack.apply()
    said = stack.apply()
    assert stack.submits == 2
    assert "→" not in said
    assert "Later verdicts" not in said
    assert "Nothing changes: the job scores by scorer of new already." in said


def test_what_is_applied_is_told_with_its_effect_and_the_threshold_of_its_score(stack: Stack) -> None:
    said = stack.apply()
    assert "When it was made: At 0.65, 9." in said
    assert "For this score the threshold, 0.65 today, should change: make down && SCORE_THRESHOLD=0.7 make up" in said
    assert "SCORE_THRESHOLD" not in stack.apply("RESET=1")


def test_a_reset_goes_back_to_what_is_shipped(stack: Stack) -> None:
    stack.apply()
    said = stack.apply("RESET=1")
    assert stack.store.submitted is None
    assert "0.500 → 1.000" in said


class Draws:
    """A store with nothing to ask about."""

    def __init__(self, *, run: bool, answers: bool) -> None:
        self._run, self._answers = run, answers

    def has_run(self, _run: str) -> bool:
        return self._run

    def has_answers(self, _chosen: str, _run: str | None) -> bool:
        return self._answers


def test_with_nothing_to_label_it_says_whether_all_is_labelled_or_nothing_is_there() -> None:
    def why(store: Draws, chosen: Chosen, run: str | None) -> str:
        return judging._why_none(store, chosen, run)  # type: ignore[arg-type]

    assert why(Draws(run=True, answers=True), "random", "a") == "Every such answer has a label already."
    assert why(Draws(run=True, answers=False), "random", "a").startswith("There is no answer with a score in RUN=a,")
    assert why(Draws(run=False, answers=False), "unsure", None).startswith("There is no answer of which the judge is")
    with pytest.raises(StackError, match="RUN=a is unknown: no stored answer is of that run"):
        why(Draws(run=False, answers=False), "random", "a")


def test_a_file_of_labels_needs_a_running_stack_and_says_why(tmp_path: Path) -> None:
    class Down:
        def is_up(self) -> bool:
            return False

    file = tmp_path / "labels.csv"
    file.write_text("question,reference,answer,accepted\n")
    given = argparse.Namespace(command="calibrate", options=[f"LABELS={file}"])
    with pytest.raises(StackError, match=r"whose scorer scores its answers\. Nothing runs here; `make up` starts it"):
        judging.calibrate(Down(), Settings(tmp_path), given)  # type: ignore[arg-type]


def test_texts_to_explain_may_be_longer_than_an_argument(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:  # noqa: ANN401
    class Runtime:
        def tool(self, module: str, arguments: Sequence[str] = (), given: bytes = b"") -> bytes:
            assert (module, arguments) == ("flink_job.explain", ())
            return given

    told: list[Any] = []
    monkeypatch.setattr(judging, "show", lambda explained, *_: told.append(explained))
    answer = "Because. " * 50_000
    given = argparse.Namespace(command="explain", options=[f"ANSWER={answer}", "REFERENCE=So."])
    judging.explain(Runtime(), Settings(tmp_path), given)  # type: ignore[arg-type]
    assert told == [{"question": "", "references": ["So."], "answer": answer}]


def test_a_verdict_is_told_with_its_own_threshold_also_where_that_was_zero() -> None:
    explanation = {"score": 0.1, "unsure": False, "scorer": "abc"}
    assert "threshold 0," in verdict({"explanation": explanation, "verdict": "accepted", "threshold": 0.0}, 0.65)
    assert "threshold 0.65," in verdict({"explanation": explanation, "verdict": "accepted", "threshold": None}, 0.65)
