"""Figures and their intervals: pure functions of numbers and a seed."""

import math
from typing import Literal, NamedTuple

import numpy as np
from scipy.stats import binomtest, norm

from report.outcomes import Bools, Floats, Whole

RESAMPLES = 10_000
GRAIN = 0.001
"""Differences are rounded to this before they are resampled: a hundred thousand cost no more than a thousand."""

UNSEEN = 3.69
"""Of what is expected so often, nothing is seen in one draw of forty: -ln 0.025."""

WINDOWS_S = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 43_200, 86_400)
MOST_WINDOWS = 60
FEWEST_PAIRS = 30
MARGIN = 0.02

Word = Literal["better", "worse", "slightly better", "slightly worse", "practically equal", "none shown", "too few"]


def percentile(values: Floats, share: float) -> float:
    """The smallest value that `share` percent of all do not exceed; of nothing, not a number."""
    return float(np.percentile(values, share, method="inverted_cdf")) if len(values) else float("nan")


def window_seconds(span_s: float) -> int:
    """How long the windows are that cut so many seconds into at most sixty."""
    fits = (width for width in WINDOWS_S if span_s / width <= MOST_WINDOWS)
    return next(fits, max(WINDOWS_S[-1], math.ceil(span_s / MOST_WINDOWS)))


def windows(times_ms: Floats, start_ms: float, width_s: int) -> Whole:
    """The number of the window in which each time lies."""
    return ((times_ms - start_ms) // (1000 * width_s)).astype(np.int64)


class Estimate(NamedTuple):
    """A mean difference over questions, the interval that holds it in 95 % of all draws, and over how many."""

    value: float
    low: float
    high: float
    pairs: int


def bootstrap(differences: Floats, seed: int, resamples: int = RESAMPLES) -> Estimate:
    """The mean of differences, one a question, with the percentile interval of the bootstrap over questions.

    Equal differences are drawn together, by a multinomial distribution: the same as drawing one after the other. What
    no question shows, no resample can: where none went one way, the interval is widened that way by the share of
    questions that could go so unseen (`UNSEEN` of them all).
    """
    count = len(differences)
    if not count:
        return Estimate(float("nan"), float("nan"), float("nan"), 0)
    values, counts = np.unique(np.round(differences / GRAIN) * GRAIN, return_counts=True)
    random = np.random.default_rng(seed)
    draws = (random.multinomial(count, counts / count, size=part) @ values for part in _parts(resamples, len(values)))
    means = np.concatenate(list(draws)) / count
    low, high = np.percentile(means, [2.5, 97.5])
    low -= 0.0 if (values < 0).any() else UNSEEN / count
    high += 0.0 if (values > 0).any() else UNSEEN / count
    return Estimate(float(differences.mean()), max(-1.0, float(low)), min(1.0, float(high)), count)


def _parts(resamples: int, width: int) -> list[int]:
    """Resamples in parts that fit into some ten megabytes."""
    size = max(1, min(resamples, 1_000_000 // width))
    whole, rest = divmod(resamples, size)
    return [size] * whole + ([rest] if rest else [])


def sign_test(up: int, down: int) -> float:
    """How likely so uneven a split is, were each as likely: the exact test on the pairs that differ.

    With verdicts it is McNemar's.
    """
    return float(binomtest(min(up, down), up + down, 0.5).pvalue) if up + down else 1.0


def word(found: Estimate, margin: float = MARGIN) -> Word:
    """What an interval lets one say of the second run, where more is better."""
    if found.pairs < FEWEST_PAIRS:
        return "too few"
    within = -margin < found.low and found.high < margin
    if found.low > 0:
        return "slightly better" if within else "better"
    if found.high < 0:
        return "slightly worse" if within else "worse"
    return "practically equal" if within else "none shown"


def needed_pairs(differences: Floats, margin: float = MARGIN) -> int:
    """About how many questions make the interval as narrow as the margin to either side."""
    spread = float(differences.std(ddof=1)) if len(differences) > 1 else 0.5
    # A few questions that all came out the same do not show that all others would.
    spread = max(spread, 0.1)
    needed = float(norm.ppf(0.975) * spread / margin) ** 2
    digits = -(len(str(int(needed))) - 2)
    return max(FEWEST_PAIRS, math.ceil(round(needed, digits)))


def mean_by(codes: Whole, values: Floats, size: int) -> Floats:
    """The mean of the values of each code; not a number where none is known."""
    known = ~np.isnan(values)
    counts = np.bincount(codes[known], minlength=size).astype(float)
    sums = np.bincount(codes[known], weights=values[known], minlength=size)
    return np.divide(sums, counts, out=np.full(size, np.nan), where=counts > 0)


def cumulative(values: Floats, most: int = 200) -> list[tuple[float, float]]:
    """Values with the share of all that do not exceed them, at most so many of them."""
    ordered = np.sort(values)
    if not len(ordered):
        return []
    ranks = np.unique(np.linspace(0, len(ordered) - 1, most).astype(int))
    return [(float(ordered[rank]), (rank + 1) / len(ordered)) for rank in ranks]


def count(chosen: Bools) -> int:
    """How many are true."""
    return int(np.count_nonzero(chosen))
