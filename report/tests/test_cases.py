"""The worst and the best answers, and what people said of answers."""

from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import Any
from xml.etree.ElementTree import tostring

from calibration.cases import answer_id
from pages.html import element
from report import cases, people
from report.outcomes import gather
from report.store import Distinct
from report.tests.support import by_name, outcome, run_of


class Answers:
    """What the store has of answers; counts how often it is asked."""

    def __init__(self, documents: Sequence[dict[str, Any]]) -> None:
        self._documents = documents
        self.asked = 0

    def __call__(self, question: str, score: float | None = None) -> list[Distinct]:
        self.asked += 1
        chosen = [d for d in self._documents if d["question_id"] == question and score in (None, d["score"])]
        texts = Counter(d["llm_answer"] for d in chosen)
        first = {d["llm_answer"]: d for d in reversed(chosen)}
        return [Distinct(answer_id(first[text]), first[text]["_id"], many) for text, many in texts.most_common()]


def documents() -> list[dict[str, Any]]:
    """Many of one bad answer, two bad ones of one question with one score, and good ones."""
    bad = [outcome(i, 0.1, question_id="popular", llm_answer="bad") for i in range(30)]
    twins = [outcome(40 + i, 0.2, question_id="other", llm_answer=text) for i, text in enumerate(("x", "y", "y"))]
    good = [outcome(50 + i, 0.9 + i / 1000, llm_answer=f"good {i}") for i in range(20)]
    return [*good, *bad, *twins, outcome(99, None)]


def test_each_distinct_answer_is_there_once_with_how_often_it_was_given() -> None:
    made = documents()
    worst = list(islice(cases.extremes(gather(made), Answers(made), best=False), 4))
    assert worst == [("m0", 30), ("m41", 2), ("m40", 1), ("m50", 1)]
    best = list(islice(cases.extremes(gather(made), Answers(made), best=True), 2))
    assert best == [("m69", 1), ("m68", 1)]


def test_no_more_answers_are_looked_at_than_are_shown() -> None:
    made, answers = documents(), Answers(documents())
    list(islice(cases.extremes(gather(made), answers, best=False), 3))
    assert answers.asked == 2


def test_a_run_of_errors_has_no_best_answer() -> None:
    assert list(cases.extremes(gather([outcome(0, None)]), Answers([]), best=True)) == []
    drawn = cases.section("The best answers", "best", [], lambda _: None, "")
    assert not drawn.grids


def test_words_are_marked_where_they_stand_in_bytes_and_texts_stay_texts() -> None:
    text = "Größe <b>zählt</b> & mehr\u202e"
    start = len("Größe <b>".encode())
    mark = {"class": "missing", "start": start, "end": start + len("zählt".encode()), "weight": 2.0, "word": "zählt"}
    html = tostring(element("p", *cases.marked(text, [mark])), encoding="unicode")
    assert html == '<p>Größe &lt;b&gt;<mark class="missing t5">zählt</mark>&lt;/b&gt; &amp; mehr⟨U+202E⟩</p>'


def test_a_long_text_is_cut_with_its_marks_and_says_by_how_much() -> None:
    text = "word " * 1000
    marks = [{"class": "added", "start": 5 * i, "end": 5 * i + 4, "weight": 1.0} for i in range(1000)]
    html = tostring(element("p", *cases.marked(text, marks)), encoding="unicode")
    assert html.count("<mark") == 240
    assert "3,800 more letters" in html


def test_a_label_holds_for_every_outcome_that_has_its_answer_and_only_random_ones_count() -> None:
    made = [outcome(i, 0.9 if i else 0.2, question_id=f"q{i // 2}", llm_answer=f"a{i // 2}") for i in range(8)]
    names = {i: answer_id(made[2 * i]) for i in range(4)}

    def label(answer: str, message_id: str, *, accepted: bool, chosen: str = "random") -> dict[str, Any]:
        return {"_id": f"{answer}:{chosen}", "message_id": message_id, "accepted": accepted, "chosen": chosen}

    labels = [
        label(names[0], "of another run", accepted=True),
        label(names[1], "m2", accepted=False),
        label(names[2], "m4", accepted=True, chosen="unsure"),
        label("gone", "m999", accepted=True),
    ]
    questions = {"of another run": "q0", "m2": "q1", "m4": "q2"}
    found = people.labelled(gather(made), labels, lambda _: questions, Answers(made))
    assert (found.judged, found.accepted, found.other) == ([False, True], [True, False], 1)
    section = people.section(run_of(*made), found)
    assert by_name(section.grids["labels"])["agreement"].hits == 0
    assert not section.figures


def test_without_labels_the_command_that_makes_some_is_named() -> None:
    run = run_of(outcome(0))
    found = people.labelled(run.outcomes, [], lambda _: {}, Answers([]))
    told = [part.text for part in people.section(run, found).content]
    assert told[0] is not None
    assert told[0].startswith("No labels yet")
    assert told[1] is not None
    assert told[1].startswith("make label COUNT=100 RUN=demo")
