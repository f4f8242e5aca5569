"""How far the score agrees with people today."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import brier_score_loss, roc_auc_score

from pages.shares import Share, share_of

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

MOST_BINS = 10
FEWEST_IN_A_BIN = 10


@dataclass(frozen=True)
class Sample:
    """Answers that a person has judged.

    Attributes
    ----------
    scores : array of float
        What today's scorer gives each.
    accepted : array of bool
        What the person said.
    questions : sequence of str
        The question of each; answers to one question are not independent of each other.
    blind : array of bool
        Which of them were drawn at random and judged without seeing the verdict.
    """

    scores: Floats
    accepted: Bools
    questions: Sequence[str]
    blind: Bools

    def __len__(self) -> int:
        return len(self.scores)

    def of_blind(self) -> "Sample":
        """Those that stand for all answers."""
        chosen = np.flatnonzero(self.blind)
        questions = [self.questions[index] for index in chosen]
        return Sample(self.scores[chosen], self.accepted[chosen], questions, self.blind[chosen])

    def with_scores(self, scores: Floats) -> "Sample":
        """The same answers under another scorer."""
        return Sample(scores, self.accepted, self.questions, self.blind)


def share(chosen: Bools) -> Share:
    """How many are true."""
    return share_of(int(chosen.sum()), len(chosen))


class Bin(NamedTuple):
    """Answers of about the same score."""

    score: float
    accepted: Share


class Point(NamedTuple):
    """What a threshold would do."""

    threshold: float
    precision: Share
    recall: Share


class Verdicts(NamedTuple):
    """The judge's verdicts against the person's."""

    both_yes: int
    only_judge: int
    only_person: int
    both_no: int


@dataclass(frozen=True)
class Figures:
    """All that is said of the score as it is. `auc` is not a number where all labels are the same."""

    threshold: float
    agreement: Share
    verdicts: Verdicts
    bins: list[Bin]
    points: list[Point]
    brier: float
    calibration_error: float
    auc: float


def figures(sample: Sample, threshold: float) -> Figures:
    """The figures of a sample that is not empty.

    The calibration error is the mean distance of score and share over bins of equal counts, by their size (Naeini,
    Cooper and Hauskrecht 2015, "Obtaining well calibrated probabilities using Bayesian binning").
    """
    judged = sample.scores >= threshold
    parts = bins(sample)
    distances = [abs(part.score - part.accepted.value) * part.accepted.of for part in parts]
    mixed = 0 < sample.accepted.sum() < len(sample)
    return Figures(
        threshold=threshold,
        agreement=share(judged == sample.accepted),
        verdicts=Verdicts(
            both_yes=int((judged & sample.accepted).sum()),
            only_judge=int((judged & ~sample.accepted).sum()),
            only_person=int((~judged & sample.accepted).sum()),
            both_no=int((~judged & ~sample.accepted).sum()),
        ),
        bins=parts,
        points=[point(sample, step / 100) for step in range(101)],
        brier=float(brier_score_loss(sample.accepted, sample.scores, pos_label=True)),
        calibration_error=sum(distances) / len(sample),
        auc=float(roc_auc_score(sample.accepted, sample.scores)) if mixed else float("nan"),
    )


def bins(sample: Sample) -> list[Bin]:
    """The sample in the order of scores, cut into ten bins of equal counts; few labels make fewer."""
    count = max(1, min(MOST_BINS, len(sample) // FEWEST_IN_A_BIN))
    order = np.argsort(sample.scores, kind="stable")
    parts = [part for part in np.array_split(order, count) if len(part)]
    return [Bin(float(sample.scores[part].mean()), share(sample.accepted[part])) for part in parts]


def point(sample: Sample, threshold: float) -> Point:
    """Precision and recall of a threshold."""
    passed = sample.scores >= threshold
    return Point(threshold, share(sample.accepted[passed]), share(passed[sample.accepted]))
