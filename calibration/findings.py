"""What was found, in sentences and rows: the same on the page and in the terminal."""

import math

from calibration.charts import percent
from calibration.figures import Figures
from calibration.work import Worked

Rows = list[tuple[str, str]]


def summary(worked: Worked) -> Rows:
    """The figures in short."""
    others = len(worked.labels) - worked.blind
    rows = [("labels drawn at random", f"{worked.blind:,}"), ("other labels, for fitting only", f"{others:,}")]
    if worked.today:
        rows += [
            (f"agreement at {worked.today.threshold:g}", percent(worked.today.agreement)),
            ("Brier score", f"{worked.today.brier:.3f}"),
            ("calibration error", f"{worked.today.calibration_error:.3f}"),
            ("ROC AUC", number(worked.today.auc)),
        ]
    return rows


def findings(worked: Worked) -> list[str]:
    """What it means, in a few sentences."""
    return [agreement(worked), threshold(worked), last_step(worked)]


def agreement(worked: Worked) -> str:
    """How often judge and person agree."""
    if not worked.today:
        return "How well the judge agrees with people is not known: no label is from a random draw."
    share, at = percent(worked.today.agreement), worked.today.threshold
    return f"Judge and person agree on {share} of the answers drawn at random, at the threshold {at:g}."


def reliability(today: Figures) -> str:
    """Whether a score means what it says."""
    mean = sum(part.score * part.accepted.of for part in today.bins) / today.agreement.of
    accepted = today.verdicts.both_yes + today.verdicts.only_person
    away = 100 * (mean - accepted / today.agreement.of)
    if today.calibration_error < 0.05:
        return f"A score means what it says, within {100 * today.calibration_error:.0f} points on average"
    if abs(away) < 2:
        return f"Scores are {100 * today.calibration_error:.0f} points off on average, too high as often as too low"
    return f"Scores promise {abs(away):.0f} points too {'much' if away > 0 else 'little'} on average"


def trade(worked: Worked) -> str:
    """What today's threshold does."""
    today = worked.after or worked.today
    if not today:
        return ""
    verdicts = today.verdicts
    accepted, right = verdicts.both_yes + verdicts.only_judge, verdicts.both_yes + verdicts.only_person
    if not accepted or not right:
        return f"At {today.threshold:g} nothing is accepted, or nothing is right"
    return (
        f"At {today.threshold:g}, {100 * verdicts.both_yes / accepted:.0f} % of what is accepted is right, "
        f"and {100 * verdicts.both_yes / right:.0f} % of what is right is accepted"
    )


def threshold(worked: Worked) -> str:
    """Which threshold is shown to reach the target, or why none is."""
    found = worked.threshold
    target = f"{100 * found.target:g} %"
    if found.value is not None:
        return (
            f"From {found.value:g} on at least {target} of the accepted answers are right; with 95 % confidence it is "
            f"{100 * found.lower_bound:.1f} % or more. Here {percent(found.precision)} were, and "
            f"{100 * found.recall.value:.0f} % of the right ones are accepted."
        )
    if found.precision.of == 0:
        return f"Which threshold reaches {target} is not known: no label is from a random draw."
    looks = f"among the better half of the answers {percent(found.precision)} are right"
    if found.more is None:
        return f"No threshold is shown to reach {target}, and more labels will hardly change that: {looks}."
    return f"No threshold is shown to reach {target} with these labels: {looks}. About {found.more:,} more are needed."


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
