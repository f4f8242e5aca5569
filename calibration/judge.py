"""The judge, as the fit needs it: signals of many cases at once. All that is computed of texts is computed in Rust."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from cotejo_native import Scorer, meanings
from numpy.typing import NDArray

Floats = NDArray[np.float64]
INFORMATION_ONLY = "cosine"
SIGNALS: tuple[str, ...] = tuple(sorted(name for name in meanings() if name != INFORMATION_ONLY))


@dataclass(frozen=True)
class Case:
    """One answer to judge."""

    question: str
    references: tuple[str, ...]
    answer: str


@dataclass(frozen=True)
class Measured:
    """The signals of cases beside each of their references: one row a reference.

    Attributes
    ----------
    signals : array of shape (rows, signals)
    words : array of shape (rows,)
        How many words the reference has.
    case : array of shape (rows,)
        Which case a row belongs to.
    """

    signals: Floats
    words: Floats
    case: NDArray[np.int64]

    def take(self, rows: NDArray[np.int64]) -> "Measured":
        """Some rows, each a case of its own."""
        return Measured(self.signals[rows], self.words[rows], np.arange(len(rows)))

    def of_cases(self, chosen: NDArray[np.bool_]) -> "Measured":
        """The rows of some cases, which are numbered anew."""
        rows = chosen[self.case]
        return Measured(self.signals[rows], self.words[rows], (np.cumsum(chosen) - 1)[self.case[rows]])


def measure(scorer: Scorer, cases: Sequence[Case]) -> Measured:
    """The signals of every case beside each of its references."""
    signals, words, owner = [], [], []
    for index, case in enumerate(cases):
        for values, length in scorer.measure(case.question, list(case.references), case.answer):
            signals.append([values[name] for name in SIGNALS])
            words.append(length)
            owner.append(index)
    return Measured(np.array(signals), np.array(words, float), np.array(owner))
