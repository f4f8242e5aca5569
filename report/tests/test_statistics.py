"""Figures and their intervals."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pages.shares import percent, share_of, whole
from report.outcomes import Floats
from report.statistics import (
    Estimate,
    bootstrap,
    cumulative,
    mean_by,
    needed_pairs,
    percentile,
    sign_test,
    window_seconds,
    windows,
    word,
)

VALUES = st.lists(st.floats(-1, 1, allow_nan=False), min_size=1, max_size=50).map(np.array)


def test_thirty_of_thirty_are_not_certainly_all() -> None:
    assert percent(share_of(30, 30)) == "100 % (89 to 100; 30 of 30)"
    assert percent(share_of(0, 0)) == "none"


@given(st.integers(1, 500).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_an_interval_holds_its_share_and_lies_within_0_and_1(counts: tuple[int, int]) -> None:
    share = share_of(*counts)
    assert -1e-12 <= share.low <= share.value + 1e-12
    assert share.value - 1e-12 <= share.high <= 1 + 1e-12


def test_a_share_that_is_not_0_or_1_is_never_said_to_be() -> None:
    assert (whole(share_of(1, 1000)), whole(share_of(999, 1000))) == ("under 1 %", "over 99 %")
    assert (whole(share_of(0, 10)), whole(share_of(10, 10)), whole(share_of(1, 2))) == ("0 %", "100 %", "50 %")


@given(st.lists(st.integers(0, 10_000), min_size=1), st.sampled_from([50, 95, 99, 100]))
def test_a_percentile_is_a_value_that_so_many_do_not_exceed_and_the_least_such(values: list[int], share: int) -> None:
    found = percentile(np.array(values, float), share)
    assert found in values
    assert sum(value <= found for value in values) >= math.ceil(len(values) * share / 100 - 1e-9)
    assert sum(value < found for value in values) < len(values) * share / 100


def test_of_nothing_there_is_no_percentile() -> None:
    assert math.isnan(percentile(np.array([]), 50))


@given(st.floats(0, 1e7))
def test_a_span_is_cut_into_at_most_sixty_windows_and_one_that_is_begun(span: float) -> None:
    width = window_seconds(span)
    assert span / width <= 60
    assert windows(np.array([span * 1000]), 0.0, width)[0] <= 60


@settings(max_examples=20)
@given(VALUES, st.integers(0, 99))
def test_the_same_seed_gives_the_same_interval_and_it_holds_the_mean(values: Floats, seed: int) -> None:
    found = bootstrap(values, seed, resamples=500)
    assert found == bootstrap(values, seed, resamples=500)
    assert found.low - 0.01 <= found.value <= found.high + 0.01
    assert found.pairs == len(values)


def test_the_interval_is_that_of_drawing_questions_one_by_one() -> None:
    random = np.random.default_rng(0)
    values = random.choice([-1.0, 0.0, 1.0], 400, p=[0.1, 0.7, 0.2])
    found = bootstrap(values, 1)
    means = values[random.integers(0, 400, (10_000, 400))].mean(axis=1)
    assert [found.low, found.high] == pytest.approx(np.percentile(means, [2.5, 97.5]), abs=0.006)


def test_where_no_question_went_one_way_the_interval_leaves_room_for_it() -> None:
    nothing = bootstrap(np.zeros(100), 1)
    assert list(nothing) == pytest.approx([0.0, -0.0369, 0.0369, 100])
    assert bootstrap(np.array([0.0] * 38 + [1.0] * 2), 1).low < 0


@pytest.mark.parametrize(
    ("low", "high", "pairs", "said"),
    [
        (0.007, 0.054, 1204, "better"),
        (-0.054, -0.007, 1204, "worse"),
        (0.001, 0.015, 9000, "slightly better"),
        (-0.015, -0.001, 9000, "slightly worse"),
        (-0.01, 0.012, 9000, "practically equal"),
        (-0.014, 0.029, 900, "none shown"),
        (0.2, 0.9, 29, "too few"),
    ],
)
def test_an_interval_is_put_into_one_of_four_sentences(low: float, high: float, pairs: int, said: str) -> None:
    assert word(Estimate((low + high) / 2, low, high, pairs)) == said


def test_the_exact_test_is_that_of_a_fair_coin() -> None:
    assert sign_test(0, 0) == 1
    assert sign_test(5, 0) == sign_test(0, 5) == pytest.approx(2 / 32)
    assert sign_test(10, 10) == 1


def test_more_questions_are_needed_for_a_narrower_margin() -> None:
    differences = np.random.default_rng(0).choice([-1.0, 0.0, 1.0], 20)
    assert needed_pairs(differences, 0.01) > needed_pairs(differences, 0.02) >= 30
    assert needed_pairs(np.zeros(5)) >= 30


def test_means_leave_out_what_is_not_known() -> None:
    found = mean_by(np.array([0, 0, 1, 2]), np.array([1.0, 0.0, np.nan, 0.5]), 3)
    assert found[0] == 0.5
    assert math.isnan(found[1])
    assert found[2] == 0.5


@given(st.lists(st.floats(0, 1e6), max_size=1000))
def test_a_cumulative_share_rises_to_1_in_few_points(values: list[float]) -> None:
    points = cumulative(np.array(values))
    assert len(points) <= 200
    assert points == sorted(points)
    assert not values or points[-1] == (max(values), 1.0)
