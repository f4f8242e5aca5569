"""Measures this revision and another in alternation on one machine: `make bench-against REV=… SCENARIO=… ROUNDS=5`."""

import argparse
import math
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from rich.console import Console
from scipy import stats

from benchmarks.figures import Figures, Rounds, load
from benchmarks.scenarios import SCENARIOS
from benchmarks.tables import Table
from stack.settings import ROOT

FOLDER = ROOT / ".tools" / "against"
USUAL = "distinct,repeats,calm,failing"
CONFIDENCE = 0.95

RATIOS: dict[str, Callable[[Figures], float]] = {
    "questions/s": lambda figures: figures.questions_a_second,
    "CPU ms": lambda figures: figures.cpu_ms,
    "decided p50": lambda figures: figures.decided_ms["p50"],
    "decided p99": lambda figures: figures.decided_ms["p99"],
}


def main() -> None:
    """Builds the other revision beside this one, and measures both with the code of this one."""
    parser = argparse.ArgumentParser(prog="make bench-against", description=__doc__)
    parser.add_argument("revision")
    parser.add_argument("--scenarios", default=USUAL, help=f"comma-separated, of {', '.join(SCENARIOS)}")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured")
    options = parser.parse_args()
    console = Console(highlight=False)
    other = checkout(options.revision, console)
    measured: tuple[dict[str, list[Figures]], ...] = ({}, {})
    for number in range(options.rounds):
        # Each is first as often as second: what the machine does meanwhile must not favour one.
        for side in ((0, 1), (1, 0))[number % 2]:
            place = (other, ROOT)[side]
            console.print(f"round {number + 1}, {(options.revision, 'this one')[side]}")
            for name, rounds in _measure(place, options.scenarios).items():
                measured[side].setdefault(name, []).extend(rounds)
    console.print(ratios(*measured).rich())


def checkout(revision: str, console: Console) -> Path:
    """A checkout of the revision in a folder of its own, built."""
    named = subprocess.run(
        ["git", "rev-parse", "--short", "--verify", f"{revision}^{{commit}}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if named.returncode:
        sys.exit(f"REV={revision} is no revision of this repository")
    place = FOLDER / named.stdout.strip()
    if not place.exists():
        subprocess.run(["git", "clone", "--quiet", "--no-checkout", str(ROOT), str(place)], check=True)
        subprocess.run(["git", "checkout", "--quiet", named.stdout.strip()], cwd=place, check=True)
    console.print(f"building {revision} in {place.relative_to(ROOT)}")
    subprocess.run(["make", "--no-print-directory", "development", "setup"], cwd=place, env=_environment(), check=True)
    return place


def _measure(place: Path, scenarios: str) -> dict[str, Rounds]:
    """One round of each scenario with the code of a checkout, measured by this one's."""
    only_this = FOLDER / "path"
    only_this.mkdir(parents=True, exist_ok=True)
    link = only_this / "benchmarks"
    if not link.is_symlink():
        link.symlink_to(ROOT / "benchmarks")
    output = FOLDER / "round.json"
    # -P: the checkout's own benchmarks must not be found first.
    python = str(place / ".tools/venv/bin/python")
    command = [python, "-P", "-m", "benchmarks", scenarios, "--rounds=1", f"--output={output}"]
    environment = _environment() | {"PYTHONPATH": f"{only_this}:{place}"}
    subprocess.run(command, cwd=place, env=environment, check=True)
    return load(output)


def _environment() -> dict[str, str]:
    """The environment without what make tells its children of this checkout."""
    mine = {"CARGO_TARGET_DIR", "MAKEFLAGS", "MAKELEVEL", "MFLAGS"}
    return {name: value for name, value in os.environ.items() if name not in mine}


def ratios(other: Mapping[str, Rounds], this: Mapping[str, Rounds]) -> Table:
    """What this revision's figures are to the other's, by scenario, with 95 % intervals."""
    rows = [[name, *(interval(other[name], this[name], figure) for figure in RATIOS.values())] for name in this]
    return Table(("this one / the other", *RATIOS), rows)


def interval(other: Rounds, this: Rounds, figure: Callable[[Figures], float]) -> str:
    """The ratio of a figure in paired rounds: its geometric mean, and Student's interval of its logarithm."""
    logs = [math.log(figure(now) / figure(then)) for then, now in zip(other, this, strict=True)]
    middle = math.exp(sum(logs) / len(logs))
    if len(logs) < 2 or len(set(logs)) == 1:
        return f"{middle:.2f}"
    bounds = stats.ttest_1samp(logs, 0).confidence_interval(CONFIDENCE)
    return f"{middle:.2f} ({math.exp(bounds.low):.2f}–{math.exp(bounds.high):.2f})"


if __name__ == "__main__":
    main()
