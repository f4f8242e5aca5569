import math
from typing import Any

import numpy as np
import pytest

from experiments.measures import MEASURES, SOURCES, Columns, estimates, over_seeds, resampled, value
from experiments.trial import columns
from report.tests.support import outcome
from stack.outcomes import TRAP
from stack.prices import Price


def run_of(*documents: dict[str, Any], price: Price | None = None) -> Columns:
    return Columns.of(columns(iter(documents)), price)


def drawn(questions: int, share: float, seed: int, times: int = 1) -> Columns:
    """So many questions, each asked so many times with one verdict."""
    accepted = np.random.default_rng(seed).random(questions) < share
    return run_of(
        *(
            outcome(number * times + time, 0.9 if accepted[number] else 0.1, question_id=f"q{number}")
            for number in range(questions)
            for time in range(times)
        )
    )


def test_every_measure_is_what_one_counts_by_hand() -> None:
    free = {"spent": None, "attempts": 0}
    of = run_of(
        outcome(0, latency_ms=10),
        outcome(1, source="cache", latency_ms=20, **free),
        outcome(2, source="mongodb", latency_ms=30, **free),
        outcome(3, source="coalesced", latency_ms=40, **free),
        outcome(4, 0.2, latency_ms=50, spent={"calls": 3, "input_tokens": 100, "output_tokens": 50, "nanodollars": 0}),
        outcome(5, 0.8, model=TRAP, latency_ms=60),
        outcome(6, 0.2, model=TRAP, latency_ms=70),
        outcome(7, None, latency_ms=None, **free),
    )
    found = {name: value(of, measure) for name, measure in MEASURES.items()}
    assert found == pytest.approx(
        {
            "accepted": 5 / 8,
            "memory_hits": 1 / 8,
            "stored_hits": 1 / 8,
            "shared": 1 / 8,
            "without_call": 3 / 8,
            "calls": 6 / 8,
            "tokens": (3 * 15 + 150) / 8,
            "dollars": 1000 * 3 * 1000 / 1e9 / 8,
            "traps_accepted": 1 / 2,
            "latency_p50": 40,
            "latency_p99": 70,
        }
    )
    assert SOURCES[0] == "llm"


def test_tokens_cost_what_a_given_price_says() -> None:
    of = run_of(outcome(0), price=Price(input=2, output=8))  # type: ignore[arg-type]
    assert value(of, MEASURES["dollars"]) == pytest.approx(1000 * (2 * 10 + 8 * 5) / 1e6)


def test_of_nothing_there_is_no_figure() -> None:
    of = run_of(outcome(0))
    assert math.isnan(value(of, MEASURES["traps_accepted"]))
    assert math.isnan(estimates([of], ["traps_accepted"])["traps_accepted"].low)


def test_the_interval_of_one_seed_is_that_of_its_questions() -> None:
    found = estimates([drawn(400, 0.7, 1)], ["accepted"])["accepted"]
    half = 1.96 * math.sqrt(found.value * (1 - found.value) / 400)
    assert found.low == pytest.approx(found.value - half, abs=0.012)
    assert found.high == pytest.approx(found.value + half, abs=0.012)


def test_requests_for_one_question_are_drawn_together() -> None:
    once, often = (estimates([drawn(100, 0.5, 2, times)], ["accepted"])["accepted"] for times in (1, 9))
    assert often.high - often.low == pytest.approx(once.high - once.low, rel=0.15)


def test_an_interval_holds_how_much_seeds_differ() -> None:
    alike = estimates([drawn(400, 0.7, seed) for seed in range(6)], ["accepted"])["accepted"]
    apart = estimates([drawn(400, share, 1) for share in (0.4, 0.5, 0.6, 0.8, 0.9, 1)], ["accepted"])["accepted"]
    assert apart.high - apart.low > 3 * (alike.high - alike.low)
    assert apart.pairs == 6


def test_a_percentile_is_drawn_as_one_would_draw_it_question_by_question() -> None:
    rng = np.random.default_rng(3)
    of = run_of(*(outcome(number, latency_ms=int(latency)) for number, latency in enumerate(rng.integers(1, 99, 60))))
    found = resampled(of, ["latency_p50"], rng)["latency_p50"]
    plain = [np.percentile(rng.choice(of.latency_ms, 60), 50, method="inverted_cdf") for _ in range(4000)]
    for share in (5, 50, 95):
        assert np.percentile(found, share) == pytest.approx(np.percentile(plain, share), abs=6)


def test_figures_of_seeds_alone_have_students_interval() -> None:
    # The quantile of three seeds is 4.303, their standard error 0.1 / √3.
    half = 4.303 * 0.1 / math.sqrt(3)
    assert over_seeds([0.4, 0.5, 0.6]) == pytest.approx((0.5, 0.5 - half, 0.5 + half, 3), abs=1e-4)
    assert over_seeds([0.1, 0.2, 0.3]).low == 0
    assert over_seeds([0.7, 0.8, 0.9]).high == 1 < over_seeds([0.7, 0.8, 0.9], math.inf).high
    assert over_seeds([0.4]) == (0.4, 0.4, 0.4, 1)
