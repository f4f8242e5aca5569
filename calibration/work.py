"""From labels and their scores to what follows from them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calibration.bound import Checked, Threshold, check, choose
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
    now, later : Checked or None
        What today's threshold does with today's score, and with the score as it will be; None without blind labels.
    threshold : Threshold
        Of the score as it will be: with the new last step, if that is taken.
    repeated : int
        How many rows of a file were left out, since an earlier one is about the same answer.
    """

    labels: Sequence[Label]
    scores: Floats
    today: Figures | None
    refit: Refit
    after: Figures | None
    now: Checked | None
    later: Checked | None
    threshold: Threshold
    repeated: int = 0

    @property
    def blind(self) -> int:
        """How many labels are blind."""
        return sum(label.blind for label in self.labels)

    @property
    def revised(self) -> int:
        """How many blind labels were said when the verdict had been seen before."""
        return sum(label.blind and label.revised for label in self.labels)

    @property
    def drawn(self) -> str:
        """How the blind ones were chosen; a file need not say so."""
        told = all(label.chosen for label in self.labels if label.blind)
        return "drawn at random" if told else "taken as drawn at random"

    @property
    def reached(self) -> bool:
        """Whether today's threshold is shown to reach the target with today's score."""
        return self._reaches(self.now)

    @property
    def stays(self) -> bool:
        """Whether today's threshold reaches the target with the score as it will be, so that it may stay."""
        return self._reaches(self.later)

    def _reaches(self, checked: Checked | None) -> bool:
        return checked is not None and checked.lower_bound >= self.threshold.target

    @property
    def recommended(self) -> float | None:
        """The threshold to set, of the score as it will be; None: today's stays, or none is known.

        Where today's reaches the target only with today's score, it is the one that keeps today's verdicts.
        """
        if self.now is None or self.stays:
            return None
        if self.reached:
            found: float | None = round(float(self.refit.step(np.array([self.now.threshold]))[0]), 3)
        else:
            found = self.threshold.value
        return None if found == self.now.threshold else found


def work(
    labels: Sequence[Label], scores: Sequence[float], threshold: float, target: float, repeated: int = 0
) -> Worked:
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
    repeated : int
        How many rows of a file were left out.
    """
    sample = Sample(
        np.asarray(scores, dtype=float),
        np.array([label.accepted for label in labels], dtype=bool),
        [label.question for label in labels],
        np.array([label.blind for label in labels], dtype=bool),
    )
    tried = refit(sample, threshold)
    blind = sample.of_blind()
    as_it_will_be = blind.with_scores(tried.step(blind.scores)) if tried.better else blind
    return Worked(
        labels=labels,
        scores=sample.scores,
        today=figures(blind, threshold) if len(blind) else None,
        refit=tried,
        after=figures(as_it_will_be, threshold) if len(blind) and tried.better else None,
        now=check(blind, threshold) if len(blind) else None,
        later=check(as_it_will_be, threshold) if len(blind) else None,
        threshold=choose(as_it_will_be, target),
        repeated=repeated,
    )
