"""Runs an experiment, or its simulation, and writes the report: `make experiment FILE=experiments/cache.toml`."""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from pymongo.errors import PyMongoError
from rich.console import Console

from calibration.labels import BadLabelsError, Label, decoded, read_csv
from experiments import page, simulation, simulation_page, trial
from experiments.plan import Experiment, read
from experiments.series import go_through
from report.section import Section
from stack.prices import Price, Prices
from stack.settings import ROOT, SettingError, StackError

RESULTS = ROOT / "experiments" / "results"

console = Console(highlight=False, markup=False)


def main() -> None:
    """Runs what the command line names; what goes wrong is told in words, and the exit code is not 0."""
    parser = argparse.ArgumentParser(prog="make experiment", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--simulate", action="store_true", help="the cache alone, without a stack")
    given = parser.parse_args()
    try:
        experiment = read(given.file)
        folder = RESULTS / experiment.name
        made = simulated(experiment, folder) if given.simulate else compared(experiment, folder)
    except (StackError, PyMongoError) as error:
        sys.exit(f"\n{error}")
    except KeyboardInterrupt:
        console.print("\nInterrupted. What is done is kept: the same command goes on from here.")
        sys.exit(130)
    write(folder / ("simulation" if given.simulate else "report"), made)


def compared(experiment: Experiment, folder: Path) -> dict[str, str]:
    """The report of all runs; those that are not kept yet are done."""
    labels, price = _labels(experiment), _price(experiment)
    trial.check(experiment)
    with trial.Trials(experiment, folder, labels) as trials:
        done = list(go_through(trial.jobs(experiment), trials.do, folder / "runs", console))
    return page.files(experiment, page.gather(experiment, done, price), [], _now())


def simulated(experiment: Experiment, folder: Path) -> dict[str, str]:
    """The report of the simulation."""
    if experiment.simulation is None:
        raise SettingError(f"SIMULATE: {experiment.name} has no table simulation, which says what to simulate")
    wanted = simulation.jobs(experiment, experiment.simulation)
    done = list(go_through(wanted, simulation.do, folder / "traces", console))
    section: Section = simulation_page.section(experiment.simulation, done)
    return page.files(experiment, [], [section], _now())


def write(folder: Path, made: dict[str, str]) -> None:
    """Writes every file of a report."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in made.items():
        (folder / name).write_text(text, "utf-8")
    console.print(f"Report   {folder / 'report.html'}", soft_wrap=True)


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"


def _labels(experiment: Experiment) -> list[Label]:
    if experiment.labels is None:
        return []
    try:
        return read_csv(decoded(experiment.labels.read_bytes()))[0]
    except BadLabelsError as error:
        raise SettingError(f"labels={experiment.labels} cannot be used: {error}") from error


def _price(experiment: Experiment) -> Price | None:
    if experiment.price is None:
        return None
    prices = Prices.load()
    price = prices.of(experiment.price)
    if price is None:
        raise SettingError(f"price={experiment.price} is no model in {prices.source}; there are {prices.names}")
    return price


if __name__ == "__main__":
    main()
