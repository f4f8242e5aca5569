"""How far the score agrees with people."""

import math

import numpy as np
import pytest

from calibration.figures import Sample, figures, share


def sample_of(scores: list[float], accepted: list[bool]) -> Sample:
    count = len(scores)
    return Sample(np.array(scores), np.array(accepted), [str(i) for i in range(count)], np.ones(count, bool))


def test_thirty_of_thirty_are_not_certainly_all() -> None:
    every = share(np.ones(30, bool))
    assert (every.hits, every.of) == (30, 30)
    assert (round(every.low, 2), every.high) == (0.89, 1.0)


def test_of_nothing_nothing_is_known() -> None:
    nothing = share(np.array([], bool))
    assert (nothing.low, nothing.high) == (0, 1)
    assert math.isnan(nothing.value)


def test_agreement_counts_both_kinds_of_right_verdicts() -> None:
    found = figures(sample_of([0.9, 0.8, 0.65, 0.6, 0.1], [True, False, True, True, False]), 0.65)
    assert found.agreement.hits == 3
    assert tuple(found.verdicts) == (2, 1, 1, 1)


def test_precision_and_recall_are_counted_at_every_hundredth() -> None:
    found = figures(sample_of([0.2, 0.4, 0.6, 0.8], [False, True, True, False]), 0.5)
    at_half = found.points[50]
    assert at_half.threshold == 0.5
    assert (at_half.precision.hits, at_half.precision.of) == (1, 2)
    assert (at_half.recall.hits, at_half.recall.of) == (1, 2)
    assert found.points[100].precision.of == 0


@pytest.mark.parametrize(("labels", "bins"), [(1, 1), (19, 1), (45, 4), (1000, 10)])
def test_bins_have_equal_counts_and_few_labels_make_few_of_them(labels: int, bins: int) -> None:
    scores = np.random.default_rng(0).random(labels)
    found = figures(sample_of(list(scores), list(scores > 0.5)), 0.5).bins
    assert len(found) == bins
    sizes = [part.accepted.of for part in found]
    assert sum(sizes) == labels
    assert max(sizes) - min(sizes) <= 1


def test_a_score_that_means_what_it_says_has_a_small_calibration_error() -> None:
    random = np.random.default_rng(0)
    probable = random.random(20_000)
    accepted = random.random(20_000) < probable
    assert figures(sample_of(list(probable), list(accepted)), 0.5).calibration_error < 0.02
    assert figures(sample_of(list(probable**3), list(accepted)), 0.5).calibration_error > 0.2


def test_where_all_labels_are_the_same_there_is_no_order_to_speak_of() -> None:
    assert math.isnan(figures(sample_of([0.1, 0.9], [True, True]), 0.5).auc)


def test_only_labels_of_a_random_draw_stand_for_all_answers() -> None:
    mixed = Sample(np.array([0.1, 0.9]), np.array([True, False]), ["a", "b"], np.array([False, True]))
    blind = mixed.of_blind()
    assert (list(blind.scores), list(blind.accepted), blind.questions) == ([0.9], [False], ["b"])
