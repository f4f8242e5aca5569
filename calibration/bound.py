"""The threshold from which on enough answers are right, with a bound that holds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta, binom

from calibration.figures import Sample, point
from pages.shares import Share

RISK = 0.05
"""How often the bound may be wrong."""

SEQUENCES = ((0.5, 1.0, 0.8), (0.25, 0.5, 0.2))
"""Shares of the best answers at which a sequence begins and ends, and its part of the risk."""

STEP = 0.05
POWER = 0.8
NUMBERS = np.unique(np.geomspace(1, 20_000, 300).astype(int))
"""Of accepted labels, as finely as "about so many more" needs."""


@dataclass(frozen=True)
class Threshold:
    """The lowest threshold that is shown to reach the target, or why there is none.

    Attributes
    ----------
    value : float or None
        The threshold; None: not with these labels.
    precision, recall : Share
        What it does on the labels; without a threshold, what the better half of the answers does.
    lower_bound : float
        With 95 %, the precision is at least this.
    more : int or None
        About how many more labels are needed; None: none, or that cannot be estimated.
    reachable : bool
        Whether the labels leave it open that the target can be reached at all.
    """

    target: float
    value: float | None
    precision: Share
    recall: Share
    lower_bound: float
    more: int | None
    reachable: bool = True


@dataclass(frozen=True)
class Checked:
    """What a threshold does that was set before any label was seen; `lower_bound` holds with 95 %."""

    threshold: float
    precision: Share
    lower_bound: float


def check(sample: Sample, threshold: float) -> Checked:
    """One threshold by itself, with the whole risk: no label chose it."""
    precision = point(sample, threshold).precision
    return Checked(threshold, precision, _lower_bound(precision.hits, precision.of, RISK))


def fewest(target: float) -> int:
    """How many labels it takes at least, even if every accepted answer is right."""
    return min(math.ceil(math.ceil(math.log(part * RISK) / math.log(target)) / begin) for begin, _, part in SEQUENCES)


def choose(sample: Sample, target: float) -> Threshold:
    """The lowest threshold whose precision is at least `target`, wrong in at most 5 % of all draws of labels.

    Fixed-sequence testing (Maurer, Hothorn and Lehmacher 1995; for risks, Angelopoulos et al. 2021, "Learn then Test"):
    thresholds are tried in an order that was settled before any label was seen, each with the whole risk, until one
    fails; the last that passed holds. The order begins at the better half of the answers, since at the strictest
    threshold a single error ends it, and goes down. A fifth of the risk is for a second sequence that begins at the
    best quarter, in case the better half fails. Each test is the exact binomial one (Clopper and Pearson 1934).

    Parameters
    ----------
    sample : Sample
        Blind labels only. Thresholds hang on their scores alone, never on what people said.
    target : float
        The share of right ones among accepted answers.
    """
    for begin, end, part in SEQUENCES:
        if passed := _pass(sample, _thresholds(sample, begin, end), target, part * RISK):
            value, lower_bound = passed
            _, precision, recall = point(sample, value)
            return Threshold(target, value, precision, recall, lower_bound, None)
    first = [point(sample, next(iter(_thresholds(sample, begin, end)), 0.0)) for begin, end, _ in SEQUENCES]
    _, precision, recall = first[0]
    lower_bound = _lower_bound(precision.hits, precision.of, SEQUENCES[0][2] * RISK)
    reachable = any(tried.precision.high >= target for tried in first)
    more = _more(len(sample), [tried.precision for tried in first], target) if reachable else None
    return Threshold(target, None, precision, recall, lower_bound, more, reachable)


def _thresholds(sample: Sample, begin: float, end: float) -> Sequence[float]:
    """From the score that the share `begin` of all reaches down to that which `end` does.

    They are cut to three digits before they are tried, so that what is recommended is what was tried.
    """
    if not len(sample):
        return []
    ordered = np.sort(sample.scores)[::-1]
    shares = np.arange(begin, end + STEP / 2, STEP)
    ranks = [min(len(ordered), math.ceil(round(share * len(ordered), 9))) for share in shares]
    return sorted({math.floor(float(ordered[rank - 1]) * 1000) / 1000 for rank in ranks}, reverse=True)


def _pass(sample: Sample, thresholds: Sequence[float], target: float, risk: float) -> tuple[float, float] | None:
    last = None
    for threshold in thresholds:
        accepted = sample.accepted[sample.scores >= threshold]
        lower_bound = _lower_bound(int(accepted.sum()), len(accepted), risk)
        if lower_bound < target:
            break
        last = threshold, lower_bound
    return last


def _lower_bound(hits: int, of: int, risk: float) -> float:
    """Clopper and Pearson's, one-sided, as a quantile of the beta distribution."""
    return float(beta.ppf(risk, hits, of - hits + 1)) if hits else 0.0


def _more(labels: int, shares: Sequence[Share], target: float) -> int | None:
    """About how many more labels would do, were the truth what it looks like now where each sequence begins."""
    needed = []
    for (begin, _, part), precision in zip(SEQUENCES, shares, strict=True):
        # Jeffreys' estimate: not certain after a few labels without an error.
        likely = (precision.hits + 0.5) / (precision.of + 1)
        needed += [math.ceil(count / begin) for count in _needed(likely, target, part * RISK)]
    return max(10, round(min(needed) - labels, -1)) if needed else None


def _needed(likely: float, target: float, risk: float) -> list[int]:
    """The least number of accepted answers of which, with a precision of `likely`, most draws pass the test."""
    if likely <= target:
        return []
    # The most errors with which so many pass: with one more, the test would not reject.
    allowed = binom.ppf(risk, NUMBERS, 1 - target).astype(int) - 1
    allowed += binom.cdf(allowed + 1, NUMBERS, 1 - target) <= risk
    enough = (allowed >= 0) & (binom.cdf(allowed, NUMBERS, 1 - likely) >= POWER)
    return [int(NUMBERS[enough][0])] if enough.any() else []
