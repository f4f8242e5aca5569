"""What was found, in sentences and rows: the same on the page and in the terminal."""

import math
from typing import NamedTuple

from calibration.bound import Checked, fewest
from calibration.figures import Figures
from calibration.work import Worked
from pages.shares import percent

Rows = list[tuple[str, str]]

TODAY, AFTER = "Today's score", "After make apply-calibration"


class Block(NamedTuple):
    """What holds of one score: today's, or that with the new last step."""

    title: str
    sentences: list[str]


def blocks(worked: Worked) -> list[Block]:
    """What was found: of today's score, and where a new last step is proposed, of the score after it."""
    of_today = [agreement(worked), unsaid(worked), at_today(worked)]
    if not worked.refit.better:
        return [Block(TODAY, list(filter(None, [*of_today, threshold(worked), last_step(worked)])))]
    after = [last_step(worked), effect(worked), threshold(worked)]
    return [Block(TODAY, list(filter(None, of_today))), Block(AFTER, list(filter(None, after)))]


def commands(worked: Worked) -> list[str]:
    """What to do, in this order."""
    steps = ["make apply-calibration"] if worked.refit.better else []
    if worked.recommended is not None:
        steps.append(f"make down && SCORE_THRESHOLD={worked.recommended:g} make up")
    return steps


def summary(worked: Worked) -> Rows:
    """The figures in short."""
    others = len(worked.labels) - worked.blind
    rows = [(f"labels {worked.drawn}", f"{worked.blind:,}"), ("other labels, for fitting only", f"{others:,}")]
    if worked.repeated:
        rows.append(("rows left out, repeating an answer", f"{worked.repeated:,}"))
    if worked.today:
        rows += [
            (f"agreement at {worked.today.threshold:g}", percent(worked.today.agreement)),
            ("Brier score", f"{worked.today.brier:.3f}"),
            ("calibration error", f"{worked.today.calibration_error:.3f}"),
            ("ROC AUC", number(worked.today.auc)),
        ]
    return rows


def agreement(worked: Worked) -> str:
    """How often judge and person agree."""
    if not worked.today:
        return "How well the judge agrees with people is not known: no label is from a random draw."
    share, at = percent(worked.today.agreement), worked.today.threshold
    return f"Judge and person agree on {share} of the answers {worked.drawn}, at the threshold {at:g}."


def unsaid(worked: Worked) -> str:
    """What has to be taken on trust of a file."""
    if worked.drawn == "drawn at random":
        return ""
    return "The file does not say how its answers were chosen: the figures hold if each was as likely as any other."


def at_today(worked: Worked) -> str:
    """What today's threshold does with today's score, and whether it is shown to reach the target."""
    now, target = worked.now, _target(worked)
    if not now:
        return ""
    if not now.precision.of:
        return f"{now.threshold:g} accepts none of these answers."
    here = f"{percent(now.precision)} of the answers that it accepts are right"
    if not worked.reached:
        return f"{now.threshold:g} is not shown to reach {target}: {here}."
    bound = f"with 95 % confidence it is {100 * now.lower_bound:.1f} % or more"
    return f"{now.threshold:g} already reaches {target}: {here}; {bound}."


def reliability(shown: Figures) -> str:
    """Whether a score means what it says."""
    mean = sum(part.score * part.accepted.of for part in shown.bins) / shown.agreement.of
    accepted = shown.verdicts.both_yes + shown.verdicts.only_person
    away = 100 * (mean - accepted / shown.agreement.of)
    if shown.calibration_error < 0.05:
        return f"A score means what it says, within {100 * shown.calibration_error:.0f} points on average"
    if abs(away) < 2:
        return f"Scores are {100 * shown.calibration_error:.0f} points off on average, too high as often as too low"
    return f"Scores promise {abs(away):.0f} points too {'much' if away > 0 else 'little'} on average"


def trade(shown: Figures) -> str:
    """What the threshold of today does with a score."""
    verdicts = shown.verdicts
    accepted, right = verdicts.both_yes + verdicts.only_judge, verdicts.both_yes + verdicts.only_person
    if not accepted or not right:
        return f"At {shown.threshold:g} nothing is accepted, or nothing is right"
    return (
        f"At {shown.threshold:g}, {100 * verdicts.both_yes / accepted:.0f} % of what is accepted is right, "
        f"and {100 * verdicts.both_yes / right:.0f} % of what is right is accepted"
    )


def effect(worked: Worked) -> str:
    """What the new last step does to today's verdicts; nothing where there is none."""
    if not (worked.today and worked.after):
        return ""
    today, after = (shown.verdicts.both_yes + shown.verdicts.only_judge for shown in (worked.today, worked.after))
    at, of = worked.today.threshold, worked.blind
    return f"At {at:g}, {after:,} of {of:,} labelled answers would be accepted (today {today:,})."


def threshold(worked: Worked) -> str:
    """What follows for the threshold of the score as it will be: which one reaches the target, or why none does."""
    found, later, target = worked.threshold, worked.later, _target(worked)
    if later and worked.stays:
        # The labels fitted the new step: no confidence is stated for it.
        here = f"{percent(later.precision)} of the answers that it then accepts are right"
        stays = f"{later.threshold:g} can stay: {here}. " if worked.refit.better else ""
        return (stays + _lower(worked, later)).strip()
    if worked.now and worked.reached:
        kept = worked.now.threshold if worked.recommended is None else worked.recommended
        accepts = f"{kept:g} then accepts what {worked.now.threshold:g} accepts today, but for rounding. "
        return (accepts + _lower(worked, worked.now)).strip()
    if found.value is None:
        return _no_threshold(worked)
    return (
        f"From {found.value:g} on at least {target} of the accepted answers are right; with 95 % confidence it is "
        f"{100 * found.lower_bound:.1f} % or more. Here {percent(found.precision)} were, and "
        f"{100 * found.recall.value:.0f} % of the right ones are accepted."
    )


def _lower(worked: Worked, kept: Checked) -> str:
    """What the lowest threshold that reaches the target would cost, where another is kept."""
    found = worked.threshold
    more = found.precision.of - kept.precision.of
    if found.value is None or more <= 0:
        return ""
    wrong = more - (found.precision.hits - kept.precision.hits)
    return f"{found.value:g} would accept {more:,} more answers, {wrong:,} of them wrong."


def _no_threshold(worked: Worked) -> str:
    found, target = worked.threshold, _target(worked)
    if found.precision.of == 0:
        return f"Which threshold reaches {target} is not known: no label is from a random draw."
    looks = f"of the best {found.precision.of:,} of {worked.blind:,} answers, {percent(found.precision)} are right"
    if not found.reachable:
        return f"No threshold is shown to reach {target}, and more labels will hardly change that: {looks}."
    least = fewest(found.target)
    if found.more is not None:
        needed = f"About {found.more:,} more are needed."
    elif worked.blind < least:
        needed = f"It takes at least {least:,}, even if every accepted answer is right."
    else:
        needed = f"That is too near {target} to estimate how many it takes."
    return f"No threshold is shown to reach {target}; there are too few labels to tell: {looks}. {needed}"


def last_step(worked: Worked) -> str:
    """Whether the last step of the score changes."""
    step, tried = worked.refit.step, worked.refit
    if not tried.better:
        return f"The last step of the score stays: {tried.reason}."
    before, after = f"{tried.brier_before:.3f}", f"{tried.brier_after:.3f}"
    return (
        f"The last step of the score should change (slope {step.slope:.3f}, intercept {step.intercept:+.3f}): "
        f"{tried.reason}, and the Brier score there from {before} to {after}."
    )


def number(value: float) -> str:
    """A figure, or a dash for what cannot be known."""
    return "–" if math.isnan(value) else f"{value:.3f}"


def _target(worked: Worked) -> str:
    return f"{100 * worked.threshold.target:g} %"
