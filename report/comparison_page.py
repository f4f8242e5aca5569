"""The part of the page that compares two runs."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element

import numpy as np

from calibration.texts import cut, visible
from pages.html import element
from pages.plot import Axis, Panel, linear_axis, picture
from pages.shares import percent, share_of
from report.comparison import Comparison, by_subject, changed_most, of_all, sentence, signed
from report.grid import Grid, Value
from report.outcomes import Outcomes
from report.run import Run
from report.section import Section
from report.statistics import FEWEST_PAIRS, MARGIN, RESAMPLES, count

Document = Mapping[str, Any]
Texts = Callable[[Sequence[str]], Mapping[str, Document]]

MOST_CHANGED = 10
FEW = 300
"""Pairs, below which the exact test is to be read first."""


def section(
    found: Comparison, texts: Texts, notes: Sequence[str] = (), as_were: Sequence[Run] | None = None
) -> Section:
    """The verdict in words, what differs, the metrics, and who improved and who got worse; notes stand above all.

    `as_were` are the two runs before they were judged again, if they were.
    """
    made = Section(f"{found.second.shown} against {found.first.shown}")
    one, other = as_were or (found.first, found.second)
    if notes:
        before = f"As they were judged then, {_accepted(one)}, {_accepted(other).replace(' accepted', '', 1)}."
        made.say(f"Not judged alike: {'; '.join(notes[:-1])}. {notes[-1]} {before}", class_="warning")
    for obstacle in found.obstacles:
        made.say(
            f"Not comparable, {obstacle}. Verdicts by two of them are not the same measure: read no difference in what "
            "was accepted, or in scores, as one of the model.",
            class_="warning",
        )
    made.say(sentence(found), class_="finding")
    first, second = found.first.shown, found.second.shown
    only = f"{found.only_first:,} questions only in {first}, {found.only_second:,} only in {second}."
    if not found.questions:
        made.say(only)
        return made
    made.say(f"{only} {_discordant(found)}")
    _reused(made, one, other)
    _settings(made, one, other)
    if len(found.questions) >= FEWEST_PAIRS:
        _metrics(made, found, one, other)
        _subjects(made, found)
    _changed(made, found, texts)
    return made


def _discordant(found: Comparison) -> str:
    counts = (
        f"{found.second.shown} did better on {found.better:,}, worse on {found.worse:,} and the same on {found.same:,}."
    )
    if not found.better + found.worse or found.obstacles:
        return counts
    test = (
        f"Were each as likely, so uneven a split would have p = {found.p_value:.3g} (exact test on those that differ)."
    )
    few = " With so few pairs, read that rather than the interval." if len(found.questions) < FEW else ""
    return f"{counts} {test}{few}"


def _accepted(run: Run) -> str:
    accepted = share_of(count(run.outcomes.accepted), len(run.outcomes))
    return f"{run.shown} accepted {percent(accepted)}"


def _reused(made: Section, one: Run, other: Run) -> None:
    first, second = (count(~run.outcomes.asked_model) for run in (one, other))
    if first + second:
        made.say(
            f"Earlier answers served {second:,} of {len(other.outcomes):,} in {other.shown} and {first:,} of "
            f"{len(one.outcomes):,} in {one.shown}, without a call. They may be those of the other run: what a cache "
            "holds when a run begins is not of its making. For a comparison of models or settings, begin each run on "
            "an empty stack.",
            class_="warning",
        )


def _settings(made: Section, first: Run, second: Run) -> None:
    one, other = described(first), described(second)
    names = [*one, *(name for name in other if name not in one)]
    differ = [(name, one.get(name), other.get(name)) for name in names if one.get(name) != other.get(name)]
    same = len(names) - len(differ)
    grid = Grid(f"What differs ({same} settings are the same)", ("setting", first.shown, second.shown), differ)
    if differ:
        made.table("settings", grid)
    else:
        made.say(f"No setting that is known differs; {same} are the same.")


def described(run: Run) -> dict[str, str]:
    """What is known of how a run was made."""
    of = run.outcomes
    known = {
        "models": ", ".join(sorted(of.model.said())),
        "prompt versions": ", ".join(sorted(of.prompt.said())),
        "model settings": ", ".join(sorted(of.settings.said())),
        "scorers": ", ".join(sorted(of.scorer.said())),
        "thresholds": ", ".join(f"{value:g}" for value in np.unique(of.threshold[~np.isnan(of.threshold)])),
    }
    if run.journal:
        known["seed"] = str(run.journal.record.get("seed"))
        known["dataset"] = str((run.journal.record.get("dataset") or {}).get("sha256"))
        known |= {name: value for name, value in run.journal.settings.items() if name.startswith("TRAFFIC_")}
        known |= {name: str(value) for name, value in run.journal.stack.items()}
    return {name: value for name, value in known.items() if name != "TRAFFIC_RUN"}


def _metrics(made: Section, found: Comparison, one: Run, other: Run) -> None:
    names = (found.first.shown, found.second.shown)
    metrics = [metric for metric in found.metrics if metric.difference.pairs]
    if found.obstacles:
        metrics = [metric for metric in metrics if metric.name in ("no answer", "served without a call")]
    ends = [abs(end) for metric in metrics for end in (metric.difference.low, metric.difference.high)]
    widest = 100 * max([*ends, 2 * MARGIN])
    x = linear_axis(f"{visible(names[1])[:24]} less {visible(names[0])[:24]}, points", -widest, widest, 6)
    ticks = [(row + 0.5, metric.name) for row, metric in enumerate(metrics)]
    panel = Panel(x, Axis("", len(metrics), 0, ticks), left=152, width=352, height=34 * len(metrics))
    panel.bar((-100 * MARGIN, 0), (100 * MARGIN, len(metrics)), "quiet band", f"±{100 * MARGIN:g} points")
    panel.line((0, 0), (0, len(metrics)), "mark")
    for row, metric in enumerate(metrics):
        difference = metric.difference
        panel.line((100 * difference.low, row + 0.5), (100 * difference.high, row + 0.5), "first")
        panel.dot((100 * difference.value, row + 0.5), 4, "first dot", signed(difference.value))
        panel.label(signed(difference.value), (panel.x.high, row + 0.5), (8, 4))
    rows: list[Sequence[Value]] = []
    for metric in metrics:
        said = (found.word or "") if metric.name == "accepted" else ""
        d = metric.difference
        values = (100 * part for part in (metric.first, metric.second, d.value, d.low, d.high))
        rows.append((metric.name, *values, d.pairs, said))
    columns = ("metric", *names, "difference", "from", "to", "questions", "in words")
    caption = "Means over the shared questions, in per cent, and their differences in points"
    grid = Grid(caption, columns, rows, ("", ".1f", ".1f", *["+.1f"] * 3))
    explained = (
        f"{len(found.questions):,} questions that both runs asked, paired by question_id, each counted once; bars are "
        f"95 % intervals of the paired bootstrap ({RESAMPLES:,} draws); shaded is what would not matter, "
        f"±{100 * MARGIN:g} points. An error counts as not accepted. Only the first row is put in words: of several "
        "intervals one excludes 0 by chance."
    )
    title = f"{names[1]} less {names[0]}: {signed(found.main.difference.value)} points accepted"
    title = title if not found.obstacles else f"{names[1]} less {names[0]}: what may be compared"
    drawn = picture(title, "Differences with intervals.", [panel], 34 * len(metrics) + 60)
    made.chart("comparison", drawn, explained, grid, below=True)
    others = [(name, before, after, after - before) for name, before, after in of_all(one, other)]
    caption = "Of all outcomes, not by question, so without intervals"
    made.table("comparison_of_all", Grid(caption, ("metric", *names, "difference"), others))


def _subjects(made: Section, found: Comparison) -> None:
    rows = [(name, d.pairs, 100 * d.value, 100 * d.low, 100 * d.high) for name, d in by_subject(found)]
    if len(rows) > 1 and not found.obstacles:
        columns = ("subject", "questions", "points more accepted", "from", "to")
        caption = "By subject, with 95 % intervals and without words: among so many, some exclude 0 by chance"
        made.table("comparison_by_subject", Grid(caption, columns, rows, ("", "", *["+,.1f"] * 3)))


def _changed(made: Section, found: Comparison, texts: Texts) -> None:
    """Who got worse and who better, each with both answers."""
    if found.obstacles:
        return
    rows: list[Sequence[Value]] = []
    for what, chosen in zip(("Worse", "Better"), changed_most(found, MOST_CHANGED), strict=True):
        both = [_one_each(found, found.questions[number]) for number in chosen]
        known = texts([answer.message_id for pair in both for answer in pair])
        made.content.append(element("h3", f"{what}: the {len(both)} greatest changes" if both else f"{what}: none"))
        for pair in both:
            one, other = (known.get(answer.message_id) for answer in pair)
            if one and other:
                made.content.append(_drawn(found, pair, (one, other)))
                said = [_text(outcome.get("llm_answer")) for outcome in (one, other)]
                scores = [answer.score for answer in pair]
                rows.append((what.lower(), str(one["question_id"]), _text(one.get("title")), *scores, *said))
    first, second = found.first.shown, found.second.shown
    columns = (
        "change",
        "question_id",
        "title",
        f"score {first}",
        f"score {second}",
        f"answer {first}",
        f"answer {second}",
    )
    made.grids["changed_most"] = Grid("", columns, rows)


class _Answer(NamedTuple):
    """One outcome of a run, as it is compared."""

    message_id: str
    verdict: str
    score: float | None


def _one_each(found: Comparison, question: str) -> tuple[_Answer, _Answer]:
    """An outcome of each run that answers a question."""
    return _typical(found.first.outcomes, question), _typical(found.second.outcomes, question)


def _typical(of: Outcomes, question: str) -> _Answer:
    """Of the outcomes of a question that was asked several times, one of the more frequent verdict."""
    rows = np.flatnonzero(of.question.codes == of.question.names.index(question))
    most = np.bincount(of.verdict.codes[rows]).argmax()
    row = int(rows[of.verdict.codes[rows] == most][0])
    score = None if np.isnan(of.score[row]) else float(of.score[row])
    return _Answer(of.ids[row], of.verdict.names[int(most)], score)


def _drawn(found: Comparison, pair: Sequence[_Answer], documents: Sequence[Document]) -> Element:
    first = documents[0]
    question = f"{first.get('title') or ''}\n{first.get('content') or ''}".strip()
    sides = []
    for run, answer, outcome in zip((found.first, found.second), pair, documents, strict=True):
        told = "no answer" if answer.score is None else f"{answer.verdict}, {answer.score:.3f}"
        text = cut(_text(outcome.get("llm_answer")) or "–")
        heading = element("h4", f"{visible(run.name)}: {told}")
        sides.append(element("div", heading, element("div", text, class_="text", dir="auto")))
    reference = element("span", cut(_text(first.get("best_answer")) or "–"), dir="auto")
    return element(
        "article",
        element("p", cut(question), class_="question", dir="auto"),
        element("div", *sides, class_="pair"),
        element("p", "Reference: ", reference, class_="small text"),
    )


def _text(value: object) -> str:
    return "" if value is None else str(value)
