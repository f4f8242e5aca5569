"""What explorer says of two runs and what the report does come of one rule, which is written in two languages.

`comparison.json` has what both must make of the same differences; explorer's tests read it, too.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from report.comparison import MAIN, Comparison, Metric, sentence
from report.outcomes import Floats
from report.statistics import Estimate, bootstrap, needed_pairs, sign_test, word
from report.tests.support import outcome, run_of

Case = Mapping[str, Any]
GOLDEN: Mapping[str, Sequence[Case]] = json.loads((Path(__file__).parent / "comparison.json").read_text())

NOISE = 0.05
"""Two resamplings give ends that differ by less than this share of the interval."""


def differences(case: Case) -> Floats:
    """One difference a question."""
    return np.array([value for value, count in case.get("counts", ()) for _ in range(count)], dtype=np.float64)


def comparison(case: Case) -> Comparison:
    """A comparison of which a sentence is to be said."""
    scorers = case.get("scorers", ("one", "one"))
    first, second = (run_of(outcome(0, scorer=s), name=name) for s, name in zip(scorers, "ab", strict=True))
    each = differences(case)
    better, worse = int((each > 0).sum()), int((each < 0).sum())
    estimate = Estimate(*(case[name] for name in ("value", "low", "high", "pairs")))
    return Comparison(
        first,
        second,
        questions=["q"] * estimate.pairs,
        only_first=0,
        only_second=0,
        differences={MAIN: each},
        metrics=[Metric(MAIN, 0.5, 0.5, estimate)],
        better=better,
        worse=worse,
        same=estimate.pairs - better - worse,
        p_value=1.0,
        obstacles=[] if scorers[0] == scorers[1] else ["other scorer"],
    )


@pytest.mark.parametrize("case", GOLDEN["differences"], ids=lambda case: case["what"])
def test_the_same_differences_give_the_same_interval_word_and_test(case: Case) -> None:
    each = differences(case)
    found = bootstrap(each, seed=1)
    noise = NOISE * (case["high"] - case["low"])
    assert [found.low, found.high] == pytest.approx([case["low"], case["high"]], abs=noise)
    assert word(found) == case["word"]
    assert sign_test(int((each > 0).sum()), int((each < 0).sum())) == pytest.approx(case["p_value"], rel=1e-9)
    assert needed_pairs(each) == case["needed"]


@pytest.mark.parametrize("case", GOLDEN["sentences"], ids=lambda case: case["said"])
def test_the_same_interval_gives_the_same_sentence(case: Case) -> None:
    assert sentence(comparison(case)) == case["said"]
