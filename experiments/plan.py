"""A file that describes an experiment, read and checked before anything starts."""

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from experiments.measures import MEASURES
from experiments.table import Table
from stack.checks import OF_PLACES, SECRET, names, names_of_traffic
from stack.settings import ROOT, SettingError

GIVEN = {
    **dict.fromkeys(("TRAFFIC_SEED", "OFFLINE_SEED"), "`seeds` gives it"),
    "TRAFFIC_RUN": "each run is named by its settings",
    "TRAFFIC_SOURCE": "`questions` makes questions, or QUESTIONS_FILE names a file of them",
    "RUNTIME": "experiments run as plain processes",
}
"""Settings that an experiment cannot give, and why."""

INTERVALS = ("questions", "seeds")
"""What intervals are over: seeds, then the questions of each; or seeds alone, where it is settled what is popular."""

LONGEST_NAME = 60
MOST_QUESTIONS = 10_000_000


@dataclass(frozen=True)
class Cell:
    """Settings that are compared with others: those that every cell has, and its own."""

    name: str
    own: Mapping[str, str]
    settings: Mapping[str, str]


@dataclass(frozen=True)
class Chart:
    """What is drawn: a measure over a setting that is a number, a line for each value of another setting."""

    measure: str
    over: str
    lines: str | None


@dataclass(frozen=True)
class Simulation:
    """The cache alone: every policy with every size, for each popularity and seed.

    Popularity is Zipf's exponent, 0 for uniform. Of each trace the first `warm_up` questions are not counted.
    """

    seeds: Sequence[int]
    questions: int
    requests: int
    warm_up: int
    policies: Sequence[str]
    sizes: Sequence[int]
    exponents: Sequence[float]


@dataclass(frozen=True)
class Experiment:
    """What a file says.

    `questions` is how many are made up, None for those of QUESTIONS_FILE; `warm_up` how many others are asked before.
    `labels` is a file of verdicts of people, and `price` the model at whose prices tokens are counted.
    """

    name: str
    title: str
    seeds: Sequence[int]
    cells: Sequence[Cell]
    questions: int | None
    warm_up: int
    measures: Sequence[str]
    chart: Chart | None
    labels: Path | None
    price: str | None
    intervals: str
    simulation: Simulation | None


def read(file: Path) -> Experiment:
    """The experiment that a file describes.

    Raises
    ------
    SettingError
        What cannot be used: the key, its value, and what is allowed.
    """
    try:
        said = tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise SettingError(f"FILE={file} cannot be read: {error}") from error
    try:
        return _experiment(file.stem, Table("", said))
    except SettingError as error:
        raise SettingError(f"{file}: {error}") from None


def _experiment(name: str, table: Table) -> Experiment:
    if not re.fullmatch(r"[a-z][a-z0-9_-]*", name):
        raise SettingError(f"the name {name!r} cannot be used; allowed are small letters, digits, '-' and '_'")
    known = _settings_there_are()
    cells = _cells(table, known)
    measures = [table.chosen(f"measures[{place}]", name, MEASURES) for place, name in enumerate(table.list("measures"))]
    if not measures:
        raise SettingError(f"measures is missing; allowed are {', '.join(MEASURES)}")
    experiment = Experiment(
        name=name,
        title=table.text("title"),
        seeds=table.numbers("seeds", 0, 2**63),
        cells=cells,
        questions=table.number("questions", 1, MOST_QUESTIONS) if "questions" in table else None,
        warm_up=table.number("warm_up", 0, MOST_QUESTIONS) if "warm_up" in table else 0,
        measures=measures,
        chart=_chart(table.table("chart"), cells, measures) if "chart" in table else None,
        labels=_file(table, "labels") if "labels" in table else None,
        price=table.text("price") if "price" in table else None,
        intervals=_intervals(table),
        simulation=_simulation(table.table("simulation")) if "simulation" in table else None,
    )
    table.end()
    if experiment.questions and (file := next(filter(None, (c.settings.get("QUESTIONS_FILE") for c in cells)), None)):
        raise SettingError(f"QUESTIONS_FILE={file} and questions={experiment.questions} are both given; allowed is one")
    return experiment


def _cells(table: Table, known: set[str]) -> list[Cell]:
    """Every combination of the grid, with each of the cells that are listed."""
    common = _settings(table.table("settings"), known) if "settings" in table else {}
    grid = table.table("grid") if "grid" in table else Table("grid", {})
    axes = [[(name, value) for value in grid.list(name)] for name in grid]
    grid.end()
    listed = [Table(f"cells[{number}]", cell) for number, cell in enumerate(table.list("cells"))]
    own = []
    for one in listed or [Table("cells", {})]:
        settings = _settings(one, known)
        own += [_settings(Table("grid", dict(chosen)), known) | settings for chosen in product(*axes)]
    if own == [{}] and not common:
        raise SettingError("there are no settings; allowed are the tables settings, grid and cells")
    names = [_name(cell.values()) or "all" for cell in own]
    if twice := {name for name in names if names.count(name) > 1}:
        raise SettingError(f"two cells are called {min(twice)}; allowed are cells that differ")
    return [Cell(name, settings, common | settings) for name, settings in zip(names, own, strict=True)]


def _settings(table: Table, known: set[str]) -> dict[str, str]:
    settings = {}
    for name in table:
        value = table.value(name)
        if name in GIVEN:
            raise SettingError(f"{table.path(name)}={value} cannot be used: {GIVEN[name]}")
        if name not in known:
            near = difflib.get_close_matches(name, known, 3)
            allowed = " or ".join(near) if near else "what `--help` of the services and the README list"
            raise SettingError(f"{table.path(name)}={value} is no setting; allowed is {allowed}")
        if SECRET.search(name):
            raise SettingError(f"{table.path(name)} is a secret: set it in the environment, where no file keeps it")
        if isinstance(value, bool):
            settings[name] = str(value).lower()
        elif isinstance(value, str | int | float):
            settings[name] = str(value)
        else:
            raise SettingError(f"{table.path(name)}={value} cannot be used; allowed is a text or a number")
    table.end()
    return settings


def _settings_there_are() -> set[str]:
    """Those that an outcome may hang on: stacks have places of their own."""
    return ((names() | names_of_traffic()) - OF_PLACES) | {"QUESTIONS_FILE"}


def _name(values: Iterable[str]) -> str:
    """A name for a cell that a run may have, too."""
    return re.sub(r"[^A-Za-z0-9_.]+", "-", "-".join(values)).strip("-.")[:LONGEST_NAME]


def _intervals(table: Table) -> str:
    given = table.text("intervals") if "intervals" in table else INTERVALS[0]
    return table.chosen("intervals", given, INTERVALS)


def _chart(table: Table, cells: Sequence[Cell], measures: Sequence[str]) -> Chart:
    measure = table.chosen("measure", table.text("measure"), measures)
    varied = sorted({name for cell in cells for name in cell.own})
    over = table.chosen("over", table.text("over"), varied)
    for cell in cells:
        try:
            float(cell.settings.get(over, ""))
        except ValueError:
            value = cell.settings.get(over)
            raise SettingError(f"{table.path('over')}={over} is {value} in {cell.name}; allowed are numbers") from None
    lines = table.chosen("lines", table.text("lines"), varied) if "lines" in table else None
    table.end()
    return Chart(measure, over, lines)


def _simulation(table: Table) -> Simulation:
    policies = [table.chosen("policies", name, ("lru", "lfu", "fifo")) for name in table.list("policies")]
    if not policies:
        raise SettingError(f"{table.path('policies')} is empty; allowed are lru, lfu, fifo")
    exponents = table.list("exponents")
    if not exponents or not all(isinstance(value, int | float) and 0 <= value <= 10 for value in exponents):
        raise SettingError(f"{table.path('exponents')}={exponents} cannot be used; allowed are numbers from 0 to 10")
    simulation = Simulation(
        seeds=table.numbers("seeds", 0, 2**63),
        questions=table.number("questions", 1, MOST_QUESTIONS),
        requests=table.number("requests", 1, 1_000_000_000),
        warm_up=table.number("warm_up", 0, 1_000_000_000),
        policies=policies,
        sizes=table.numbers("sizes", 1, MOST_QUESTIONS),
        exponents=[float(value) for value in exponents],
    )
    table.end()
    return simulation


def _file(table: Table, key: str) -> Path:
    path = ROOT / table.text(key)
    if not path.is_file():
        raise SettingError(f"{table.path(key)}={path} is no file")
    return path
