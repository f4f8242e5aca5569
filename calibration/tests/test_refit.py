"""The last step anew."""

import json

import numpy as np
import pytest
from cotejo_native import Scorer
from scipy.special import expit, logit

from calibration.figures import Floats, Sample
from calibration.refit import FEWEST, Step, fit, refit
from flink_job.fit_scorer import fit as fit_artefact
from flink_job.fit_scorer import shipped_model

THRESHOLD = 0.65


def draw(labels: int, seed: int, off: Step | None = None, kinds: tuple[float, float] = (1.5, 3.0)) -> Sample:
    """Labels of a judge whose score is off by a step from what it should be."""
    random = np.random.default_rng([seed, labels])
    probable = expit(random.normal(*kinds, labels))
    accepted = random.random(labels) < probable
    scores = off(probable) if off else probable
    return Sample(scores, accepted, [str(index) for index in range(labels)], np.ones(labels, bool))


@pytest.mark.parametrize("labels", [50, 200])
def test_a_score_that_means_what_it_says_is_left_alone(labels: int) -> None:
    assert sum(refit(draw(labels, seed), THRESHOLD).better for seed in range(15)) <= 1


@pytest.mark.parametrize("labels", [50, 200])
def test_a_score_that_is_far_off_is_put_right(labels: int) -> None:
    far = Step(slope=0.7, intercept=-2.5)
    for seed in range(5):
        sample = draw(labels, seed, far)
        found = refit(sample, THRESHOLD)
        assert found.better
        fresh = draw(5000, seed + 100, far)
        before, after = ((scores - fresh.accepted) ** 2 for scores in (fresh.scores, found.step(fresh.scores)))
        assert after.mean() < before.mean() - 0.03


def test_with_too_few_blind_labels_nothing_is_tried() -> None:
    sample = draw(FEWEST + 20, 1, Step(1.0, -3.0))
    blind = np.arange(len(sample)) < FEWEST - 1
    found = refit(Sample(sample.scores, sample.accepted, sample.questions, blind), THRESHOLD)
    assert not found.better
    assert f"only {FEWEST - 1}" in found.reason


def test_few_labels_are_shrunken_towards_what_is_there() -> None:
    off = Step(1.0, -2.0)
    steps = [fit(draw(labels, 3, off)) for labels in (1, 10, 3000)]
    intercepts = [abs(step.intercept) for step in steps]
    assert intercepts == sorted(intercepts)
    assert intercepts[-1] == pytest.approx(2.0, abs=0.2)


def test_labels_that_are_all_the_same_give_a_step_that_is_finite_and_rises() -> None:
    for said in (True, False):
        sample = draw(100, 5)
        step = fit(Sample(sample.scores, np.full(100, said), sample.questions, sample.blind))
        assert np.isfinite([step.slope, step.intercept]).all()
        assert step.slope > 0


def test_a_step_keeps_every_order() -> None:
    scores = np.sort(np.random.default_rng(0).random(1000))
    backwards = Sample(scores, scores < 0.5, [str(i) for i in range(1000)], np.ones(1000, bool))
    after = fit(backwards)(scores)
    assert (np.diff(after) >= 0).all()


def test_two_steps_as_one_do_the_same() -> None:
    raw = np.linspace(0.001, 0.999, 50)
    first, second = Step(0.8, 0.5), Step(1.3, -1.0)
    both = second.after({"slope": [first.slope], "intercept": [first.intercept]})
    assert np.allclose(Step(both["slope"][0], both["intercept"][0])(raw), second(first(raw)))


def test_answers_to_one_question_are_never_on_both_sides_of_a_split() -> None:
    # Sixty answers to two questions: by themselves they would make a step look certain.
    accepted = np.arange(60) < 57
    score, blind = np.where(accepted, 0.3, 0.1), np.ones(60, bool)
    alone = refit(Sample(score, accepted, ["one"] * 60, blind), THRESHOLD)
    apart = refit(Sample(score, accepted, [str(i) for i in range(60)], blind), THRESHOLD)
    assert not alone.better
    assert apart.better


@pytest.mark.parametrize(("said", "word"), [(True, "yes"), (False, "no")])
def test_from_labels_that_all_say_the_same_no_step_is_proposed(said: bool, word: str) -> None:
    sample = draw(100, 5)
    found = refit(Sample(sample.scores, np.full(100, said), sample.questions, sample.blind), THRESHOLD)
    assert (found.better, found.step) == (False, Step())
    assert f"all 100 labels to measure on say {word}" in found.reason


def verdicts(right: int, of: int) -> Sample:
    """So many of so many answers that score 0.75 are accepted; a few that score near 0 are not."""
    scores = np.append(np.full(of, 0.75), np.full(20, 0.05))
    count = len(scores)
    return Sample(scores, np.arange(count) < right, [str(i) for i in range(count)], np.ones(count, bool))


def test_a_step_that_would_accept_almost_nothing_is_refused_where_the_verdicts_get_no_better() -> None:
    found = refit(verdicts(right=110, of=200), THRESHOLD)
    assert found.gain > 0
    assert not found.better
    assert "0.65 would then accept 0 of the 110 answers that people accepted (today 110)" in found.reason
    lower = refit(verdicts(right=110, of=200), 0.5)
    assert lower.better


def test_a_step_that_would_accept_almost_nothing_is_taken_where_the_verdicts_get_better() -> None:
    assert refit(verdicts(right=40, of=200), THRESHOLD).better


def test_a_step_that_would_accept_almost_all_that_people_rejected_is_refused_likewise() -> None:
    rejected = Sample(1 - (of := verdicts(right=110, of=200)).scores, ~of.accepted, of.questions, of.blind)
    found = refit(rejected, 0.35)
    assert not found.better
    assert "answers that people rejected (today 0)" in found.reason


def test_a_slip_of_the_finger_at_a_certain_score_is_no_catastrophe() -> None:
    sample = draw(100, 7)
    scores, accepted = np.append(sample.scores, 1 - 1e-15), np.append(sample.accepted, False)
    slipped = Sample(scores, accepted, [*sample.questions, "slip"], np.append(sample.blind, True))
    before, after = fit(sample), fit(slipped)
    assert abs(float(logit(after(np.array([0.7]))[0]) - logit(before(np.array([0.7]))[0]))) < 0.5


def test_scores_of_zero_and_one_are_no_trouble() -> None:
    certain: Floats = np.array([0.0, 1.0] * 30)
    found = refit(Sample(certain, certain > 0, [str(i) for i in range(60)], np.ones(60, bool)), THRESHOLD)
    assert np.isfinite(found.step(certain)).all()


def test_the_module_applies_a_new_last_step_as_it_was_fitted_whatever_the_references_length() -> None:
    artefact = json.loads(fit_artefact([], shipped_model()).text)
    step = Step(0.6, -0.4)
    changed = {**artefact["model"], "calibration": step.after(artefact["model"]["calibration"])}
    old, new = (Scorer(fit_artefact([], model).text) for model in (artefact["model"], changed))
    words = [f"word{number}" for number in range(60)]
    for length in (1, 4, 9, 17, 60):
        reference = " ".join(words[:length])
        case = ("Why is the sky blue?", [reference], "It is word0 and word3, or so they say.")
        assert new.score(*case) == pytest.approx(float(step(np.array([old.score(*case)]))[0]), abs=1e-6)
