"""What is spent and held is shown, and what a killed replica held can be given back."""

import argparse
import io
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from stack import budget
from stack.settings import SettingError, Settings

NOW = datetime.now(UTC)


def lease(replica: str, nanodollars: int, silent_s: int = 3600) -> dict[str, Any]:
    seen_at = datetime.now(UTC) - timedelta(seconds=silent_s)
    held = {"nanodollars": nanodollars, "tokens": 7}
    return {"replica": replica, "held": held, "since": NOW, "seen_at": seen_at, "sequence": 3}


def document(**leases: dict[str, Any]) -> dict[str, Any]:
    spent = {"nanodollars": 4_980_000_000, "tokens": 1234}
    return {"_id": "global", "version": 5, "started_at": NOW, "spent": spent, "leases": leases}


class Memory:
    """A store in memory; before the first change a replica comes first."""

    def __init__(self, stored: dict[str, Any] | None) -> None:
        self.stored = stored
        self.is_first = True

    def __enter__(self) -> "Memory":
        return self

    def __exit__(self, *_: object) -> None: ...

    def read(self) -> dict[str, Any] | None:
        return self.stored

    def replace(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
        if self.is_first:
            assert self.stored
            self.is_first = False
            self.stored = {
                **self.stored,
                "version": self.stored["version"] + 1,
                "spent": {"nanodollars": 5 * 10**9, "tokens": 1},
            }
            return False
        self.stored = {**new, "version": old["version"] + 1}
        return True


def run(store: Memory, monkeypatch: pytest.MonkeyPatch, command: str = "budget", **given: str) -> str:
    """Runs a command and returns what it prints."""
    output = io.StringIO()
    monkeypatch.setattr(budget, "_store", lambda *_: store)
    monkeypatch.setattr(budget, "console", Console(file=output, width=200, highlight=False))
    options = [f"{name}={value}" for name, value in given.items()]
    run_command = budget.budget if command == "budget" else budget.budget_reset
    settings = Settings.from_environment({"LLM_BUDGET_USD": "5"})
    run_command(None, settings, argparse.Namespace(options=options))  # type: ignore[arg-type]
    return output.getvalue()


def test_the_limit_what_is_spent_and_who_holds_how_much_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = run(Memory(document(a=lease("llm-consumer-2", 15_000_000))), monkeypatch)
    rows = {line.split()[0]: line.split()[1:] for line in shown.splitlines()}
    assert rows["limit"] == ["$5", "none"]
    assert rows["spent"] == ["$4.98", "1,234"]
    assert rows["held"] in (["$0.015", "7"], ["by", "dollars", "tokens", "since", "last", "heard", "of"])
    assert rows["left"] == ["$0.005", "none"]
    assert rows["llm-consumer-2"][0] == "$0.015"
    assert "make budget RELEASE=all" in shown


def test_a_budget_that_nobody_used_is_not_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Nothing was spent" in run(Memory(None), monkeypatch)
    assert "Nothing was spent" in run(Memory(None), monkeypatch, "budget-reset")
    assert "Nothing was spent" in run(Memory(None), monkeypatch, RELEASE="all")


@pytest.mark.parametrize("wanted", ["all", "killed", "id_of_killed"])
def test_what_a_killed_replica_held_is_released_and_what_was_booked_meanwhile_stays(
    wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Memory(document(id_of_killed=lease("killed", 10), living=lease("living", 20, silent_s=5)))
    shown = run(store, monkeypatch, RELEASE=wanted)
    assert "$0.00000001 and 7 tokens, held by killed" in shown
    assert store.stored
    assert list(store.stored["leases"]) == ["living"]
    assert store.stored["spent"]["nanodollars"] == 5 * 10**9
    assert store.stored["version"] == 7


def test_what_a_living_replica_holds_is_not_released(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Memory(document(a=lease("living", 20, silent_s=5)))
    for wanted in ("living", "all"):
        with pytest.raises(SettingError, match="heard from within the last 60 seconds"):
            run(store, monkeypatch, RELEASE=wanted)


def test_a_replica_that_holds_nothing_is_named_with_those_that_do(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Memory(document(a=lease("one", 20), b=lease("two", 20)))
    with pytest.raises(SettingError, match="RELEASE=three holds nothing; allowed are all, one, two"):
        run(store, monkeypatch, RELEASE="three")


def test_a_new_budget_begins_at_zero_after_the_old_one_was_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Memory(document(a=lease("one", 20)))
    shown = run(store, monkeypatch, "budget-reset")
    assert "$4.98" in shown
    assert "thrown away" in shown
    assert store.stored
    assert store.stored["spent"] == {"nanodollars": 0, "tokens": 0}
    assert store.stored["leases"] == {}
    assert store.stored["version"] == 7


@pytest.mark.parametrize(
    ("nanodollars", "written"), [(0, "$0"), (5 * 10**9, "$5"), (1_234_500_000_000, "$1,234.50"), (42_000, "$0.000042")]
)
def test_money_is_written_as_people_write_it(nanodollars: int, written: str) -> None:
    assert budget.dollars(nanodollars) == written


@pytest.mark.parametrize("value", ["much", "NaN", "Infinity"])
def test_a_limit_that_is_no_number_is_named(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "_store", lambda *_: Memory(None))
    settings = Settings.from_environment({"LLM_BUDGET_USD": value})
    with pytest.raises(SettingError, match=f"LLM_BUDGET_USD={value}"):
        budget.budget(None, settings, argparse.Namespace(options=[]))  # type: ignore[arg-type]
