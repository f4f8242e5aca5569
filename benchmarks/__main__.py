"""Runs scenarios, prints tables, and writes every round as JSON: `make bench SCENARIO=distinct,repeats`."""

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from rich.console import Console

from benchmarks import dataset, tables
from benchmarks.figures import Figures, Rounds, save
from benchmarks.measure import Bench
from benchmarks.scenarios import Scenario, chosen
from benchmarks.turns import Turns
from stack.api import Stack

CORPUS = 5_000
RESULTS = Path("benchmarks/results")


def main() -> None:
    """Measures what the command line names, or everything."""
    parser = argparse.ArgumentParser(prog="make bench", description="Measures a stack of its own, from outside.")
    parser.add_argument("scenarios", type=chosen, help="comma-separated; all if none is named", nargs="?", default="")
    parser.add_argument("--rounds", type=int, help="instead of each scenario's own number")
    parser.add_argument("--output", type=Path, help="the file to write (default: one in benchmarks/results)")
    parser.add_argument(
        "--turns", type=int, metavar="SOCKET", help="wait for a turn before each round: bench-against's"
    )
    options = parser.parse_args()
    console = Console(highlight=False)
    RESULTS.mkdir(exist_ok=True)
    file = options.output or RESULTS / time.strftime("%Y%m%d-%H%M%S.json")
    machine = {"cores": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
    measured: dict[str, Rounds] = {}
    turns = Turns(options.turns)
    for name, rounds in measure(options.scenarios, options.rounds, console, turns):
        measured[name] = rounds
        # At once: what is measured must not be lost with a scenario that fails.
        save(file, machine, measured)
    for table in (tables.speed(measured), tables.cost(measured)):
        console.print(table.rich(), "")
    console.print(f"Written to {file}")


def measure(
    scenarios: Iterable[Scenario], rounds: int | None, console: Console, turns: Turns
) -> Iterator[tuple[str, Rounds]]:
    """Every round of every scenario; those with the same settings share a stack."""
    with tempfile.TemporaryDirectory() as folder:
        corpus = dataset.write(Path(folder) / "corpus.jsonl", CORPUS, seed=0)
        usual = {"QUESTIONS_FILE": str(corpus), "OFFLINE_TRAPS": "0"}
        for environment, together in groupby(scenarios, key=lambda scenario: scenario.environment):
            with Stack(env=usual | dict(environment)) as stack:
                bench = Bench(stack)
                for scenario in together:
                    console.print(f"{scenario.name}: {scenario.says}")
                    yield scenario.name, list(_rounds(scenario, bench, rounds or scenario.rounds, console, turns))
                stack.clean()


def _rounds(scenario: Scenario, bench: Bench, rounds: int, console: Console, turns: Turns) -> Iterator[Figures]:
    for _ in range(rounds):
        with turns:
            figures = scenario.run(bench)
            console.print(f"  {figures.questions_a_second:,.0f} questions/s, {figures.cpu_ms:.2f} ms of CPU a question")
        yield figures


if __name__ == "__main__":
    main()
