"""How good the answers are: by subject, by attempt, and what asking again gains."""

from collections.abc import Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element

import numpy as np

from calibration.texts import visible
from pages.plot import Axis, Panel, linear_axis, picture, scores_axis, shares_axis
from pages.shares import Share, percent, share_of, whole
from report.finding import dollars
from report.grid import Grid
from report.outcomes import NO_NAME, Floats, Outcomes
from report.run import Run
from report.section import Section
from report.statistics import count

MOST_SUBJECTS = 20
MOST_ATTEMPTS = 4
STEPS = 50
"""Of a score: 0.02 each."""

SUBJECT_LETTERS = 26


class Pairs(NamedTuple):
    """The scores of attempts that were followed by another, and of those that followed."""

    before: Floats
    after: Floats


def outcomes(run: Run) -> Section:
    """By verdict in each subject, the best first."""
    section = Section("Outcomes")
    of = run.outcomes
    found = by_subject(of)
    if set(found) <= {NO_NAME}:
        section.say(
            "The questions of this run name no subject (the dataset's class), so outcomes cannot be told by it."
        )
        return section
    names = list(found)[:MOST_SUBJECTS]
    best, worst = names[0], list(found)[-1]
    title = (
        f"The best subject is {_subject(best)}, the worst {_subject(worst)}: {whole(found[best][0])} and "
        f"{whole(found[worst][0])} accepted"
        if len(names) > 1
        else f"All questions are of subject {_subject(best)}: {whole(found[best][0])} accepted"
    )
    rows = [(_subject(name), shares[0], shares[1].hits, shares[2].hits) for name, shares in found.items()]
    columns = ("subject", "accepted", "not accepted", "no answer")
    grid = Grid("Outcomes by subject, with 95 % intervals", columns, rows)
    left = f" The best {MOST_SUBJECTS} of {len(found):,} are drawn." if len(found) > MOST_SUBJECTS else ""
    caption = (
        f"{len(of):,} outcomes by the dataset's class; whiskers are 95 % intervals (Wilson) of the accepted share. An "
        f"order by what was measured makes the ends look further apart than they are.{left}"
    )
    section.chart("outcomes_by_subject", _subjects(title, [(name, found[name]) for name in names]), caption, grid)
    return section


def by_subject(of: Outcomes) -> dict[str, tuple[Share, Share, Share]]:
    """Accepted, not accepted and without an answer, by subject: the most accepted first."""
    found = {}
    for name in of.subject.names:
        chosen = of.subject.is_(name)
        total = count(chosen)
        verdicts = (count(chosen & of.verdict.is_(verdict)) for verdict in ("accepted", "exhausted", "error"))
        accepted, exhausted, errors = (share_of(hits, total) for hits in verdicts)
        found[name] = (accepted, exhausted, errors)
    return dict(sorted(found.items(), key=lambda pair: (-pair[1][0].value, pair[0])))


def _subjects(title: str, found: Sequence[tuple[str, tuple[Share, Share, Share]]]) -> Element:
    height = 24 * len(found)
    rows = Axis("", len(found), 0, [(row + 0.5, _cut(_subject(name))) for row, (name, _) in enumerate(found)])
    panel = Panel(shares_axis("share of the subject's outcomes"), rows, left=174, top=34, width=310, height=height)
    for row, (name, shares) in enumerate(found):
        start = 0.0
        for share, look, what in zip(shares, ("first", "second", "quiet"), VERDICTS, strict=True):
            if share.hits:
                says = f"{_subject(name)}: {what} {percent(share)}"
                end = min(1.0, start + share.value)
                panel.bar((start, row + 0.15), (end, row + 0.85), f"{look} bar", says)
                start = end
        accepted = shares[0]
        panel.line((accepted.low, row + 0.5), (accepted.high, row + 0.5), "whisker")
        panel.label(f"{whole(accepted)} of {accepted.of:,}", (1, row + 0.5), (6, 4), look="tick")
    for at, anchor, name, look in ((0.0, "start", "accepted", "first"), (1.0, "end", "not accepted", "second")):
        panel.label(name, (at, 0), (0, -8), anchor, f"{look} name")
    if any(shares[2].hits for _, shares in found):
        panel.label("no answer", (0.5, 0), (0, -8), "middle", "quiet name")
    return picture(title, f"{len(found)} bars, the most accepted on top.", [panel], height + 84)


VERDICTS = ("accepted", "not accepted", "no answer")


def scores(run: Run) -> Section:
    """How scores are spread at each attempt, and where the threshold cuts."""
    section = Section("Scores")
    of, threshold = run.outcomes, run.threshold
    attempts = [a for a in range(1, MOST_ATTEMPTS + 1) if (of.history.attempt == a).any()]
    if not attempts:
        section.say("No attempt of the model was scored in this run.")
        return section
    counts = {a: np.histogram(of.history.score[of.history.attempt == a], STEPS, (0, 1))[0] for a in attempts}
    near, total = 0, len(of.history.score)
    if threshold is not None:
        near = count(np.abs(of.history.score - threshold) < 0.05)
    title = (
        f"Within 0.05 of the threshold {threshold:g} are {whole(share_of(near, total))} of the scores"
        if threshold is not None
        else "How the scores of the attempts are spread"
    )
    highest = max(int(c.max()) for c in counts.values())
    panels = []
    for row, attempt in enumerate(attempts):
        x = scores_axis("score" if attempt == attempts[-1] else "")
        panel = Panel(x, linear_axis("answers", 0, highest, 3), top=24 + row * 128, height=84)
        for step, many in enumerate(counts[attempt]):
            if many:
                says = f"{step / STEPS:.2f} to {(step + 1) / STEPS:.2f}: {many:,}"
                panel.bar((step / STEPS, 0), ((step + 1) / STEPS, float(many)), "first bar", says)
        if threshold is not None:
            panel.line((threshold, 0), (threshold, panel.y.high), "mark")
        what = f"attempt {attempt} · {int(counts[attempt].sum()):,} answers"
        panel.label(what, (0, panel.y.high), (2, -6))
        if threshold is not None and not row:
            panel.label(f"threshold {threshold:g}", (threshold, panel.y.high), (4, 10))
        panels.append(panel)
    rows = [(a, s / STEPS, (s + 1) / STEPS, int(m)) for a in attempts for s, m in enumerate(counts[a]) if m]
    grid = Grid("Scores by attempt", ("attempt", "from", "to", "answers"), rows, ("", ".2f", ".2f"))
    caption = f"{total:,} scored attempts of {len(np.unique(of.history.request)):,} requests, in steps of 0.02."
    description = "One histogram of scores for each attempt, on the same scales."
    drawn = picture(title, description, panels, 24 + len(attempts) * 128 + 16)
    section.chart("scores_by_attempt", drawn, caption, grid)
    return section


def asking_again(run: Run) -> Section:
    """Whether a next attempt is better, and what one more accepted answer costs."""
    section = Section("What asking again gained")
    pairs = consecutive(run.outcomes)
    if len(pairs.before):
        _scatter(section, pairs, run.threshold)
    else:
        section.say("No question was asked of the model a second time.")
    _up_to(section, run)
    return section


def consecutive(of: Outcomes) -> Pairs:
    """The scores of attempt n and n + 1 of one request, for every n."""
    history = of.history
    follows = (history.request[1:] == history.request[:-1]) & (history.attempt[1:] == history.attempt[:-1] + 1)
    return Pairs(history.score[:-1][follows], history.score[1:][follows])


def _scatter(section: Section, pairs: Pairs, threshold: float | None) -> None:
    better = share_of(count(pairs.after > pairs.before), len(pairs.before))
    grid_counts, _, _ = np.histogram2d(pairs.before, pairs.after, STEPS, ((0, 1), (0, 1)))
    panel = Panel(scores_axis("score of attempt n"), scores_axis("score of attempt n + 1"), height=380)
    panel.line((0, 0), (1, 1), "quiet")
    panel.label("no change", (0.9, 0.9), (-10, -8), "end", "quiet-text")
    most = grid_counts.max()
    rows = []
    for column, row in np.argwhere(grid_counts):
        many = int(grid_counts[column, row])
        x, y = (column + 0.5) / STEPS, (row + 0.5) / STEPS
        rows.append((column / STEPS, row / STEPS, many))
        panel.dot(
            (x, y),
            round(1.8 + 4.2 * float(np.sqrt(many / most)), 1),
            "first dot faint",
            f"{many:,} at {x:.2f}, {y:.2f}",
        )
    mended = ""
    if threshold is not None:
        panel.line((threshold, 0), (threshold, 1), "mark")
        panel.line((0, threshold), (1, threshold), "mark")
        passed = share_of(
            count((pairs.before < threshold) & (pairs.after >= threshold)), count(pairs.before < threshold)
        )
        mended = f"; {whole(passed)} of the failed ones passed the next time" if passed.of else ""
        _quadrants(panel, pairs, threshold)
    title = f"The next attempt scored higher in {whole(better)} of {better.of:,} cases{mended}"
    columns = ("score from", "next score from", "cases")
    grid = Grid("Scores of consecutive attempts, in steps of 0.02", columns, rows, (".2f", ".2f"))
    caption = (
        f"{better.of:,} pairs of consecutive attempts; the larger a dot, the more pairs. Higher in {percent(better)}. "
        "A low score is followed by a higher one also by chance alone."
    )
    description = "Score of an attempt against the score of the next, with the diagonal, the threshold and counts."
    section.chart("asking_again", picture(title, description, [panel], 446), caption, grid)


def _quadrants(panel: Panel, pairs: Pairs, threshold: float) -> None:
    for is_after, y, down in ((True, 1.0, 14), (False, 0.0, -8)):
        for is_before, x, shift, anchor in ((False, 0.0, 6, "start"), (True, 1.0, -6, "end")):
            chosen = ((pairs.after >= threshold) == is_after) & ((pairs.before >= threshold) == is_before)
            if many := count(chosen):
                panel.label(f"{many:,} {'pass' if is_after else 'fail'} next", (x, y), (shift, down), anchor)


def _up_to(section: Section, run: Run) -> None:
    """The share accepted by the attempt that was the last needed, and what each further one costs."""
    of = run.outcomes
    asked = of.asked_model
    total, most = count(asked), int(of.attempts[asked].max(initial=0))
    if not total or not most:
        return
    steps = [share_of(count(asked & of.accepted & (of.attempts <= attempt)), total) for attempt in range(1, most + 1)]
    attempts = int(of.attempts[asked].sum())
    each = of.spent["nanodollars"] / attempts
    rows, before = [], 0
    for attempt, share in enumerate(steps, 1):
        tried, gained = count(asked & (of.attempts >= attempt)), share.hits - before
        more = tried / gained if gained else None
        rows.append((attempt, share, tried, gained, more, *([more and dollars(each * more)] if each else [])))
        before = share.hits
    gain = 100 * (steps[-1].value - steps[0].value)
    title = (
        f"Asking up to {most} times accepts {gain:.0f} points more than asking once"
        if most > 1
        else f"One attempt accepts {whole(steps[0])}"
    )
    x = Axis("attempts allowed", 0.5, most + 0.5, [(attempt, str(attempt)) for attempt in range(1, most + 1)])
    panel = Panel(x, shares_axis("accepted"), height=220)
    panel.curve([(attempt, share.value) for attempt, share in enumerate(steps, 1)], "first")
    for attempt, share in enumerate(steps, 1):
        panel.line((attempt, share.low), (attempt, share.high), "first")
        panel.dot((attempt, share.value), 4, "first dot", percent(share))
        panel.label(whole(share), (attempt, share.value), (9, 16))
    cost = ["cost of one more"] if each else []
    columns = ("up to", "accepted", "asked", "more accepted", "attempts for one more", *cost)
    grid = Grid("Accepted by up to so many attempts", columns, rows, ("", "", "", "", ",.1f"))
    caption = f"{total:,} questions that the model was asked, errors among them; bars are 95 % intervals (Wilson)."
    if each:
        caption += " The cost is that of the mean attempt."
    section.chart("accepted_up_to", picture(title, "", [panel], 286), caption, grid)


def _subject(name: str) -> str:
    return visible(name) or "(none)"


def _cut(text: str) -> str:
    return text if len(text) <= SUBJECT_LETTERS else text[: SUBJECT_LETTERS - 1] + "…"
