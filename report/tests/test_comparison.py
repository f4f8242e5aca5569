"""Two runs, paired by question."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pages.plot import as_file
from report import comparison_page
from report.again import alike
from report.comparison import by_subject, changed_most, compare, of_all, sentence, signed
from report.outcomes import Codes, gather
from report.run import Journal, Run
from report.tests.support import outcome, run_of


def runs(first: Sequence[float | None], second: Sequence[float | None], **fields: object) -> tuple[Run, Run]:
    """Two runs that ask the same questions, in other orders."""
    one = [outcome(i, score) for i, score in enumerate(first)]
    other = [outcome(i, score, _id=f"n{i}", **fields) for i, score in enumerate(second)]
    return run_of(*one, name="a"), run_of(*reversed(other), name="b")


@given(st.permutations(list(range(6))), st.permutations(list(range(3, 9))))
def test_rows_are_paired_by_question_in_whatever_order_they_come(first: list[int], second: list[int]) -> None:
    scores = {i: i / 10 for i in range(9)}
    one = run_of(*(outcome(i, scores[i]) for i in first), name="a")
    other = run_of(*(outcome(i, scores[i] + 0.05) for i in second), name="b")
    found = compare(one, other)
    assert list(found.questions) == ["q3", "q4", "q5"]
    assert (found.only_first, found.only_second) == (3, 3)
    assert found.differences["score"].tolist() == pytest.approx([0.05] * 3)


def test_a_question_that_was_asked_several_times_counts_once_by_its_mean() -> None:
    often = [outcome(i, score, question_id="q") for i, score in enumerate((0.9, 0.9, 0.1, None))]
    found = compare(run_of(*often, name="a"), run_of(outcome(7, 0.9, question_id="q"), name="b"))
    assert len(found.questions) == 1
    assert found.differences["accepted"].tolist() == [0.5]
    assert found.differences["accepted, of answered"].tolist() == [pytest.approx(1 / 3)]


def test_an_error_counts_as_not_accepted() -> None:
    found = compare(*runs([0.9] * 40, [0.9] * 20 + [None] * 20))
    assert found.main.difference.value == -0.5
    assert (found.better, found.worse, found.same) == (0, 20, 20)
    assert found.p_value == pytest.approx(2 / 2**20)
    [answered] = [metric for metric in found.metrics if metric.name == "accepted, of answered"]
    assert (answered.difference.value, answered.difference.pairs) == (0.0, 20)


def test_the_sentence_says_no_more_than_the_data() -> None:
    def said(first: Sequence[float | None], second: Sequence[float | None]) -> str:
        return sentence(compare(*runs(first, second)))

    assert said([0.9] * 10, [0.1] * 10).startswith("b against a: too few to say (10 shared questions); about ")
    assert said([0.1] * 60 + [0.9] * 40, [0.9] * 100).startswith("b is better than a: 60.0 points more accepted")
    assert said([0.9] * 100, [0.9] * 40 + [0.1] * 60).startswith("b is worse than a: 60.0 points less accepted")
    assert said([0.9] * 400, [0.9] * 400).startswith("b and a are practically equal: within 2 points")
    # Nobody has shown on fifty questions that they are equal.
    assert said([0.9] * 50, [0.9] * 50) == (
        "b against a: no difference shown; the data fit −7.4 to +7.4 points, on 50 shared questions."
    )


def test_runs_without_a_shared_question_cannot_be_compared() -> None:
    found = compare(run_of(outcome(0), name="a"), run_of(outcome(1), name="b"))
    assert "share no question" in sentence(found)
    assert math.isnan(found.main.difference.value)
    drawn = comparison_page.section(found, lambda _: {})
    assert not drawn.figures


@pytest.mark.parametrize(
    ("fields", "said"), [({"scorer": "new"}, "other scorer"), ({"threshold": 0.8}, "other threshold")]
)
def test_verdicts_of_other_measures_are_not_put_into_a_word(fields: Mapping[str, object], said: str) -> None:
    found = compare(*runs([0.9] * 100, [0.1] * 100, **fields))
    assert said in found.obstacles[0]
    assert "nothing is said of which is better" in sentence(found)
    drawn = comparison_page.section(found, lambda _: {})
    assert any(said in (part.text or "") for part in drawn.content)
    assert "accepted" not in {row[0] for row in drawn.grids["comparison"].rows}
    assert "changed_most" not in drawn.grids


class Length:
    """A scorer to whom long answers are good ones."""

    def score(self, _question: str, _references: Sequence[str], answer: str) -> float:
        return len(answer) / 100


def not_alike() -> tuple[list[Run], dict[str, list[dict[str, Any]]]]:
    """Two runs that two scorers judged, and their outcomes with texts: the second's are longer."""
    made = datetime(2026, 1, 1, tzinfo=UTC)
    texts, found = {}, []
    for day, (name, score, length) in enumerate((("a", 0.9, 60), ("b", 0.2, 80))):
        said = {"scorer": name, "llm_answer": "x" * length, "best_answer": "y"}
        outcomes = [outcome(i, score, title=f"title {i}", **said) for i in range(40)]
        texts[name] = outcomes
        scorers = {name: {"made_at": made + timedelta(days=day)}}
        found.append(replace(run_of(*outcomes, outcome(99, None), name=name), scorers=scorers))
    return found, texts


def test_runs_of_two_scorers_are_compared_by_what_the_newer_one_says_of_all_answers() -> None:
    found, texts = not_alike()
    asked = []

    def scorer(name: str) -> Length:
        asked.append(name)
        return Length()

    judged, note = alike(found, scorer, lambda name: texts[name])
    assert asked == ["b"]
    assert "scored again by b" in note
    compared = compare(judged[0], judged[1])
    assert compared.obstacles == []
    assert [run.outcomes.accepted.sum() for run in judged] == [0, 40]
    assert [run.outcomes.is_error.sum() for run in judged] == [1, 1]
    assert compared.word == "better"
    # What the runs themselves were judged is not touched.
    assert [run.outcomes.accepted.sum() for run in found] == [40, 0]


def test_an_answer_that_was_cut_off_is_not_accepted_when_scored_again() -> None:
    found, texts = not_alike()
    texts["b"][0]["finish_reason"] = "length"
    judged, _ = alike(found, lambda _: Length(), lambda name: texts[name])
    assert judged[1].outcomes.accepted.sum() == 39


def test_nor_is_what_a_twin_was_given_of_it() -> None:
    found, texts = not_alike()
    texts["b"][7]["title"] = texts["b"][0]["title"]
    texts["b"][7]["finish_reason"] = "length"
    judged, _ = alike(found, lambda _: Length(), lambda name: texts[name])
    assert judged[1].outcomes.accepted.sum() == 38


def test_without_the_scorer_nothing_is_scored_again() -> None:
    found, texts = not_alike()
    assert alike(found, lambda _: None, lambda name: texts[name]) == (found, "")


def test_a_question_whose_texts_are_gone_is_left_out_and_keeps_no_other_from_being_compared() -> None:
    found, texts = not_alike()
    texts["a"][0]["llm_answer"] = None
    judged, note = alike(found, lambda _: Length(), lambda name: texts[name])
    compared = compare(judged[0], judged[1])
    assert "1 outcomes whose texts are gone are left out" in note
    assert (len(compared.questions), compared.only_second, compared.obstacles) == (40, 1, [])
    assert "q0" not in compared.questions
    # What was spent is divided by all that it was spent on.
    assert of_all(*found)[2] == ("calls a question", 1, 1)


def test_of_runs_that_are_judged_again_it_is_told_what_differed_and_how_they_were_judged() -> None:
    found, texts = not_alike()
    judged, note = alike(found, lambda _: Length(), lambda name: texts[name])
    drawn = comparison_page.section(compare(judged[0], judged[1]), lambda _: {}, ["other scorer", note], found)
    assert ("scorers", "a", "b") in drawn.grids["settings"].rows
    said = "".join(drawn.drawn().itertext())
    assert "As they were judged then, a accepted 98 % (" in said
    assert "b 0 %" in said


def test_answers_that_may_be_those_of_the_other_run_are_warned_of() -> None:
    one, other = runs([0.9] * 40, [0.9] * 40, source="cache")
    drawn = comparison_page.section(compare(one, other), lambda _: {})
    assert "40 of 40 in b and 0 of 40 in a" in "".join(drawn.drawn().itertext())


def test_who_changed_most_is_told_by_verdict_and_then_by_score() -> None:
    found = compare(*runs([0.9, 0.9, 0.3, 0.9, 0.1, 0.5], [0.7, 0.1, 0.2, 0.91, 0.9, 0.62]))
    worse, better = changed_most(found, 10)
    assert [found.questions[i] for i in worse] == ["q1", "q0", "q2"]
    assert [found.questions[i] for i in better] == ["q4", "q5"]


def test_each_subject_has_its_own_interval() -> None:
    found = compare(*runs([0.9] * 60, [0.1 if i % 3 == 1 else 0.9 for i in range(60)]))
    differences = dict(by_subject(found))
    assert [round(differences[f"subject {i}"].value) for i in range(3)] == [0, -1, 0]
    assert {estimate.pairs for estimate in differences.values()} == {20}


def test_the_section_shows_both_answers_as_they_are() -> None:
    found = compare(*runs([0.9] * 40, [0.1] + [0.9] * 39))

    def texts(ids: Sequence[str]) -> dict[str, Any]:
        known = {"title": "<b>Why?</b>", "content": "", "best_answer": "So.", "question_id": "q0"}
        return {i: {"_id": i, "verdict": "x", "score": 0.5, "llm_answer": f"answer of {i}", **known} for i in ids}

    drawn = comparison_page.section(found, texts)
    [row] = drawn.grids["changed_most"].rows
    assert row[-2:] == ("answer of m0", "answer of n0")
    assert drawn.grids["comparison"].rows[0][0] == "accepted"


def test_a_difference_of_nothing_has_no_sign() -> None:
    assert (signed(-0.0001), signed(0.031), signed(-0.014)) == ("0.0", "+3.1", "−1.4")


def test_codes_say_who_is_who() -> None:
    of = gather([outcome(0, model=None), outcome(1), outcome(2)]).model
    assert isinstance(of, Codes)
    assert of.counts() == {"small": 2, "": 1}
    assert of.said() == ["small"]


def test_the_name_of_a_run_can_neither_be_a_formula_nor_break_a_chart() -> None:
    one, other = runs([0.9] * 40, [0.1] * 40)
    section = comparison_page.section(compare(one, replace(other, name="=1+1\x01\u202e")), lambda _ids: {}, [])
    heads = [grid.csv().splitlines()[0] for grid in section.grids.values()]
    assert any("'=1+1" in head for head in heads)
    assert not any(cell.startswith("=") for head in heads for cell in head.split(","))
    for text in [section.title, *heads, *(as_file(chart) for chart in section.figures.values())]:
        assert not {"\x01", "\u202e"} & set(text)


def test_what_the_stacks_were_told_is_what_differs() -> None:
    one, other = runs([0.9] * 40, [0.9] * 40)
    told = {"record": {"settings": {}}, "scheduled": [], "acknowledged": []}
    journals = [Journal.of(told), Journal.of({**told, "stack": {"MAX_ATTEMPTS": "1"}})]
    pair = [replace(run, journal=journal) for run, journal in zip((one, other), journals, strict=True)]
    drawn = comparison_page.section(compare(*pair), lambda _: {})
    assert ("MAX_ATTEMPTS", None, "1") in drawn.grids["settings"].rows
