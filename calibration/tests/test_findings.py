"""What is advised, and on which score."""

from collections.abc import Sequence

import numpy as np
from scipy.special import expit

from calibration import findings
from calibration.figures import Bools, Floats
from calibration.labels import Label
from calibration.work import Worked, work


def worked_of(
    scores: Sequence[float] | Floats, accepted: Bools | Sequence[bool], threshold: float = 0.65, chosen: str = "random"
) -> Worked:
    labels = [Label(f"question {i}", ("r",), "a", bool(said), chosen) for i, said in enumerate(accepted)]
    return work(labels, [float(score) for score in scores], threshold, 0.9)


def drawn(count: int, off: float = 0.0, threshold: float = 0.65, chosen: str = "random") -> Worked:
    """Labels of a judge whose score means what it says but for a shift."""
    random = np.random.default_rng(count)
    right = random.normal(1.0, 3.0, count)
    return worked_of(expit(right + off), random.random(count) < expit(right), threshold, chosen)


def good_judge(middle: int = 22) -> Worked:
    """Of 314 accepted answers 312 are right; lower scores are mostly wrong, and mean what they say."""
    random = np.random.default_rng(0)
    scores = np.concatenate([np.full(314, 0.99), random.uniform(0.13, 0.2, middle), np.full(17, 0.02)])
    accepted = np.arange(len(scores)) < 312
    accepted[314:317] = True
    return worked_of(scores, accepted)


def text(worked: Worked) -> str:
    return "\n".join(sentence for block in findings.blocks(worked) for sentence in block.sentences)


def test_where_todays_threshold_reaches_the_target_it_says_so_and_shows_no_command() -> None:
    found = good_judge()
    assert not found.refit.better
    assert found.threshold.value is not None
    assert found.threshold.value < 0.65
    assert "0.65 already reaches 90 %: 99 % (98 to 100; 312 of 314)" in text(found)
    assert "would accept 22 more answers, 19 of them wrong." in text(found)
    assert "From 0." not in text(found)
    assert findings.commands(found) == []


def test_where_it_does_not_a_threshold_that_does_is_advised() -> None:
    found = drawn(600, threshold=0.05)
    assert not found.refit.better
    assert "0.05 is not shown to reach 90 %" in text(found)
    assert f"From {found.threshold.value:g} on" in text(found)
    assert findings.commands(found) == [f"make down && SCORE_THRESHOLD={found.threshold.value:g} make up"]


def test_a_new_last_step_comes_first_and_the_threshold_after_it_is_of_the_new_score() -> None:
    found = drawn(300, 3.0)
    today, after = findings.blocks(found)
    assert (today.title, after.title) == (findings.TODAY, findings.AFTER)
    assert "0.65 is not shown to reach 90 %" in "".join(today.sentences)
    assert any(sentence.startswith("From 0.") for sentence in after.sentences)
    assert not any(sentence.startswith("From 0.") for sentence in today.sentences)
    apply, restart = findings.commands(found)
    assert apply == "make apply-calibration"
    assert restart == f"make down && SCORE_THRESHOLD={found.recommended:g} make up"
    assert "of 300 labelled answers would be accepted (today " in findings.effect(found)


def test_where_only_todays_score_reaches_the_target_the_new_threshold_keeps_todays_verdicts() -> None:
    found = drawn(300, -3.0)
    assert found.reached
    assert not found.stays
    assert found.recommended is not None
    assert found.recommended > 0.65
    new = found.refit.step(found.scores)
    assert abs(int((new >= found.recommended).sum()) - int((found.scores >= 0.65).sum())) <= 1
    assert f"{found.recommended:g} then accepts what 0.65 accepts today" in text(found)


def test_where_both_scores_reach_the_target_the_threshold_stays() -> None:
    random = np.random.default_rng(0)
    scores = np.concatenate([random.uniform(0.7, 0.9, 300), random.uniform(0.1, 0.3, 60)])
    found = worked_of(scores, np.arange(360) < 300)
    assert found.refit.better
    assert "0.65 can stay: 100 %" in text(found)
    assert findings.commands(found) == ["make apply-calibration"]


def test_eight_labels_are_too_few_to_tell_and_not_a_hopeless_case() -> None:
    found = worked_of([0.1, 0.2, 0.3, 0.4, 0.7, 0.8, 0.9, 0.95], np.arange(8) >= 4)
    assert "too few labels to tell: of the best 4 of 8 answers, 100 % (51 to 100; 4 of 4)" in findings.threshold(found)
    assert "It takes at least 62" in findings.threshold(found)
    assert "hardly" not in findings.threshold(found)


def test_more_labels_will_hardly_help_only_where_the_interval_ends_below_the_target() -> None:
    scores = np.linspace(0.01, 0.99, 200)
    bad, near = np.arange(200) % 3 == 0, np.arange(200) % 8 != 0
    assert "more labels will hardly change that" in findings.threshold(worked_of(scores, bad))
    assert "too near 90 % to estimate" in findings.threshold(worked_of(scores, near))


def test_ties_are_counted_as_they_are() -> None:
    scores = np.append(np.full(56, 0.9), np.full(8, 0.1))
    found = worked_of(scores, np.arange(64) < 49)
    assert "of the best 56 of 64 answers, 88 % (76 to 94; 49 of 56) are right" in findings.threshold(found)


def test_fifty_labels_of_a_good_judge_tell_about_how_many_more_are_needed() -> None:
    assert "About " in findings.threshold(drawn(50))


def test_labels_that_all_say_the_same_change_nothing() -> None:
    found = worked_of(np.linspace(0.1, 0.9, 40), np.zeros(40, bool))
    assert findings.commands(found) == []
    assert "The last step of the score stays: all 40 labels" in text(found)


def test_a_file_that_does_not_say_how_its_answers_were_chosen_is_not_called_a_random_draw() -> None:
    found = drawn(100, chosen="")
    assert ("labels taken as drawn at random", "100") in findings.summary(found)
    assert "The file does not say how its answers were chosen" in text(found)
    assert "of the answers drawn at random" not in text(found)
    assert "does not say" not in text(drawn(100))
