"""The last step of the score anew, from labels: a slope and an intercept on its logit, where that is really better."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit
from sklearn.model_selection import GroupKFold
from threadpoolctl import threadpool_limits

from calibration.figures import Bools, Floats, Sample

Integers = NDArray[np.int64]

FOLDS = 5
REPEATS = 20
FEWEST = 30
MARGIN_IN_ERRORS = 1.645
"""So many standard errors must the gain be above zero: with 95 %, it is one."""
ALMOST = 0.1
"""At most this share is almost none, and all but this almost all."""

# How far the two lie from the identity before any label has been seen, as standard deviations.
SLOPE_SPREAD = 0.5
INTERCEPT_SPREAD = 1.0
SLOPES = (0.05, 20.0)
NEAREST_TO_CERTAIN = 1e-4
"""Beyond this no score is taken at its word, while fitting: a label may be a slip of the finger."""


@dataclass(frozen=True)
class Step:
    """A last step after today's: `expit(slope * logit(score) + intercept)`. It rises, so it keeps every order."""

    slope: float = 1.0
    intercept: float = 0.0

    def __call__(self, scores: Floats) -> Floats:
        """The scores after this step."""
        return np.asarray(expit(self.slope * logit(np.clip(scores, 1e-9, 1 - 1e-9)) + self.intercept))

    def after(self, calibration: Mapping[str, Sequence[float]]) -> dict[str, list[float]]:
        """Both steps as one: first an artefact's, whose two numbers slide with the reference's length, then this."""
        return {
            "slope": [self.slope * slope for slope in calibration["slope"]],
            "intercept": [self.slope * intercept + self.intercept for intercept in calibration["intercept"]],
        }


@dataclass(frozen=True)
class Refit:
    """Whether the last step should change.

    Attributes
    ----------
    step : Step
        The step that was fitted to all labels.
    better : bool
        Whether to take it.
    gain, error : float
        By how much log loss falls on labels that it was not fitted to, and the standard error of that.
    brier_before, brier_after : float
        The mean squared error on those labels.
    reason : str
        Why it should, or should not.
    """

    step: Step
    better: bool
    gain: float
    error: float
    brier_before: float
    brier_after: float
    reason: str


def fit(sample: Sample) -> Step:
    """The step that fits a sample best, shrunken towards the identity.

    Platt (1999), "Probabilistic outputs for support vector machines", fits these two by likelihood. Here the likelihood
    has a normal prior around slope 1 and intercept 0, so few labels change little. The problem is convex; the slope's
    lower limit keeps the step rising.
    """
    x, y = _logit(sample.scores), sample.accepted.astype(float)

    def loss(parameters: Floats) -> tuple[float, Floats]:
        slope, intercept = parameters
        z = slope * x + intercept
        away = np.array([(slope - 1) / SLOPE_SPREAD, intercept / INTERCEPT_SPREAD])
        wrong = expit(z) - y
        gradient = np.array([wrong @ x, wrong.sum()]) + away / [SLOPE_SPREAD, INTERCEPT_SPREAD]
        return float(np.logaddexp(0, z).sum() - y @ z + away @ away / 2), gradient

    found = minimize(loss, [1.0, 0.0], jac=True, method="L-BFGS-B", bounds=[SLOPES, (None, None)])
    return Step(float(found.x[0]), float(found.x[1]))


def refit(sample: Sample, threshold: float, seed: int = 0) -> Refit:
    """Fits the step to all labels, and takes it only if it is better where it was not fitted.

    Repeated cross-validation by question: of the gain in log loss on held-out labels, the mean must exceed its standard
    error by a margin (after the one-standard-error rule, Hastie, Tibshirani and Friedman 2009, section 7.10), and the
    squared error must not grow. All labels fit; only blind ones, which stand for all answers, are measured on.

    A step after which today's threshold would tell next to nothing apart is taken only if the verdicts on held-out
    labels agree with people more often.
    """
    blind = sample.of_blind()
    if reason := _why_not_try(blind):
        nothing = float("nan")
        return Refit(Step(), False, nothing, nothing, nothing, nothing, reason)
    # The sums are so small that threads would only wait for one another.
    with threadpool_limits(1):
        held = _held_out(sample, threshold, seed)
    step = fit(sample)
    gain, error = float(held.gains.mean()), _error_of_mean(held.gains, blind.questions)
    before, after = float(np.mean((blind.scores - blind.accepted) ** 2)), float(held.squares.mean())
    better = gain > MARGIN_IN_ERRORS * error and after <= before
    verdict = "lowers" if better else "does not surely lower"
    reason = f"another last step {verdict} log loss on labels that it was not fitted to ({gain:+.4f} ± {error:.4f})"
    agreed = float(((blind.scores >= threshold) == blind.accepted).mean())
    if better and held.agreed.mean() <= agreed and (harm := _harm(blind, step(blind.scores), threshold)):
        better = False
        reason += f", but {harm}, and its verdicts there agree with people no more often than today's"
    return Refit(step, better, gain, error, before, after, reason)


def _why_not_try(blind: Sample) -> str | None:
    if len(blind) < FEWEST:
        return f"to try another takes {FEWEST} labels from a random draw, and there are only {len(blind)}"
    if len(set(blind.accepted.tolist())) == 1:
        said = "yes" if blind.accepted[0] else "no"
        return f"all {len(blind)} labels to measure on say {said}, and from one kind alone no other can be fitted"
    return None


def _harm(blind: Sample, new: Floats, threshold: float) -> str | None:
    """Which kind of answers the threshold would hardly tell from the other any more, if it does today."""
    for said, kind in ((True, "accepted"), (False, "rejected")):
        of = blind.accepted == said
        today, later = (scores[of] >= threshold for scores in (blind.scores, new))
        wrong_today, wrong_later = ((passed != said).mean() for passed in (today, later))
        if wrong_later >= 1 - ALMOST and wrong_later > wrong_today:
            return (
                f"{threshold:g} would then accept {later.sum():,} of the {of.sum():,} answers that people {kind} "
                f"(today {today.sum():,})"
            )
    return None


class _HeldOut(NamedTuple):
    """Of each blind label, by steps fitted without its question, on average over the repeats."""

    gains: Floats
    squares: Floats
    agreed: Floats


def _held_out(sample: Sample, threshold: float, seed: int) -> _HeldOut:
    """The gain in log loss, the squared error, and how often the verdict is the person's."""
    groups = _groups(sample.questions)
    folds = min(FOLDS, int(groups.max()) + 1)
    gains, squares, agreed = np.zeros((3, len(sample)))
    for repeat in range(REPEATS if folds > 1 else 0):
        splits = GroupKFold(folds, shuffle=True, random_state=seed + repeat)
        for rest, held in splits.split(sample.scores, groups=groups):
            step = fit(_of(sample, rest))
            new, yes = step(sample.scores[held]), sample.accepted[held]
            gains[held] += _log_loss(sample.scores[held], yes) - _log_loss(new, yes)
            squares[held] += (new - yes) ** 2
            agreed[held] += (new >= threshold) == yes
    return _HeldOut(*(values[sample.blind] / REPEATS for values in (gains, squares, agreed)))


def _error_of_mean(values: Floats, questions: Sequence[str]) -> float:
    """The standard error of a mean whose values come in groups: one of the groups' sums."""
    sums = np.bincount(_groups(questions), values - values.mean())
    return float(np.sqrt((sums**2).sum() * len(sums) / max(len(sums) - 1, 1)) / len(values))


def _groups(questions: Sequence[str]) -> Integers:
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(question, len(numbers)) for question in questions])


def _of(sample: Sample, chosen: Integers) -> Sample:
    questions = [sample.questions[index] for index in chosen]
    return Sample(sample.scores[chosen], sample.accepted[chosen], questions, sample.blind[chosen])


def _log_loss(scores: Floats, accepted: Bools) -> Floats:
    z = _logit(scores)
    return np.asarray(np.logaddexp(0, np.where(accepted, -z, z)))


def _logit(scores: Floats) -> Floats:
    return np.asarray(logit(np.clip(scores, NEAREST_TO_CERTAIN, 1 - NEAREST_TO_CERTAIN)))
