"""Results as columns, and what is counted of them."""

import math

import numpy as np
import pytest

from report.cost import by_source, layers, saved
from report.finding import finding, missing, summary
from report.outcomes import gather
from report.quality import by_subject, consecutive
from report.run import Journal
from report.tests.support import by_name, outcome, run_of


def test_results_become_columns_and_what_is_missing_is_no_number() -> None:
    of = gather([outcome(0), outcome(1, None), outcome(2, 0.3, attempts=3, source="cache", confidence="unsure")])
    assert of.accepted.tolist() == [True, False, False]
    assert of.is_error.tolist() == [False, True, False]
    assert of.asked_model.tolist() == [True, True, False]
    assert math.isnan(of.score[1])
    assert of.error.said() == ["timeout"]
    assert of.spent == {"calls": 3, "input_tokens": 30, "output_tokens": 15, "nanodollars": 3000}
    assert (of.stored - of.asked).tolist() == [30, 31, 32]
    assert of.unsure.tolist() == [False, False, True]


def test_a_result_of_another_tool_that_has_next_to_nothing_is_counted_too() -> None:
    run = run_of({"_id": 1, "question_id": "q", "verdict": "accepted", "decided_at": outcome(0)["decided_at"]})
    assert len(run.outcomes) == 1
    assert run.threshold is None
    assert finding(run)[0].startswith("1 of 1 questions were accepted")


def test_the_summary_has_the_sums_of_the_results() -> None:
    results = [outcome(0), outcome(1, 0.2, attempts=3), outcome(2, None, attempts=2), outcome(3, source="coalesced")]
    rows = by_name(summary(run_of(*results)))
    assert (rows["decided"], rows["accepted"], rows["exhausted"], rows["errors"]) == (4, 2, 1, 1)
    assert (rows["regenerations"], rows["source llm"], rows["source coalesced"]) == (3, 2, 1)
    assert rows["scored"] == 3
    assert rows["score mean"] == pytest.approx(2 / 3)


def test_errors_count_as_not_accepted_and_the_share_of_the_answered_ones_stands_beside() -> None:
    said = " ".join(finding(run_of(outcome(0), outcome(1, None), outcome(2), outcome(3, None))))
    assert "2 of 4 questions were accepted: 50 %" in said
    assert "Of those that were answered, 100 % (34 to 100; 2 of 2) were accepted." in said


def test_only_scores_of_the_verdicts_own_scorer_are_an_attempts_scores() -> None:
    attempts = [(1, 0.2, "scorer"), (2, 0.9, "another"), (3, 0.7, "scorer"), (4, 0.8, "scorer")]
    history = [dict(zip(("attempts", "score", "scorer"), attempt, strict=True)) for attempt in attempts]
    of = gather([outcome(0, history=history), outcome(1, 0.5)])
    assert of.history.score.tolist() == [0.2, 0.7, 0.8, 0.5]
    pairs = consecutive(of)
    # Neither across what was left out, nor across requests.
    assert (pairs.before.tolist(), pairs.after.tolist()) == ([0.7], [0.8])


def test_subjects_are_in_the_order_of_what_was_accepted() -> None:
    found = by_subject(gather([outcome(0, 0.1), outcome(1), outcome(2, None), outcome(4, 0.2)]))
    assert [(name, tuple(share.hits for share in shares)) for name, shares in found.items()] == [
        ("subject 1", (1, 1, 0)),
        ("subject 0", (0, 1, 0)),
        ("subject 2", (0, 0, 1)),
    ]


def test_every_outcome_has_one_source_or_no_answer() -> None:
    sources = ("llm", "cache", "mongodb", "coalesced")
    of = gather([*(outcome(i, source=source) for i, source in enumerate(sources)), outcome(9, None)])
    assert np.sum(list(layers(of).values()), axis=0).tolist() == [1] * 5
    assert [row[0] for row in by_source(of).rows] == ["model", "cache", "stored", "twin", "no answer"]
    assert saved(of).startswith("3 questions were served without a call.")


def test_what_has_no_outcome_is_told_with_how_to_look_at_it() -> None:
    journal = Journal.of({"record": {"asked": 5}, "scheduled": [1, 2], "acknowledged": [1, 1]})
    [said] = missing(run_of(outcome(0), outcome(1), journal=journal))
    assert "3 of 5 questions that were asked have no outcome" in said
    assert "make dead-letters" in said


def test_scores_of_two_scorers_are_not_mixed_without_a_word() -> None:
    [said] = missing(run_of(outcome(0), outcome(1, scorer="another")))
    assert "2 scorers gave these scores: another, scorer" in said
