"""Arrivals against the law that they were drawn from."""

import numpy as np
import pytest

from report.outcomes import Floats
from report.run import Journal, Law, law_of
from report.traffic import distance


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


def test_a_trace_and_a_changing_rate_have_no_law_and_nor_has_what_nobody_wrote_down() -> None:
    drawn = {"TRAFFIC_DISTRIBUTION": "poisson", "TRAFFIC_RATE": "20"}
    assert law_of({**drawn, "TRAFFIC_PROFILE": "constant"}) == law_of(drawn) is not None
    assert law_of({**drawn, "TRAFFIC_PROFILE": "day"}) is None
    assert law_of({"TRAFFIC_DISTRIBUTION": "trace=events.csv", "TRAFFIC_RATE": "20"}) is None
    assert law_of({}) is None


def test_a_journal_is_put_in_the_order_of_its_times() -> None:
    told = Journal.of({"record": {}, "scheduled": [300, 100, 200], "acknowledged": [3, 1, 2]})
    assert (told.scheduled.tolist(), told.acknowledged.tolist()) == ([100, 200, 300], [1, 2, 3])
