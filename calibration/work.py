"""From labels and their scores to what follows from them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calibration.bound import Threshold, choose
from calibration.figures import Figures, Floats, Sample, figures
from calibration.labels import Label
from calibration.refit import Refit, refit


@dataclass(frozen=True)
class Worked:
    """What follows from labels.

    Attributes
    ----------
    today, after : Figures or None
        How the score agrees with blind labels, and how with the new last step; None without blind labels. What comes
        after looks better here than it is, since it was fitted to these labels; `refit` has what was held out.
    threshold : Threshold
        Of the score as it will be: with the new last step, if that is taken.
    """

    labels: Sequence[Label]
    scores: Floats
    today: Figures | None
    refit: Refit
    after: Figures | None
    threshold: Threshold

    @property
    def blind(self) -> int:
        """How many labels are blind."""
        return sum(label.blind for label in self.labels)

    @property
    def revised(self) -> int:
        """How many blind labels were said when the verdict had been seen before."""
        return sum(label.blind and label.revised for label in self.labels)


def work(labels: Sequence[Label], scores: Sequence[float], threshold: float, target: float) -> Worked:
    """Works out everything.

    Parameters
    ----------
    labels : sequence of Label
        What people said.
    scores : sequence of float
        What today's scorer gives each label's answer.
    threshold : float
        Today's.
    target : float
        The share of right ones that is wanted among accepted answers.
    """
    sample = Sample(
        np.asarray(scores, dtype=float),
        np.array([label.accepted for label in labels], dtype=bool),
        [label.question for label in labels],
        np.array([label.blind for label in labels], dtype=bool),
    )
    tried = refit(sample)
    blind = sample.of_blind()
    as_it_will_be = blind.with_scores(tried.step(blind.scores)) if tried.better else blind
    return Worked(
        labels=labels,
        scores=sample.scores,
        today=figures(blind, threshold) if len(blind) else None,
        refit=tried,
        after=figures(as_it_will_be, threshold) if len(blind) and tried.better else None,
        threshold=choose(as_it_will_be, target),
    )
