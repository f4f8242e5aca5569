"""Shares with their intervals."""

from typing import NamedTuple

from scipy.stats import binomtest

CONFIDENCE = 0.95


class Share(NamedTuple):
    """So many of so many, and the interval in which the true share lies."""

    hits: int
    of: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """The share itself; of nothing, not a number."""
        return self.hits / self.of if self.of else float("nan")


def share_of(hits: int, of: int) -> Share:
    """A share with the interval of Wilson (1927), which holds for small numbers and near 0 and 1, too."""
    if not of:
        return Share(0, 0, 0.0, 1.0)
    interval = binomtest(hits, of).proportion_ci(CONFIDENCE, method="wilson")
    return Share(hits, of, float(interval.low), float(interval.high))


def whole(share: Share) -> str:
    """A share in whole per cent, for where its count stands beside it."""
    if not share.of:
        return "none"
    if 0 < share.value < 0.005:
        return "under 1 %"
    if 0.995 <= share.value < 1:
        return "over 99 %"
    return f"{100 * share.value:.0f} %"


def percent(share: Share) -> str:
    """A share in words, with its interval and its count."""
    if not share.of:
        return "none"
    low, high = 100 * share.low, 100 * share.high
    return f"{100 * share.value:.0f} % ({low:.0f} to {high:.0f}; {share.hits:,} of {share.of:,})"
