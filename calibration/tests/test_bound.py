"""The threshold with a bound that holds."""

import numpy as np
import pytest
from scipy.special import expit

from calibration.bound import check, choose, fewest
from calibration.figures import Bools, Floats, Sample

TARGET = 0.9
DRAWS = 200


def sample_of(scores: Floats, accepted: Floats | Bools) -> Sample:
    return Sample(scores, accepted.astype(bool), [str(i) for i in range(len(scores))], np.ones(len(scores), bool))


def population(mean: float, spread: float, size: int, seed: int) -> tuple[Floats, Floats]:
    """Scores that mean what they say, and how probable a yes is to each."""
    probable = expit(np.random.default_rng(seed).normal(mean, spread, size))
    return probable, probable


@pytest.mark.parametrize("labels", [60, 200])
@pytest.mark.parametrize(
    ("mean", "spread"), [(1.5, 3.0), (0.0, 4.0), (2.15, 1.0)], ids=["usual", "a hard system", "near the target"]
)
def test_the_bound_is_wrong_in_at_most_5_percent_of_all_draws(mean: float, spread: float, labels: int) -> None:
    scores, probable = population(mean, spread, 200_000, seed=0)
    wrong = 0
    for seed in range(DRAWS):
        draw = np.random.default_rng([seed, labels])
        chosen = draw.integers(len(scores), size=labels)
        found = choose(sample_of(scores[chosen], draw.random(labels) < probable[chosen]), TARGET)
        wrong += found.value is not None and probable[scores >= found.value].mean() < TARGET
    # Of 200 draws at exactly 5 %, 18 or more would be wrong once in a hundred times.
    assert wrong < 18


def test_at_the_worst_where_every_threshold_is_just_too_low_it_holds_too() -> None:
    wrong = 0
    for seed in range(DRAWS):
        draw = np.random.default_rng(seed)
        found = choose(sample_of(draw.random(200), draw.random(200) < TARGET - 0.001), TARGET)
        wrong += found.value is not None
    assert wrong < 18


def test_a_good_judge_is_shown_to_be_good_with_two_hundred_labels() -> None:
    found = 0
    for seed in range(50):
        draw = np.random.default_rng(seed)
        scores, probable = population(3.0, 1.5, 200, seed)
        found += choose(sample_of(scores, draw.random(200) < probable), TARGET).value is not None
    assert found > 40


def test_thirty_one_accepted_labels_without_an_error_are_the_least() -> None:
    for labels, enough in ((60, False), (62, True)):
        scores = np.linspace(0.02, 0.99, labels)
        found = choose(sample_of(scores, scores > scores[labels // 2 - 1]), TARGET)
        assert (found.value is not None) == enough


def test_where_the_better_half_fails_the_best_quarter_may_still_pass() -> None:
    scores = np.linspace(0.01, 0.99, 400)
    found = choose(sample_of(scores, scores > 0.7), TARGET)
    assert found.value is not None
    assert 0.6 < found.value < 0.75
    assert found.lower_bound >= TARGET


def test_without_a_threshold_it_says_about_how_many_more_labels_are_needed() -> None:
    scores = np.linspace(0.01, 0.99, 40)
    few = choose(sample_of(scores, scores > 0.1), TARGET)
    assert few.value is None
    assert few.more is not None
    assert 20 <= few.more <= 300
    coin = choose(sample_of(scores, np.arange(40) % 2 == 0), TARGET)
    assert (coin.value, coin.more, coin.reachable) == (None, None, False)


def test_four_of_four_leave_it_open_whether_the_target_can_be_reached() -> None:
    scores = np.linspace(0.1, 0.9, 8)
    found = choose(sample_of(scores, scores > 0.5), TARGET)
    assert (found.value, found.more, found.reachable) == (None, None, True)
    assert fewest(TARGET) == 62


def test_a_threshold_that_was_set_before_is_bounded_by_itself() -> None:
    scores = np.linspace(0.01, 0.99, 100)
    found = check(sample_of(scores, scores > 0.5), 0.6)
    assert found.precision.hits == found.precision.of == 40
    assert found.lower_bound == pytest.approx(0.05 ** (1 / 40))
    assert check(sample_of(scores, scores > 2), 0.6).lower_bound == 0


def test_thresholds_hang_on_scores_alone() -> None:
    scores = np.random.default_rng(0).random(300)
    every = choose(sample_of(scores, np.ones(300)), TARGET)
    assert every.value == np.floor(scores.min() * 1000) / 1000
    assert every.precision.hits == every.precision.of == 300


def test_no_labels_and_equal_scores_are_no_trouble() -> None:
    nothing = np.array([])
    assert choose(sample_of(nothing, nothing), TARGET).value is None
    same = choose(sample_of(np.full(100, 0.5), np.ones(100)), TARGET)
    assert same.value == 0.5
