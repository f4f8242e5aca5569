import json
import random
from dataclasses import replace

import numpy as np
import pytest
from cotejo_native import Scorer, seal

from calibration import data, measures, traps
from calibration.judge import SIGNALS, Case, Floats, measure
from calibration.model import Model, features_of, first_guess, fit_product
from flink_job.frequencies import BACKGROUND, blend, load_background

QUESTION = "When did the harbour of Alba open, and who paid for it?"
REFERENCE = (
    "The harbour of Alba was opened on 3 May 1874. Its first pier is 240 metres long. "
    "A merchant called Ines Duarte paid for it, and the town paid her back over 20 years."
)
OTHER = "Water is salted so that pasta tastes of something. Ten grams a litre are usual."
PAIRS = [(QUESTION, REFERENCE), ("How much salt does pasta need?", OTHER)]


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    model = json.loads(BACKGROUND.with_name("coefficients.json").read_text("utf-8"))
    return Scorer(seal(json.dumps({"format": 2, **blend([], load_background()), "model": model}))[0])


def test_every_trap_differs_from_its_reference_and_comes_the_same_again() -> None:
    made = traps.make(PAIRS)
    assert {name for name, *_ in made} == {*traps.TRAPS, *traps.COPIES}
    assert all(answer != reference for _, _, reference, answer in made)
    assert made == traps.make(PAIRS)


def test_traps_say_what_the_reference_does_not() -> None:
    given = traps.Given(QUESTION, REFERENCE, OTHER, random.Random(1))  # noqa: S311
    assert "not" in str(traps.negate(given))
    swapped = str(traps.swap_numbers(given))
    assert "1874" not in swapped
    assert "240" not in swapped
    assert traps.swap_numbers(replace(given, reference="No numbers here.")) is None


def test_one_question_is_in_one_part_of_the_data_however_it_is_written() -> None:
    assert data.fold("Who is it? ", 5) == data.fold("who is it?", 5)
    assert len({data.fold(f"question {number}", 5) for number in range(100)}) == 5


def test_the_fit_gives_no_signal_a_weight_above_zero(scorer: Scorer) -> None:
    answers = [answer for _, _, _, answer in traps.make(PAIRS)]
    measured = measure(scorer, [Case(QUESTION, (REFERENCE,), answer) for answer in answers])
    chance = np.random.default_rng(1)
    accepted = chance.integers(0, 2, len(answers)).astype(float)
    model = fit_product(features_of(measured), accepted, np.ones(len(answers)), first_guess(), 50)
    assert max(model.human[2:].max(), model.sound[2:].max()) <= 0


def test_python_and_rust_compute_one_score() -> None:
    chance = np.random.default_rng(2)
    weights = [np.concatenate([[3.0, 2.0], -chance.random(2 * len(SIGNALS))]).round(5) for _ in range(2)]
    model = Model(weights[0], weights[1], (1.1, 0.9), (0.2, -0.1))
    scorer = Scorer(seal(json.dumps({"format": 2, **blend([], load_background()), "model": model.as_json()}))[0])
    cases = [Case(QUESTION, (REFERENCE, OTHER), answer) for _, _, _, answer in traps.make(PAIRS)]
    scores = [scorer.score(case.question, list(case.references), case.answer) for case in cases]
    assert np.allclose(model.scores(measure(scorer, cases)), scores, atol=1e-9)


def test_a_promise_that_is_kept_has_no_calibration_error() -> None:
    scores: Floats
    accepted: Floats
    scores, accepted = np.array([0.25] * 4 + [0.75] * 4), np.array([1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0])
    assert measures.calibration_error(scores, accepted) == pytest.approx(0)
    assert measures.calibration_error(1 - scores, accepted) == pytest.approx(0.5)
    assert measures.agreement(scores, accepted) == pytest.approx(0.75)
