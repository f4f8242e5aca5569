"""Measures this revision and another in alternation on one machine: `make bench-against REV=… SCENARIO=… ROUNDS=5`."""

import argparse
import math
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import product
from pathlib import Path

from rich.console import Console
from scipy import stats

from benchmarks.figures import Figures, Rounds, load
from benchmarks.scenarios import SCENARIOS, Scenario, chosen
from benchmarks.tables import PARTS, Table, cpu_of
from benchmarks.turns import Benchmark, TurnsError
from stack.settings import ROOT

FOLDER = ROOT / ".tools" / "against"
USUAL = "distinct,repeats,calm,failing"
CONFIDENCE = 0.95

Figure = Callable[[Figures], float]

RATIOS: dict[str, Figure] = {
    "questions/s": lambda figures: figures.questions_a_second,
    "CPU ms": lambda figures: figures.cpu_ms,
    "decided p50": lambda figures: figures.decided_ms["p50"],
    "decided p99": lambda figures: figures.decided_ms["p99"],
}
CPU_MS: dict[str, Figure] = {title: partial(cpu_of, parts=parts) for title, parts in PARTS.items()}


def main() -> None:
    """Builds the other revision beside this one, and measures both with the code of this one."""
    parser = argparse.ArgumentParser(prog="make bench-against", description=__doc__)
    parser.add_argument("revision")
    parser.add_argument("--scenarios", type=chosen, default=USUAL, help=f"comma-separated, of {', '.join(SCENARIOS)}")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured")
    options = parser.parse_args()
    console = Console(highlight=False)
    sides = {options.revision: checkout(options.revision, console), "this one": ROOT}
    try:
        measured = alternate(sides, options.scenarios, options.rounds, console)
    except TurnsError as error:
        sys.exit(str(error))
    console.print(ratios("this one / the other", RATIOS, *measured).rich(), "")
    console.print(ratios("CPU, this one / the other", CPU_MS, *measured).rich())


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


def alternate(
    sides: Mapping[str, Path], scenarios: Sequence[Scenario], rounds: int, console: Console
) -> list[dict[str, Rounds]]:
    """The rounds of each side, by scenario.

    Both stacks stand beside each other, so that a round follows the other's within seconds: how much a shared machine
    can do changes from minute to minute. What the one that waits does takes from the other's speed.
    """
    outputs = [FOLDER / f"rounds-{number}.json" for number, _ in enumerate(sides)]
    names = ",".join(scenario.name for scenario in scenarios)
    with ExitStack() as until:
        both = [
            (name, until.enter_context(_benchmark(name, place, [names, f"--rounds={rounds}", f"--output={output}"])))
            for (name, place), output in zip(sides.items(), outputs, strict=True)
        ]
        for number, (scenario, count) in enumerate(product(scenarios, range(1, rounds + 1))):
            for _, benchmark in both:
                benchmark.wait_until_ready()
            # Each is first as often as second: what the machine does meanwhile must not favour one.
            for name, benchmark in both if number % 2 else reversed(both):
                console.print(f"{scenario.name}, round {count}, {name}")
                benchmark.take_turn()
            for _, benchmark in both:
                benchmark.go_on()
    return [load(output) for output in outputs]


def _benchmark(name: str, place: Path, arguments: Sequence[str]) -> Benchmark:
    """The benchmarks of this checkout, with the stack of another."""
    only_this = FOLDER / "path"
    only_this.mkdir(parents=True, exist_ok=True)
    link = only_this / "benchmarks"
    if not link.is_symlink():
        link.symlink_to(ROOT / "benchmarks")
    # -P: the checkout's own benchmarks must not be found first.
    command = [str(place / ".tools/venv/bin/python"), "-P", "-m", "benchmarks", *arguments]
    return Benchmark(name, command, place, _environment() | {"PYTHONPATH": f"{only_this}:{place}"})


def _environment() -> dict[str, str]:
    """The environment without what make tells its children of this checkout."""
    mine = {"CARGO_TARGET_DIR", "MAKEFLAGS", "MAKELEVEL", "MFLAGS"}
    return {name: value for name, value in os.environ.items() if name not in mine}


def ratios(title: str, figures: Mapping[str, Figure], other: Mapping[str, Rounds], this: Mapping[str, Rounds]) -> Table:
    """What this revision's figures are to the other's, by scenario, with 95 % intervals."""
    rows = [[name, *(interval(other[name], this[name], figure) for figure in figures.values())] for name in this]
    return Table((title, *figures), rows)


def interval(other: Rounds, this: Rounds, figure: Figure) -> str:
    """The ratio of a figure in paired rounds: its geometric mean, and Student's interval of its logarithm.

    Empty where the figure of a round is 0: what runs once in a while may not have run.
    """
    if not all(map(figure, (*other, *this))):
        return ""
    logs = [math.log(figure(now) / figure(then)) for then, now in zip(other, this, strict=True)]
    middle = math.exp(sum(logs) / len(logs))
    if len(logs) < 2 or len(set(logs)) == 1:
        return f"{middle:.2f}"
    bounds = stats.ttest_1samp(logs, 0).confidence_interval(CONFIDENCE)
    return f"{middle:.2f} ({math.exp(bounds.low):.2f}–{math.exp(bounds.high):.2f})"


if __name__ == "__main__":
    main()
