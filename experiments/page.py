"""The comparison of an experiment's cells: one page, its charts as SVG and its tables as CSV."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from calibration.texts import visible
from experiments.measures import MEASURES, Columns, Measure, estimates, over_seeds, value
from experiments.plan import Cell, Chart, Experiment
from experiments.series import Document, Job
from pages.html import document, element
from pages.plot import WIDTH, Axis, Panel, as_file, linear_axis, log_axis, picture, shares_axis
from pages.shares import percent, share_of
from report.grid import Grid, Value
from report.section import Section
from report.statistics import Estimate
from stack.prices import Price

LOOKS = ("first", "second", "third", "fourth")
WIDE = 20
"""From this ratio of the largest to the smallest on, an axis is logarithmic."""

METHOD = (
    "Every run had a stack of its own, in a folder of its own, that began without any answer. Runs of one seed ask the "
    "same questions in the same order, wherever the settings of traffic allow it.",
    "Figures are means over the seeds, intervals are 95 %.",
    "Latency counts from when a question was due to its verdict. Where the generator does not wait for answers, a "
    "system that is too slow cannot hide it; in a closed loop (TRAFFIC_DISTRIBUTION=closed) it can. There is no mean "
    "of it.",
)


@dataclass(frozen=True)
class Found:
    """What the runs of one cell found, one a seed."""

    cell: Cell
    runs: Sequence[Document]
    figures: Mapping[str, Estimate]

    @property
    def simulated(self) -> Estimate | None:
        """The share that memory alone serves of the same questions, if it was simulated."""
        shares = [run["simulated"]["hits"] / run["simulated"]["questions"] for run in self.runs if run["simulated"]]
        return over_seeds(shares) if shares else None


def gather(experiment: Experiment, done: Sequence[tuple[Job, Document]], price: Price | None) -> list[Found]:
    """What each cell found."""
    found = []
    for cell in experiment.cells:
        runs = [run for job, run in done if job.definition["cell"] == cell.name]
        columns = [Columns.of(run["outcomes"], price) for run in runs]
        found.append(Found(cell, runs, _figures(experiment, columns)))
    return found


def _figures(experiment: Experiment, columns: Sequence[Columns]) -> Mapping[str, Estimate]:
    if experiment.intervals == "questions":
        return estimates(columns, experiment.measures)
    measures = {name: MEASURES[name] for name in experiment.measures}
    return {
        name: over_seeds([value(of, measure) for of in columns], 1.0 if measure.is_share else math.inf)
        for name, measure in measures.items()
    }


def files(experiment: Experiment, found: Sequence[Found], more: Sequence[Section], made_at: str) -> dict[str, str]:
    """Every file of a report, by its name."""
    sections = ([_cells(experiment, found), _what_was_run(experiment, found)] if found else []) + list(more)
    heading = element("h1", visible(experiment.title))
    text = f"Experiment {experiment.name} · made {made_at} · by Cotejo; charts and tables are files beside this page."
    body = [element("p", text, class_="small"), *(section.drawn() for section in sections)]
    if found:
        method = (*METHOD, _drawn(experiment))
        body += [element("h2", "Method"), *(element("p", text, class_="small") for text in method)]
    page = document(f"Cotejo: {experiment.name}", heading, *body)
    made = {"report.html": page}
    for section in sections:
        made |= {f"{name}.svg": as_file(chart) for name, chart in section.figures.items()}
        made |= {f"{name}.csv": grid.csv() for name, grid in section.grids.items()}
    return made


def _cells(experiment: Experiment, found: Sequence[Found]) -> Section:
    section = Section("Cells")
    section.say(finding(experiment.measures[0], found), class_="finding")
    if experiment.chart:
        _chart(section, experiment.chart, found)
    section.content.append(element("div", table(experiment, found).shown(), class_="wide"))
    section.grids["cells"] = _long(experiment, found)
    return section


def finding(name: str, found: Sequence[Found]) -> str:
    """Between which cells the first measure lies."""
    measure = MEASURES[name]
    known = [one for one in found if one.figures[name].value == one.figures[name].value]
    if not known:
        return f"There is no {measure.title} in these runs."
    low, high = (f(known, key=lambda one: one.figures[name].value) for f in (min, max))
    said = [f"{shown(one.figures[name], measure)} for {one.cell.name}" for one in (low, high)]
    return f"{measure.title[0].upper()}{measure.title[1:]}: from {said[0]}, to {said[1]}."


def shown(estimate: Estimate, measure: Measure) -> str:
    """A figure with its interval, as people read it."""
    if estimate.value != estimate.value:
        return "–"
    value, low, high = (
        format(part, measure.form).replace("%", " %") for part in (estimate.value, estimate.low, estimate.high)
    )
    return f"{value} ({low.removesuffix(' %')} to {high.removesuffix(' %')})"


def table(experiment: Experiment, found: Sequence[Found]) -> Grid:
    """A row for each cell, a column for each measure."""
    names = ["cell", *(MEASURES[name].title for name in experiment.measures)]
    simulated, labels = any(one.simulated for one in found), any(one.runs[0]["agreement"] for one in found)
    names += ["from memory, simulated"] if simulated else []
    names += ["agrees with labels"] if labels else []
    rows: list[Sequence[Value]] = []
    for one in found:
        row: list[Value] = [one.cell.name]
        row += [shown(one.figures[name], MEASURES[name]) for name in experiment.measures]
        if simulated:
            row.append(shown(one.simulated, MEASURES["memory_hits"]) if one.simulated else "–")
        if labels:
            agreement = one.runs[0]["agreement"]
            row.append(percent(share_of(agreement["agree"], agreement["labels"])))
        rows.append(row)
    named_by = ", ".join(dict.fromkeys(name for one in found for name in one.cell.own)) or "nothing that differs"
    caption = f"Means over {len(experiment.seeds)} seeds, with 95 % intervals. Cells are named by {named_by}"
    return Grid(caption, names, rows, fold=False)


def _long(experiment: Experiment, found: Sequence[Found]) -> Grid:
    """A row for each figure, for programs."""
    settings = sorted({name for one in found for name in one.cell.own})
    rows: list[Sequence[Value]] = []
    for one in found:
        own: list[Value] = [one.cell.name, *(one.cell.settings.get(name, "") for name in settings)]
        figures = {**one.figures, **({"simulated_hits": one.simulated} if one.simulated else {})}
        rows += [[*own, name, figure.pairs, *figure[:3]] for name, figure in figures.items()]
    return Grid(experiment.title, ("cell", *settings, "measure", "seeds", "value", "low", "high"), rows)


def _chart(section: Section, chart: Chart, found: Sequence[Found]) -> None:
    measure = MEASURES[chart.measure]
    known = [one for one in found if one.figures[chart.measure].value == one.figures[chart.measure].value]
    if not known:
        return
    over = sorted({float(one.cell.settings[chart.over]) for one in known})
    highs = [one.figures[chart.measure].high for one in known]
    lows = [one.figures[chart.measure].low for one in known]
    panel = Panel(_axis(chart.over, over[0], over[-1]), _measured(measure, min(lows), max(highs)), width=WIDTH - 186)
    lines = list(dict.fromkeys(one.cell.settings.get(chart.lines or "", "") for one in known))
    rows: list[Sequence[Value]] = []
    for number, line in enumerate(lines):
        of = [one for one in known if one.cell.settings.get(chart.lines or "", "") == line]
        of.sort(key=lambda one: float(one.cell.settings[chart.over]))
        points = [(float(one.cell.settings[chart.over]), one.figures[chart.measure]) for one in of]
        draw(panel, points, LOOKS[number % len(LOOKS)], line)
        rows += [(line, at, *estimate[:3]) for at, estimate in points]
    seeds = found[0].figures[chart.measure].pairs
    title = f"{measure.title} by {chart.over}"
    drawn = picture(title, "A line for each value, with its interval.", [panel], 310)
    grid = Grid(title, (chart.lines or "line", chart.over, measure.title, "low", "high"), rows)
    each = f"A line for each {chart.lines}. " if chart.lines else ""
    section.chart("chart", drawn, f"{each}Means over {seeds} seeds; bands are 95 % intervals.", grid)


def draw(panel: Panel, points: Sequence[tuple[float, Estimate]], look: str, name: str) -> None:
    """A line through figures, its band and its name."""
    band = [(at, of.low) for at, of in points] + [(at, of.high) for at, of in reversed(points)]
    panel.area(band, f"band {look}")
    panel.curve([(at, of.value) for at, of in points], look)
    for at, of in points:
        # A band without width does not show.
        panel.line((at, of.low), (at, of.high), "whisker")
        panel.dot((at, of.value), 3, f"{look} dot", f"{name} at {at:g}: {of.value:.4g} ({of.low:.4g} to {of.high:.4g})")
    panel.label(name, (points[-1][0], points[-1][1].value), (6, 4), look=f"{look} name")


def _axis(name: str, low: float, high: float) -> Axis:
    return log_axis(name, low, high) if low > 0 and high / low >= WIDE else linear_axis(name, low, high)


def _measured(measure: Measure, low: float, high: float) -> Axis:
    if measure.is_share:
        return shares_axis(measure.title)
    if low > 0 and high / low >= WIDE:
        return log_axis(measure.title, low, high)
    return linear_axis(measure.title, 0, high)


def _drawn(experiment: Experiment) -> str:
    if experiment.intervals == "seeds":
        return "Intervals are Student's over the seeds, each with one figure: of two seeds they are wide."
    return (
        "Intervals are those of a bootstrap (1,000 draws, seed 1) that draws seeds first, then the questions of each "
        "drawn seed with all requests for them. Of few seeds it shows little of how much seeds differ."
    )


def _what_was_run(experiment: Experiment, found: Sequence[Found]) -> Section:
    section = Section("What was run")
    own = {name for one in found for name in one.cell.own}
    same = {name: value for name, value in found[0].cell.settings.items() if name not in own}
    rows = [(name, value) for name, value in sorted(same.items())]
    section.table("settings", Grid("Settings that all cells share, beside the defaults", ("setting", "value"), rows))
    asked = [run["asked"] for one in found for run in one.runs]
    requests = f"{min(asked):,}" if min(asked) == max(asked) else f"{min(asked):,} to {max(asked):,}"
    questions = f"{experiment.questions:,} made-up questions" if experiment.questions else "the questions of a dataset"
    hashing = [run["machine"]["reference_ms"] for one in found for run in one.runs]
    steal = max(run["machine"]["steal_percent"] for one in found for run in one.runs)
    section.say(
        f"{len(asked)} runs: {len(found)} cells by the seeds {', '.join(map(str, experiment.seeds))}, each "
        f"{requests} requests for {questions}, after {experiment.warm_up:,} others that are not counted. Hashing 64 "
        f"MiB took the machine {min(hashing):.0f} to {max(hashing):.0f} ms before the runs; of its CPU time up to "
        f"{steal:.0f} % went to others meanwhile."
    )
    builds = {run["build"] for one in found for run in one.runs}
    if len(builds) > 1:
        text = f"These runs are of {len(builds)} builds: what differs may come from a change of the program."
        section.say(text, class_="warning")
    runs: list[Sequence[Value]] = [
        (run["run"], run["definition"]["seed"], run["build"], run["asked"], run["seconds"])
        for one in found
        for run in one.runs
    ]
    section.table("runs", Grid("Runs, by their names", ("run", "seed", "build", "asked", "seconds"), runs))
    return section
