"""Arrivals against the law that they were drawn from."""

import numpy as np
import pytest

from report.outcomes import Floats
from report.run import Journal, Law, law_of
from report.tests.support import outcome, run_of
from report.traffic import arrivals, distance, latency


def journal(gaps_s: Floats, distribution: str) -> Journal:
    scheduled = np.floor(1e12 + np.concatenate([[0], np.cumsum(1000 * gaps_s)]))
    named = {"TRAFFIC_DISTRIBUTION": distribution, "TRAFFIC_RATE": "20", "TRAFFIC_BURSTINESS": "4"}
    return Journal.of({"record": {"settings": named}, "scheduled": scheduled, "acknowledged": scheduled * 0})


@pytest.mark.parametrize("name", ["constant", "uniform", "poisson", "gamma"])
def test_arrivals_of_a_law_fit_it_and_no_other(name: str) -> None:
    random = np.random.default_rng(3)
    gaps = {
        "constant": np.full(2000, 0.05),
        "uniform": random.uniform(0, 0.1, 2000),
        "poisson": random.exponential(0.05, 2000),
        "gamma": random.gamma(0.25, 0.2, 2000),
    }
    chance = 1.36 / np.sqrt(2000)
    for other in gaps:
        ordered = journal(gaps[name], other)
        apart = distance(ordered, np.diff(ordered.scheduled) / 1000)
        assert apart is not None
        assert (apart <= chance) == (other == name), (other, apart)


@pytest.mark.parametrize("law", [Law("uniform", 0.05, 1), Law("poisson", 0.05, 1), Law("gamma", 0.05, 4)])
def test_a_quantile_is_where_the_law_has_its_share(law: Law) -> None:
    for share in (0.05, 0.5, 0.99):
        assert law.cdf(np.array([law.quantile(share)]))[0] == pytest.approx(share)


def test_a_trace_a_closed_loop_and_a_changing_rate_have_no_law_and_nor_has_what_nobody_wrote_down() -> None:
    drawn = {"TRAFFIC_DISTRIBUTION": "poisson", "TRAFFIC_RATE": "20"}
    assert law_of({**drawn, "TRAFFIC_PROFILE": "constant"}) == law_of(drawn) is not None
    assert law_of({**drawn, "TRAFFIC_PROFILE": "day"}) is None
    assert law_of({"TRAFFIC_DISTRIBUTION": "trace=events.csv", "TRAFFIC_RATE": "20"}) is None
    assert law_of({"TRAFFIC_DISTRIBUTION": "closed", "TRAFFIC_RATE": "20"}) is None
    assert law_of({}) is None


@pytest.mark.parametrize(("distribution", "is_told"), [("poisson", False), ("closed", True)])
def test_of_a_closed_loop_it_is_told_that_a_slow_system_is_asked_less(distribution: str, is_told: bool) -> None:
    settings = {"TRAFFIC_DISTRIBUTION": distribution, "TRAFFIC_RATE": "20", "TRAFFIC_ASKERS": "4"}
    asked = Journal.of({"record": {"settings": settings}, "scheduled": range(20), "acknowledged": [3] * 20})
    run = run_of(*map(outcome, range(20)), journal=asked)
    arrived, taken = ("".join(section(run).drawn().itertext()) for section in (arrivals, latency))
    assert ("4 asked, each once it had the outcome" in arrived) == is_told
    assert ("one of 4 askers had the outcome" in taken) == is_told
    assert ("A slow system is asked less" in taken) == is_told
    assert ("a slow system cannot hide" in taken) != is_told


def test_a_journal_is_put_in_the_order_of_its_times() -> None:
    told = Journal.of({"record": {}, "scheduled": [300, 100, 200], "acknowledged": [3, 1, 2]})
    assert (told.scheduled.tolist(), told.acknowledged.tolist()) == ([100, 200, 300], [1, 2, 3])
