"""What `make runs` says of a run."""

from datetime import UTC, datetime

import pytest
from rich.console import Console

from stack import runs
from stack.runs import row

TIME = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NOTHING = {"sum": 0, "count": 0}


def test_a_run_is_told_with_its_shares_its_means_and_its_cost() -> None:
    spent = {"calls": 13, "nanodollars": 420_000, "by_model": {"a": {"name": "small"}, "b": {"name": "large"}}}
    run = {"_id": "run:demo", "run": "demo", "decided": 8, "accepted": 6, "exhausted": 1, "errors": 1, "spent": spent}
    means = {"score": {"sum": 3_500_000, "count": 7}, "latency_ms": {"sum": 9_000, "count": 8}}
    told = row(run | means | {"began_at": TIME, "updated_at": TIME})
    assert told[:2] == ["demo", "03-01 12:00"]
    assert told[2:] == ["8", "6 (75%)", "1", "1", "0.50", "1,125", "13", "$0.00042", "large, small"]


def test_a_run_without_an_outcome_has_no_means_and_divides_by_nothing() -> None:
    run = {"_id": "runs:other", "decided": 0, "accepted": 0, "exhausted": 0, "errors": 0}
    told = row(run | {"score": NOTHING, "latency_ms": NOTHING, "began_at": TIME, "updated_at": TIME})
    assert told[0] == "(further runs)"
    assert told[2:] == ["0", "0", "0", "0", "–", "–", "0", "$0", "–"]


@pytest.mark.parametrize(("width", "last"), [(80, "ms"), (120, "models")])
def test_a_name_is_in_one_piece_in_a_narrow_terminal_and_what_does_not_fit_is_named(
    width: int, last: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "20261130-110122-939871"
    means = {"score": NOTHING, "latency_ms": NOTHING, "began_at": TIME}
    console = Console(width=width, force_terminal=True, color_system=None)
    monkeypatch.setattr(runs, "console", console)
    with console.capture() as captured:
        runs.show([{"run": name, "decided": 200, "accepted": 170, "exhausted": 30, "errors": 0} | means])
    heading, line, *said = captured.get().splitlines()
    assert line.split()[0] == name
    assert heading.split()[-1] == last
    assert ("A wider terminal also shows calls, cost, models." in said) == (last != "models")
