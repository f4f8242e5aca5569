"""What went wrong: errors by kind and over time, and questions without an outcome."""

import re

import numpy as np

from calibration.texts import visible
from pages.plot import Axis, Panel, linear_axis, picture
from pages.shares import percent, share_of
from report.grid import Grid
from report.outcomes import NO_NAME
from report.run import Run
from report.section import Section
from report.statistics import count
from report.traffic import time_axis

MOST_KINDS = 12


def section(run: Run) -> Section:
    """Errors by kind, each as a tick at its time."""
    made = Section("Errors and dead letters")
    of = run.outcomes
    _without_outcome(made, run)
    if not of.is_error.any():
        made.say(f"None of the {len(of):,} outcomes is an error.")
        return made
    kinds = [(name, many) for name, many in of.error.counts().items() if name != NO_NAME]
    start, end = run.start_ms, float(np.nanmax(of.decided))
    seconds = max(1.0, (end - start) / 1000)
    shown = kinds[:MOST_KINDS]
    ticks = [(row + 0.5, visible(name)[:18]) for row, (name, _) in enumerate(shown)]
    most = max(many for _, many in shown)
    bars = Panel(
        linear_axis("errors", 0, most, 3), Axis("", len(shown), 0, ticks), left=134, width=130, height=26 * len(shown)
    )
    times = Panel(time_axis(seconds), Axis("", len(shown), 0), left=310, width=230, height=26 * len(shown))
    for row, (name, many) in enumerate(shown):
        bars.bar((0, row + 0.2), (many, row + 0.8), "second bar", f"{visible(name)}: {many:,}")
        bars.label(f"{many:,}", (many, row + 0.5), (5, 4))
        seen = np.unique(np.round((of.decided[of.error.is_(name)] - start) / 1000 / seconds, 2))
        for at in seen:
            times.line((at * seconds, row + 0.2), (at * seconds, row + 0.8), "second")
    failed = share_of(count(of.is_error), len(of))
    title = f"{percent(failed)} had no answer; the most frequent error is {visible(kinds[0][0])}"
    rows = [(name, share_of(many, len(of))) for name, many in kinds]
    caption = f"{failed.hits:,} errors of {len(of):,} outcomes; ticks stand where at least one fell."
    drawn = picture(title, "Bars by kind, and ticks over time.", [bars, times], 26 * len(shown) + 60)
    made.chart("errors", drawn, caption, Grid("Errors by kind", ("error", "of all outcomes"), rows))
    if re.fullmatch(r"\w+", kinds[0][0]):
        made.say(f"make reask ERRORS={kinds[0][0]} asks these again.", class_="small")
    return made


def _without_outcome(made: Section, run: Run) -> None:
    if run.without_outcome is None:
        made.say("How many questions were asked is in the generator's journal, which is not on this machine.")
        return
    missing = max(0, run.without_outcome)
    made.say(
        f"{missing:,} of {run.asked:,} questions that were asked have no outcome: dead letters, or still under way. "
        "make dead-letters counts by reason what could not be handled."
        if missing
        else f"Every one of the {run.asked:,} questions that were asked has its outcome: none is a dead letter."
    )
