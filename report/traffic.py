"""Time: arrivals against what was ordered, and latency."""

from collections.abc import Sequence

import numpy as np

from pages.plot import Axis, Panel, key, linear_axis, log_axis, picture, shares_axis
from report.finding import milliseconds
from report.grid import Grid, Value
from report.outcomes import Floats
from report.run import Journal, Run
from report.section import Section
from report.statistics import cumulative, percentile, window_seconds, windows

SHARES = (50.0, 95.0, 99.0)
RESOLUTION_S = 0.001
"""The journal's times are whole milliseconds."""


def arrivals(run: Run) -> Section:
    """The times between questions against the law that they were drawn from, and the rate over time."""
    section = Section("Arrivals")
    journal = run.journal
    if journal is None or len(journal.scheduled) < 2:
        section.say(
            "When questions were due is in the generator's journal, data_collected/<run>/events.csv, which is not on "
            "this machine or has too few of them."
        )
        return section
    gaps = np.diff(journal.scheduled) / 1000
    _gaps(section, journal, gaps)
    _rate(section, journal)
    return section


def distance(journal: Journal, gaps: Floats) -> float | None:
    """The greatest distance between the shares of the measured gaps and of the law (Kolmogorov and Smirnov)."""
    if journal.law is None:
        return None
    values, counts = np.unique(gaps, return_counts=True)
    # Two times that are cut to milliseconds are up to one millisecond nearer or further than they were.
    law = journal.law.cdf(values + RESOLUTION_S / 2)
    before = journal.law.cdf(np.maximum(values - RESOLUTION_S / 2, 0))
    measured = np.cumsum(counts) / len(gaps)
    below = measured - counts / len(gaps)
    apart = np.abs(measured - law)
    # A law that jumps does so within one of these.
    if journal.law.name != "constant":
        apart = np.maximum(apart, np.abs(below - before))
    return float(apart.max())


def _gaps(section: Section, journal: Journal, gaps: Floats) -> None:
    law, apart = journal.law, distance(journal, gaps)
    chance = 1.36 / np.sqrt(len(gaps))
    ordered = journal.settings.get("TRAFFIC_DISTRIBUTION", "unknown").partition("=")[0]
    if law is None or apart is None:
        title = f"Half of the questions came within {milliseconds(1000 * percentile(gaps, 50))} of the one before"
    else:
        fits = "as chance alone allows" if apart <= chance else f"more than chance alone would ({100 * chance:.1f})"
        title = f"Gaps are at most {100 * apart:.1f} points off the ordered law ({law.name}), {fits}"
    shown = np.maximum(gaps, RESOLUTION_S)
    x = log_axis("time since the question before, s", float(shown.min()), float(shown.max()))
    panel = Panel(x, shares_axis("share of gaps"), height=260)
    if law:
        at = np.geomspace(x.low, x.high, 200)
        panel.curve(zip(at, law.cdf(at), strict=True), "second")
    panel.curve(_steps(cumulative(shown)), "first")
    names = [("measured", "first")] + ([(f"ordered: {law.name}, {1 / law.mean_s:g}/s", "second")] if law else [])
    key(panel, names, 336)
    rows = [
        (share, percentile(gaps, share), law.quantile(share / 100) if law else None)
        for share in (5, 25, 50, 75, 95, 99)
    ]
    grid = Grid("Gaps by share, in seconds", ("% of gaps up to", "measured s", "law s"), rows, ("", ",.3f", ",.3f"))
    caption = f"{len(gaps):,} gaps between questions as they were due, to the millisecond; distribution {ordered}."
    if journal.askers:
        caption += f" {journal.askers} asked, each once it had the outcome of its last question: no law orders that."
    section.chart("arrivals", picture(title, "Cumulative shares of gaps.", [panel], 346), caption, grid)


def _rate(section: Section, journal: Journal) -> None:
    start, span = journal.scheduled[0], (journal.scheduled[-1] - journal.scheduled[0]) / 1000
    width = window_seconds(span)
    counts = np.bincount(windows(journal.scheduled, start, width))
    rates = counts / width
    whole = rates[:-1] if len(rates) > 1 else rates
    least, most = float(whole.min()), float(whole.max())
    law = journal.law
    mean = (len(journal.scheduled) - 1) / span if span else 0.0
    ordered = f", {1 / law.mean_s:g} ordered" if law else ""
    title = f"{mean:,.3g} questions a second over {span:,.3g} s{ordered}; {least:,.3g} to {most:,.3g} by window"
    panel = Panel(
        time_axis(len(counts) * width), linear_axis("questions/s", 0, float(rates.max())), height=180, width=410
    )
    _bars(panel, rates, width, "questions/s")
    if law:
        panel.line((0, 1 / law.mean_s), (panel.x.high, 1 / law.mean_s), "mark")
        panel.label(f"ordered {1 / law.mean_s:g}/s", (panel.x.high, 1 / law.mean_s), (6, 4))
    rows = [(window * width, int(many), many / width) for window, many in enumerate(counts)]
    grid = Grid("Arrivals over time", ("from s", "questions", "questions a second"), rows)
    caption = (
        f"{len(journal.scheduled):,} questions as they were due, in windows of {width} s; the last one may be cut."
    )
    section.chart("arrivals_over_time", picture(title, "Bars of the rate.", [panel], 246), caption, grid)


def latency(run: Run) -> Section:
    """From when a question was due to when Kafka had it, to its verdict, and to the stored outcome."""
    section = Section("Latency")
    of = run.outcomes
    hops = _hops(run)
    if "decided" not in hops:
        section.say("These outcomes do not say when their questions were due, so there is no latency.")
        return section
    _by_hop(section, hops, run.journal.askers if run.journal else None)
    known = ~np.isnan(of.asked) & ~np.isnan(of.latency_ms)
    _over_time(section, of.asked[known], of.latency_ms[known])
    return section


def _hops(run: Run) -> dict[str, Floats]:
    """Milliseconds from when a question was due, by how far it had come."""
    of = run.outcomes
    found = {"acknowledged": run.journal.acknowledged} if run.journal else {}
    found |= {"decided": of.latency_ms, "stored": of.stored - of.asked}
    known = {name: values[~np.isnan(values)] for name, values in found.items()}
    return {name: values for name, values in known.items() if len(values)}


def _what_latency_says(askers: str | None) -> str:
    if askers is None:
        return "a slow system cannot hide by making its questions wait."
    return (
        f"that is when one of {askers} askers had the outcome of its last question. A slow system is asked less then, "
        "and people who come at times of their own would wait longer."
    )


def _by_hop(section: Section, hops: dict[str, Floats], askers: str | None) -> None:
    decided = hops["decided"]
    half, most = (percentile(decided, share) for share in (50, 99))
    title = f"Half of the verdicts fell within {milliseconds(half)}, 99 % within {milliseconds(most)}"
    low, high = (max(1.0, float(f([f(values) for values in hops.values()]))) for f in (np.min, np.max))
    x = log_axis("ms from when the question was due", low, max(high, 2 * low))
    panel = Panel(x, shares_axis("share of questions"), top=24, height=280)
    looks = {"acknowledged": "third", "decided": "first", "stored": "second"}
    for name, values in hops.items():
        panel.curve(_steps(cumulative(np.maximum(values, 1))), looks[name])
    for share, down in zip(SHARES, (4, 14, -8), strict=True):
        at = (max(1.0, percentile(decided, share)), share / 100)
        panel.dot(at, 4, "first dot")
        panel.label(f"p{share:g} {milliseconds(at[0])}", at, (-8, down), "end", "first name")
    named = {"acknowledged": "in Kafka", "decided": "decided", "stored": "stored"}
    key(panel, [(named[name], looks[name]) for name in hops], 366)
    rows: list[Sequence[Value]] = []
    for name, values in hops.items():
        rows.append((named[name], len(values), *(percentile(values, share) for share in SHARES), float(values.max())))
    columns = ("hop", "n", "p50 ms", "p95 ms", "p99 ms", "longest ms")
    grid = Grid("Milliseconds from when the question was due", columns, rows, ("", "", *[",.0f"] * 4))
    caption = f"{len(decided):,} decided questions, each counted from when it was due and not from when it was sent: "
    caption += _what_latency_says(askers)
    section.chart("latency", picture(title, "Cumulative shares of latencies.", [panel], 376), caption, grid)


def _over_time(section: Section, asked: Floats, latencies: Floats) -> None:
    start = asked.min()
    width = window_seconds((asked.max() - start) / 1000)
    numbers = windows(asked, start, width)
    order = np.argsort(numbers, kind="stable")
    used, begins = np.unique(numbers[order], return_index=True)
    parts = np.split(latencies[order], begins[1:])
    p50, p99 = ([max(1.0, percentile(part, share)) for part in parts] for share in (50, 99))
    end = float((used[-1] + 1) * width)
    middles = [(number + 0.5) * width for number in used]
    worst = int(np.argmax(p99))
    title = f"p99 was worst, {milliseconds(p99[worst])}, in the {width} s from {used[worst] * width:,} s on"
    high = log_axis("latency, ms", 0.8 * min(p50), max(*p99, 2 * min(p50)))
    upper = Panel(time_axis(end, named=False), high, height=190, width=450)
    for name, values, look, down in (("p50", p50, "first", 12), ("p99", p99, "second", -4)):
        upper.curve(zip(middles, values, strict=True), look)
        upper.dot((middles[-1], values[-1]), 3, f"{look} dot")
        upper.label(name, (end, values[-1]), (6, down), look=f"{look} name")
    rates = np.array([len(part) / width for part in parts])
    lower = Panel(time_axis(end), linear_axis("asked/s", 0, float(rates.max()), 3), top=238, height=80, width=450)
    for number, rate in zip(used, rates, strict=True):
        says = f"from {number * width} s: {rate:,.3g}/s"
        lower.bar((number * width, 0), ((number + 1) * width, float(rate)), "quiet bar", says)
    rows = [(int(n) * width, len(p), *(percentile(p, s) for s in (50, 99))) for n, p in zip(used, parts, strict=True)]
    grid = Grid("Latency over time", ("from s", "n", "p50 ms", "p99 ms"), rows, ("", "", ",.0f", ",.0f"))
    caption = (
        f"{len(latencies):,} questions by when they were due, in windows of {width} s. There is no mean here: it hides "
        "the slow ones."
    )
    drawn = picture(title, "Percentiles of latency above, arrivals below, over the same time.", [upper, lower], 384)
    section.chart("latency_over_time", drawn, caption, grid)


def time_axis(seconds: float, *, named: bool = True) -> Axis:
    """From the first question on, in seconds, minutes or hours."""
    unit, name = next((u, n) for u, n in ((3600, "h"), (60, "min"), (1, "s")) if seconds >= 3 * u or u == 1)
    axis = linear_axis("", 0, seconds / unit, 6)
    ticks = [(value * unit, text) for value, text in axis.ticks if value * unit <= seconds]
    return Axis(f"time since the first question, {name}" if named else "", 0.0, seconds, ticks)


def _bars(panel: Panel, values: Floats, width: int, unit: str) -> None:
    for number, value in enumerate(values):
        says = f"from {number * width} s: {value:,.3g} {unit}"
        panel.bar((number * width, 0), ((number + 1) * width, float(value)), "first bar", says)


def _steps(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """A cumulative share from 0 on."""
    return [(points[0][0], 0.0), *points] if points else []
