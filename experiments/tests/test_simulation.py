import numpy as np
import pytest

from experiments.series import Job
from experiments.simulation import Hits, che, do, hits, zipf

QUESTIONS, REQUESTS = 1_000, 100_000


def trace(exponent: float, seed: int = 1) -> dict[tuple[str, int], float]:
    """The hit rates of all caches on one trace."""
    definition = {
        "questions": QUESTIONS,
        "requests": REQUESTS,
        "warm_up": 20_000,
        "policies": ["lru", "lfu", "fifo"],
        "sizes": [20, 100],
        "exponent": exponent,
        "seed": seed,
    }
    found = [Hits(*cache) for cache in do(Job("tried", definition))["caches"]]
    assert {cache.questions for cache in found} == {REQUESTS}
    return {(cache.policy, cache.size): cache.hits / cache.questions for cache in found}


def test_popularity_is_uniform_for_0_and_halves_with_each_doubling_for_1() -> None:
    assert zipf(4, 0) == pytest.approx([0.25] * 4)
    assert zipf(4, 1) == pytest.approx(np.array([12, 6, 4, 3]) / 25)


def test_ches_approximation_is_the_share_that_is_kept_where_all_are_asked_alike() -> None:
    assert che(zipf(1000, 0), 100) == pytest.approx(0.1, abs=0.001)
    assert che(zipf(1000, 1), 1000) == 1


@pytest.mark.parametrize("exponent", [0, 0.7, 1.3])
def test_lru_follows_ches_approximation(exponent: float) -> None:
    found = trace(exponent)
    for size in (20, 100):
        assert found["lru", size] == pytest.approx(che(zipf(QUESTIONS, exponent), size), abs=0.01)


def test_policies_differ_where_questions_do() -> None:
    found = trace(1.0)
    for size in (20, 100):
        assert found["lfu", size] > found["lru", size] + 0.05
        assert found["lru", size] > found["fifo", size] + 0.01


def test_one_seed_gives_one_trace() -> None:
    assert trace(1.0) == trace(1.0)
    assert trace(1.0) != trace(1.0, seed=2)


def test_questions_are_known_by_their_names() -> None:
    assert hits(["a", "b", "a", "c", "b"], ["lru"], [2, 3]) == [Hits("lru", 2, 5, 1), Hits("lru", 3, 5, 2)]
