"""How cases are drawn."""

from collections import Counter
from typing import Any

from calibration.cases import Case, answer_id, draw


def outcomes(answers: int, repeats: int = 1) -> list[dict[str, Any]]:
    return [
        {"_id": f"m{number}-{repeat}", "question_id": f"q{number}", "llm_answer": f"answer {number}"}
        for repeat in range(repeats)
        for number in range(answers)
    ]


def drawn(found: list[str]) -> list[str]:
    return [message_id.partition("-")[0] for message_id in found]


def test_a_popular_answer_is_drawn_once() -> None:
    popular = [*outcomes(20), *outcomes(1, repeats=500)]
    found = drawn(draw(popular, (), 20, seed=1))
    assert len(found) == len(set(found)) == 20


def test_every_answer_is_as_likely_as_any_other() -> None:
    many = [*outcomes(10, repeats=3), *outcomes(2, repeats=50)]
    counts = Counter(message for seed in range(1000) for message in drawn(draw(many, (), 3, seed)))
    assert set(counts) == {f"m{number}" for number in range(10)}
    # 300 each: four standard errors away is 58.
    assert all(abs(count - 300) < 60 for count in counts.values())


def test_the_same_seed_draws_the_same_in_whatever_order_results_are_read() -> None:
    forward = drawn(draw(outcomes(5000), (), 50, seed=3))
    assert forward == drawn(draw(reversed(outcomes(5000)), (), 50, seed=3))
    assert forward != drawn(draw(outcomes(5000), (), 50, seed=4))


def test_a_draw_goes_on_where_it_was_left() -> None:
    every = outcomes(300)
    first = draw(every, (), 20, seed=1)
    labelled = {answer_id(outcome) for outcome in every if outcome["_id"] in first}
    second = draw(every, labelled, 20, seed=1)
    assert first + second == draw(every, (), 40, seed=1)


def test_one_answer_to_two_questions_is_two_cases() -> None:
    one = {"_id": "a", "question_id": "q1", "llm_answer": "Yes."}
    assert answer_id(one) != answer_id(one | {"question_id": "q2"})
    assert answer_id(one) == answer_id(one | {"_id": "b"})


def test_a_case_has_all_references_and_needs_nothing_that_old_results_lack() -> None:
    old = {
        "_id": "m",
        "question_id": "q",
        "title": "Why?",
        "content": None,
        "best_answer": "Because.",
        "llm_answer": "So.",
        "score": 0.5,
        "accepted": False,
    }
    assert Case.of(old).references == ("Because.",)
    assert Case.of(old).question == "Why?"
    assert Case.of(old | {"other_answers": ["For that reason."]}).references == ("Because.", "For that reason.")


def test_the_draw_is_the_one_that_explorer_makes() -> None:
    # The same answers and the same draw are in services/explorer/src/draw/tests.rs.
    made = [{"_id": f"m{i}", "question_id": f"q{i % 7}", "llm_answer": f"Answer {i % 11}."} for i in range(100)]
    found = draw(made, {answer_id(made[3])}, 3, seed=1)
    names = [answer_id(made[int(message_id[1:])])[:8] for message_id in found]
    assert names == ["bbe8ca5c", "e37c37ce", "f8fbbc8a"]
