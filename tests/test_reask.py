"""What ended in an error is asked again once, until it is answered."""

import argparse
import io
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cotejo_native import decode
from rich.console import Console

from stack import reask
from stack.reask import Failure, message, on_their_way, overview, tally, unanswered
from stack.settings import SettingError, Settings

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def outcome(message_id: str, error: str | None = None, retry_of: str | None = None, **fields: object) -> dict[str, Any]:
    """The outcome of a request, decided so many minutes after noon as its id has characters."""
    return {
        "_id": message_id,
        "verdict": "error" if error else "accepted",
        "error": {"type": error, "retry_at": NOW} if error else None,
        "retry_of": retry_of,
        "run": "evening",
        "decided_at": NOW + len(message_id) * MINUTE,
        **fields,
    }


def failure(
    message_id: str = "m",
    error: str = "timeout",
    retry_at: datetime | None = None,
    runs: tuple[str, ...] = ("evening",),
) -> Failure:
    return Failure(message_id, error, NOW, retry_at, runs)


def left(*outcomes: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(failure.message_id, failure.error) for failure in unanswered(outcomes)]


def test_an_error_that_was_never_asked_again_is_left() -> None:
    assert left(outcome("m", "timeout"), outcome("nn", "refused")) == [("m", "timeout"), ("nn", "refused")]


@pytest.mark.parametrize("verdict", ["accepted", "exhausted"])
def test_an_error_that_was_asked_again_with_success_is_not(verdict: str) -> None:
    assert left(outcome("m", "timeout"), outcome("mm", retry_of="m", verdict=verdict)) == []


def test_of_a_chain_of_errors_the_last_one_counts_whatever_the_order() -> None:
    chain = [outcome("mmm", "refused", "mm"), outcome("m", "timeout"), outcome("mm", "unavailable", "m")]
    assert left(*chain) == [("mmm", "refused")]


def test_a_question_that_a_later_retry_recovered_is_not_asked_again() -> None:
    chain = [outcome("m", "timeout"), outcome("mm", "timeout", "m"), outcome("mmm", retry_of="mm")]
    assert left(*chain) == []


def test_a_question_that_was_asked_again_twice_at_once_is_recovered_by_either() -> None:
    assert left(outcome("m", "timeout"), outcome("mm", "timeout", "m"), outcome("mmm", retry_of="m")) == []
    both_failed = [outcome("m", "timeout"), outcome("mm", "timeout", "m"), outcome("mmm", "refused", "m")]
    assert left(*both_failed) == [("mmm", "refused")]


def test_a_retry_of_what_is_not_stored_any_more_is_a_question_of_its_own() -> None:
    assert left(outcome("mm", "timeout", "gone")) == [("mm", "timeout")]
    assert left(outcome("mm", "timeout", "gone"), outcome("mmm", retry_of="gone")) == []


def test_retries_in_a_circle_come_to_an_end() -> None:
    assert left(outcome("m", "timeout", "mm"), outcome("mm", "timeout", "m"))
    assert left(outcome("m", "timeout", "m")) == [("m", "timeout")]


def test_the_runs_of_a_question_are_those_of_all_its_requests() -> None:
    [found] = unanswered([outcome("mm", "timeout", "m", run="reask-1"), outcome("m", "timeout")])
    assert found.runs == ("evening", "reask-1")


def test_what_earlier_versions_stored_is_due() -> None:
    [found] = unanswered([outcome("m", "timeout", run=None) | {"error": {"type": "timeout"}}])
    assert found.is_due(NOW)
    assert found.runs == ("",)


def test_errors_are_counted_by_type_and_first_run_with_what_is_due() -> None:
    failures = [
        failure("a", retry_at=NOW - MINUTE),
        failure("b", retry_at=NOW + 2 * MINUTE, runs=("evening", "reask-1")),
        failure("c", retry_at=NOW + MINUTE),
        failure("d", "refused", runs=("morning",)),
    ]
    assert overview(failures, NOW) == [
        ("refused", "morning", 1, 1, None),
        ("timeout", "evening", 3, 1, NOW + MINUTE),
    ]


def event(asked_at: datetime, message_id: str = "m") -> dict[str, str]:
    return {
        "message_id": failure(message_id).retry_id,
        "partition": "0",
        "offset": "7",
        "asked_at": asked_at.isoformat(),
    }


def test_what_was_asked_again_and_has_no_outcome_is_on_its_way() -> None:
    asked = event(NOW + MINUTE)
    failures = [failure("m"), failure("other")]
    assert on_their_way(failures, [asked, event(NOW + MINUTE, "recovered")], NOW + 2 * MINUTE) == {
        failure("m").retry_id: asked
    }


def test_what_was_asked_long_ago_may_be_lost_and_is_asked_again() -> None:
    assert not on_their_way([failure()], [event(NOW + MINUTE)], NOW + 62 * MINUTE)


def test_a_record_from_before_the_error_is_of_other_data() -> None:
    assert not on_their_way([failure()], [event(NOW - MINUTE)], NOW + MINUTE)


STORED = {
    "_id": "m",
    "question_id": "q",
    "title": "¿Por qué?",
    "content": "",
    "best_answer": "Porque sí.",
    "other_answers": ["Sin más."],
    "topic": "2",
}


@pytest.mark.parametrize("missing", [{}, {"other_answers": [], "topic": None}])
def test_what_is_asked_again_is_a_question_that_names_the_one_before(missing: dict[str, Any]) -> None:
    stored = STORED | missing
    asked = message(stored, "reask-1", NOW)
    assert decode("QuestionMessage", json.dumps(asked, ensure_ascii=False).encode()) is None
    texts = ("question_id", "title", "content", "best_answer")
    assert {name: asked[name] for name in texts} == {name: stored[name] for name in texts}
    assert (asked["retry_of"], asked["run"], asked["attempts"]) == ("m", "reask-1", 0)
    assert asked.get("other_answers", []) == stored["other_answers"]
    assert asked.get("topic") == stored["topic"]
    assert asked["message_id"] not in (stored["_id"], asked["trace_id"])


def test_however_often_a_question_is_sent_it_is_one_request_until_that_has_failed() -> None:
    again = message(STORED, "reask-2", NOW + MINUTE)
    assert again["message_id"] == message(STORED, "reask-1", NOW)["message_id"] == failure("m").retry_id
    assert message(STORED | {"_id": again["message_id"]}, "reask-3", NOW)["message_id"] != again["message_id"]


def test_what_was_asked_again_is_summed_up() -> None:
    outcomes = [outcome("a"), outcome("b", verdict="exhausted"), outcome("c", "timeout"), outcome("d", "refused")]
    assert tally(outcomes, 5, 2, 1) == [
        ("asked again", 5),
        ("asked before", 2),
        ("recovered", 2),
        ("  accepted", 1),
        ("  exhausted", 1),
        ("failed again", 2),
        ("  refused", 1),
        ("  timeout", 1),
        ("dead letters", 1),
        ("still open", 2),
    ]


class Running:
    """A runtime of which all runs."""

    def is_up(self) -> bool:
        return True

    def check_settings(self) -> None: ...


class Memory:
    """Results in memory; nothing of them can be asked again."""

    def __init__(self, *outcomes: dict[str, Any]) -> None:
        self._outcomes = outcomes

    def __enter__(self) -> "Memory":
        return self

    def __exit__(self, *_: object) -> None: ...

    def outcomes(self) -> list[dict[str, Any]]:
        return list(self._outcomes)

    def without_texts(self) -> set[str]:
        return {outcome["_id"] for outcome in self._outcomes}


def run(monkeypatch: pytest.MonkeyPatch, store: Memory, folder: Path, **given: str) -> str:
    """Runs the command and returns what it prints."""
    output = io.StringIO()
    monkeypatch.setattr(reask, "_store", lambda _: store)
    monkeypatch.setattr(reask, "console", Console(file=output, width=200, highlight=False, markup=False))
    settings = Settings.from_environment({"DATA_COLLECTED_DIR": str(folder)})
    arguments = argparse.Namespace(options=[f"{name}={value}" for name, value in given.items()])
    reask.reask(Running(), settings, arguments)  # type: ignore[arg-type]
    return output.getvalue()


def test_without_the_name_of_an_error_those_that_there_are_are_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    store = Memory(outcome("m", "timeout"), outcome("nn", "refused", run="[morning]"))
    rows = [line.split() for line in run(monkeypatch, store, tmp_path).splitlines()]
    assert ["timeout", "evening", "1", "1"] in rows
    assert ["refused", "[morning]", "1", "1"] in rows
    assert rows[-1][-3:] == ["make", "reask", "ERRORS=refused,timeout"]
    assert not list(tmp_path.iterdir())


def test_only_what_is_of_a_run_is_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    store = Memory(outcome("m", "timeout"), outcome("nn", "refused", run="morning"))
    assert "timeout" not in run(monkeypatch, store, tmp_path, RUN="morning")
    assert "no question of RUN=night is left" in run(monkeypatch, store, tmp_path, RUN="night")


def test_an_error_that_nothing_ended_in_is_told_from_those_that_there_are(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shown = run(monkeypatch, Memory(outcome("m", "timeout")), tmp_path, ERRORS="timout")
    assert "is left with timout" in shown
    assert "ERRORS=timeout" in shown
    assert "no question is left with an error" in run(monkeypatch, Memory(), tmp_path, ERRORS="timeout")


def test_what_was_too_large_to_be_kept_is_counted_and_not_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    store = Memory(outcome("m", "timeout"), outcome("nn", "timeout"))
    assert "2 cannot be asked again" in run(monkeypatch, store, tmp_path, ERRORS="refused,timeout")
    assert "2 of them cannot be asked again" in run(monkeypatch, store, tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_unknown_option_is_named_with_those_that_are_allowed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(SettingError, match="ERROR is unknown; allowed are ERRORS, RUN"):
        run(monkeypatch, Memory(), tmp_path, ERROR="timeout")
