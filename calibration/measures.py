"""How well scores agree with people."""

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

Floats = NDArray[np.float64]
THRESHOLD = 0.65


def agreement(scores: Floats, accepted: Floats, threshold: float = THRESHOLD) -> float:
    """The share of verdicts at a threshold that are the person's."""
    return float(((scores >= threshold) == (accepted > 0)).mean())


def auc(scores: Floats, accepted: Floats) -> float:
    """The chance that an accepted answer scores above a rejected one."""
    return float(roc_auc_score(accepted > 0, scores))


def brier(scores: Floats, accepted: Floats) -> float:
    """The mean squared distance of score and verdict."""
    return float(((scores - accepted) ** 2).mean())


def calibration_error(scores: Floats, accepted: Floats, bins: int = 10) -> float:
    """The mean distance between what is promised and what is kept, over ten equal bins of scores."""
    bin_of = np.minimum((scores * bins).astype(int), bins - 1)
    gaps = [abs((scores - accepted)[bin_of == index].sum()) for index in range(bins)]
    return float(sum(gaps) / len(scores))
