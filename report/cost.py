"""Who answered, what that saved, and what it cost."""

from collections.abc import Mapping, Sequence

import numpy as np

from calibration.texts import visible
from pages.plot import Panel, picture, shares_axis
from pages.shares import percent, share_of, whole
from report.finding import SOURCES, dollars
from report.grid import Grid, Value
from report.outcomes import SPENT, Bools, Outcomes
from report.run import Run
from report.section import Section
from report.statistics import count, window_seconds, windows
from report.traffic import time_axis

LOOKS = {"model": "first", "cache": "third", "stored": "fourth", "twin": "second", "no answer": "quiet"}
LAYERS = ("cache", "stored", "twin", "model", "no answer")
"""From the bottom up: what costs nothing first."""


def sources(run: Run) -> Section:
    """Who answered, over time and in all, and what each source's answers are worth."""
    section = Section("Who answered, and the cost")
    of = run.outcomes
    _over_time(section, of)
    section.table("by_source", by_source(of))
    section.say(saved(of))
    _cost(section, of)
    return section


def layers(of: Outcomes) -> dict[str, Bools]:
    """Which outcomes each source answered; every outcome is in one."""
    named = {name: of.source.is_(source) for source, name, _ in SOURCES}
    return {**named, "no answer": ~np.any(list(named.values()), axis=0)}


def by_source(of: Outcomes) -> Grid:
    """Counts, verdicts and scores by source."""
    rows: list[Sequence[Value]] = []
    for name, chosen in layers(of).items():
        if chosen.any():
            scores = of.score[chosen & ~np.isnan(of.score)]
            mean = float(scores.mean()) if len(scores) else None
            accepted = share_of(count(chosen & of.accepted), count(chosen))
            rows.append((name, share_of(count(chosen), len(of)), accepted, mean))
    meanings = "; ".join(f"{name}: {meaning}" for _, name, meaning in SOURCES)
    return Grid(
        f"Outcomes by source. {meanings}", ("source", "of all", "accepted", "mean score"), rows, ("", "", "", ".3f")
    )


def saved(of: Outcomes) -> str:
    """What was not asked of the model, at the cost of what was."""
    reused, asked = count(~of.asked_model), count(of.asked_model)
    if not reused:
        return "No earlier answer was used, so nothing was saved."
    if not asked:
        return f"All {reused:,} questions were served without a call; what that saved is not known here."
    calls = of.attempts[of.asked_model].sum() / asked
    money = of.spent["nanodollars"] / asked
    usd = f" and {dollars(money * reused)}" if money else ""
    return (
        f"{reused:,} questions were served without a call. Had each taken as many attempts as a question that was "
        f"asked of the model ({calls:.2f}), that would be about {calls * reused:,.0f} attempts{usd} more."
    )


def _over_time(section: Section, of: Outcomes) -> None:
    times = np.where(np.isnan(of.asked), of.decided, of.asked)
    start = float(times.min())
    width = window_seconds((float(times.max()) - start) / 1000)
    numbers = windows(times, start, width)
    size = int(numbers.max()) + 1
    totals = np.bincount(numbers, minlength=size)
    chosen = layers(of)
    counts = {name: np.bincount(numbers[chosen[name]], minlength=size) for name in LAYERS if chosen[name].any()}
    hits = share_of(count(~of.asked_model), len(of))
    middle = numbers >= size / 2
    late = share_of(count(middle & ~of.asked_model), count(middle))
    title = f"Served without a call: {whole(hits)} of the questions, {whole(late)} in the second half of the time"
    panel = Panel(time_axis(size * width), shares_axis("share of the window's questions"), height=240, width=395)
    floor = np.zeros(size)
    for name, many in counts.items():
        top = floor + np.divide(many, totals, out=np.zeros(size), where=totals > 0)
        for window in np.flatnonzero(many):
            says = f"from {window * width} s: {name} {many[window]:,} of {totals[window]:,}"
            ends = (window * width, float(floor[window])), ((window + 1) * width, float(top[window]))
            panel.bar(*ends, f"{LOOKS[name]} bar parted", says)
        floor = top
    _beside(panel, {name: float(many[-1] / max(1, totals[-1])) for name, many in counts.items()}, of, chosen)
    rows = [
        (int(w) * width, int(totals[w]), *(int(many[w]) for many in counts.values())) for w in np.flatnonzero(totals)
    ]
    grid = Grid("Outcomes by source over time", ("from s", "n", *counts), rows)
    caption = (
        f"{len(of):,} questions by when they were due, in windows of {width} s. Served without a call: {percent(hits)}."
    )
    drawn = picture(title, "Stacked shares of each source in each window of time.", [panel], 306)
    section.chart("sources_over_time", drawn, caption, grid)


def _beside(panel: Panel, last: Mapping[str, float], of: Outcomes, chosen: Mapping[str, Bools]) -> None:
    """The name of each layer where it ends, none over another."""
    floor, places = 0.0, list[tuple[str, float]]()
    for name, share in last.items():
        places.append((name, floor + share / 2))
        floor += share
    least = 15 / panel.height
    shown: list[float] = []
    for number, (_, middle) in enumerate(places):
        room = 1 - least * (len(places) - 1 - number)
        shown.append(min(max(middle, shown[-1] + least if shown else 0.0), room))
    for (name, _), y in zip(places, shown, strict=True):
        of_all = whole(share_of(count(chosen[name]), len(of)))
        panel.label(f"{name} {of_all}", (panel.x.high, y), (6, 4), look=f"{LOOKS[name]} name")


def _cost(section: Section, of: Outcomes) -> None:
    if not of.by_model:
        section.say(
            f"No real model was asked: {of.spent['calls']:,} calls to the simulated one cost nothing."
            if of.spent["calls"]
            else "No calls to a model are on record."
        )
        return
    accepted = count(of.accepted)
    rows: list[Sequence[Value]] = [
        (visible(model), *(cost[field] for field in SPENT[:3]), cost["nanodollars"] / 1e9)
        for model, cost in sorted(of.by_model.items(), key=lambda pair: -pair[1]["nanodollars"])
    ]
    rows.append(("all", *(of.spent[field] for field in SPENT[:3]), of.spent["nanodollars"] / 1e9))
    columns = ("model", "calls", "tokens sent", "tokens received", "USD")
    section.table(
        "cost_by_model",
        Grid("What the model's servers were asked, failed calls included", columns, rows, ("", "", "", "", ",.6g")),
    )
    if accepted and of.spent["nanodollars"]:
        each = dollars(of.spent["nanodollars"] / accepted)
        about = (
            f" {of.estimated:,} requests are estimates, since a server did not say what it used."
            if of.estimated
            else ""
        )
        section.say(f"{each} for each of the {accepted:,} accepted answers.{about}")
