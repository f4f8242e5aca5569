"""Two revisions are measured in turns, and compared as ratios."""

import os
import sys
from pathlib import Path

import pytest

from benchmarks.turns import Benchmark, TurnsError
from stack.settings import ROOT

MEASURES_TWICE = """
import sys
from benchmarks.turns import Turns

name, journal, number = sys.argv[1], sys.argv[2], sys.argv[3].removeprefix("--turns=")
turns = Turns(int(number))
for _ in range(2):
    with turns, open(journal, "a") as written:
        written.write(f"{name} measures\\n")
with open(journal, "a") as written:
    written.write("a stack stops\\n")
"""


def _benchmark(*arguments: str) -> Benchmark:
    return Benchmark("HEAD~1", [sys.executable, "-c", *arguments], ROOT, os.environ)


def test_neither_side_stops_its_stack_while_the_other_measures(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    with (
        _benchmark(MEASURES_TWICE, "this", str(journal)) as this,
        _benchmark(MEASURES_TWICE, "other", str(journal)) as other,
    ):
        for order in ((this, other), (other, this)):
            for side in order:
                side.wait_until_ready()
            for side in order:
                side.take_turn()
            for side in order:
                side.go_on()
    measured = [f"{name} measures" for name in ("this", "other", "other", "this")]
    assert journal.read_text().splitlines() == [*measured, "a stack stops", "a stack stops"]


def test_a_side_that_has_failed_ends_the_comparison() -> None:
    with pytest.raises(TurnsError, match="HEAD~1 has ended early"), _benchmark("raise SystemExit(1)") as failed:
        failed.wait_until_ready()
    with pytest.raises(TurnsError, match="HEAD~1 has ended early"), _benchmark("raise SystemExit(1)") as failed:
        # It may go before it is spoken to, or while it is waited for.
        failed.take_turn()
    with pytest.raises(TurnsError, match="HEAD~1 has failed"), _benchmark("raise SystemExit(1)"):
        pass
