"""What is submitted: the shipped model, with a calibration that fits it, and nothing that was not tried."""

import logging
import re
from pathlib import Path
from typing import Any, NoReturn

import pytest

from flink_job import submit
from flink_job.config import Config
from flink_job.fit_scorer import Artefact, shipped_model, weights_hash

STEP = {"slope": [0.5, 0.6], "intercept": [0.1, 0.2]}


def calibration(**fields: object) -> dict[str, Any]:
    """One that was made for the shipped model, but for `fields`."""
    shipped = shipped_model()
    return {"_id": "c", "model": {**shipped, "calibration": STEP}, "from_model": weights_hash(shipped), **fields}


class Database:
    """A database with a question, and what is applied."""

    applied: dict[str, Any] | None = None
    saved: Artefact | None = None

    def __init__(self, *_: object) -> None: ...

    def __enter__(self) -> "Database":
        return self

    def __exit__(self, *_: object) -> None: ...

    def references(self, _most: int) -> list[str]:
        return ["The sky is blue."]

    def applied_calibration(self) -> dict[str, Any] | None:
        return self.applied

    def save_scorer(self, artefact: Artefact) -> bool:
        type(self).saved = artefact
        return True


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> type[Database]:
    class OfThisTest(Database): ...

    monkeypatch.setattr(submit, "Database", OfThisTest)
    return OfThisTest


def test_a_calibration_changes_the_last_step_of_todays_model_and_nothing_else() -> None:
    # What is kept beside the step was true when it was made; today's counts.
    kept = calibration(model={"calibration": STEP, "unsure": [0, 1]})
    assert submit.todays_model(kept) == {**shipped_model(), "calibration": STEP}
    assert submit.todays_model(None) == shipped_model()


def test_another_last_step_of_the_shipped_model_leaves_a_calibration_what_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept, newer = calibration(), {**shipped_model(), "calibration": {"slope": [2, 2], "intercept": [0, 0]}}
    monkeypatch.setattr(submit, "shipped_model", lambda: newer)
    assert submit.todays_model(kept)["calibration"] == STEP


@pytest.mark.parametrize("fields", [{"from_model": "of another version"}, {"from_model": None}])
def test_a_calibration_of_other_weights_is_not_used_and_that_is_said(
    fields: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "flink-submit"):
        assert submit.todays_model(calibration(**fields)) == shipped_model()
    assert "make calibrate" in caplog.text


def test_a_scorer_is_kept_when_its_judge_was_made(database: type[Database]) -> None:
    artefact, judge = submit.prepare(Config.from_environment({}))
    assert database.saved == artefact
    assert judge.make().first(None)[0] == "rejected"


def test_a_model_that_cannot_be_used_replaces_nothing_and_the_way_back_is_named(
    database: type[Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    def meet(*_: object) -> NoReturn:
        raise AssertionError("Flink was asked")

    monkeypatch.setattr(submit, "Flink", meet)
    database.applied = calibration(model={"calibration": {"slope": "steep"}})
    with pytest.raises(submit.NoJudgeError, match="make apply-calibration RESET=1"):
        submit.submit(Config.from_environment({}))
    assert database.saved is None


def test_a_job_has_one_identity_in_its_folder_of_state_and_another_in_the_next(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
    drawn = submit.identity(here)
    assert re.fullmatch("[0-9a-f]{32}", drawn)
    assert submit.identity(here) == drawn
    assert submit.identity(there) != drawn
