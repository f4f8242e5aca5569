"""How an explanation is drawn, and what a run's summary says of the judge."""

import io
from pathlib import Path
from typing import Any

import pytest
from cotejo_native import meanings
from rich.console import Console

from stack.explanation import held_back_by, marked, show, verdict
from stack.judging import OPTIONS
from stack.outcomes import Summary, summarise
from stack.settings import SettingError, Settings
from stack.traffic import said_since, send

REFERENCE, ANSWER = "Niño: air scatters 5 waves", "Niño: the sea scatters 7 waves"


def mark(text: str, word: str, kind: str, weight: float = 1.0) -> dict[str, Any]:
    start = len(text[: text.index(word)].encode())
    return {
        "word": word,
        "stem": word.lower(),
        "start": start,
        "end": start + len(word.encode()),
        "class": kind,
        "weight": weight,
    }


def signal(name: str, value: float, contribution: float, without: float) -> dict[str, Any]:
    return {
        "name": name,
        "meaning": f"Has {name} in it. How {name} is measured.",
        "value": value,
        "contribution": contribution,
        "without_it": without,
    }


def explained(**fields: object) -> dict[str, Any]:
    explanation = {
        "scorer": "abc",
        "score": 0.41,
        "unsure": False,
        "reference": 0,
        "signals": [
            signal("cosine", 0.5, 0.0, 0.41),
            signal("uncovered", 0.4, -0.9, 0.6),
            signal("numbers_replaced", 1.0, -2.0, 0.72),
            signal("echo", 0.0, 0.0, 0.41),
            signal("excess", 0.1, -0.1, 0.43),
        ],
        "reference_words": [
            mark(REFERENCE, "Niño", "shared"),
            mark(REFERENCE, "air", "missing", 2.0),
            mark(REFERENCE, "scatters", "shared"),
            mark(REFERENCE, "5", "contradicts", 3.0),
        ],
        "answer_words": [mark(ANSWER, "sea", "added"), mark(ANSWER, "7", "contradicts", 3.0)],
    }
    texts = {"question": "Why?", "references": [REFERENCE], "answer": ANSWER}
    return {**texts, "explanation": explanation, **fields}


def drawn(what: dict[str, Any], threshold: float = 0.65, width: int = 120) -> str:
    file = io.StringIO()
    show(what, threshold, Console(file=file, width=width))
    return file.getvalue()


def drawn_with(*signals: dict[str, Any]) -> str:
    what = explained()
    what["explanation"]["signals"] = list(signals)
    return drawn(what)


def test_marks_have_a_form_and_stand_where_the_words_do_whatever_letters_come_before() -> None:
    explanation = explained()["explanation"]
    assert str(marked(REFERENCE, explanation["reference_words"])) == "Niño: [air] scatters ≠5 waves"
    assert str(marked(ANSWER, explanation["answer_words"])) == "Niño: the +sea scatters ≠7 waves"


def test_what_holds_a_score_back_is_said_in_one_sentence() -> None:
    sentence = held_back_by(explained()["explanation"])
    assert sentence == (
        "Held back by: 1 missing word (air), 2 contradicting words (5, 7), "
        "most of all numbers_replaced (without it 0.720)."
    )
    assert held_back_by(explained()["explanation"] | {"signals": []}) == ""


def test_a_word_that_contradicts_in_both_texts_or_twice_is_one_word() -> None:
    both = {
        "signals": [signal("denied", 1.0, -1.0, 0.6)],
        "reference_words": [mark("not safest", "safest", "contradicts", 2.0)],
        "answer_words": [
            mark("Safest choice, safest", "Safest", "contradicts", 2.0),
            mark("Safest choice, safest", "choice", "contradicts", 1.0),
            mark("Safest choice, safest", "safest", "contradicts", 2.0),
        ],
    }
    assert held_back_by(both).startswith("Held back by: 2 contradicting words (safest, choice), most of all")


def test_a_verdict_is_told_as_it_was_and_texts_as_they_would_be_judged() -> None:
    known = {"verdict": "exhausted", "attempts": 3, "threshold": 0.7}
    assert verdict(explained(**known), 0.65).startswith("Not accepted: score 0.410, best of 3 attempts, threshold 0.7,")
    assert "would not be accepted, threshold 0.65" in verdict(explained(), 0.65)
    assert "would be accepted, threshold 0.4" in verdict(explained(), 0.4)


def test_without_a_stack_it_says_by_what_it_judged() -> None:
    assert "this is the shipped model" in drawn(explained(knows_corpus=False))
    assert "shipped" not in drawn(explained(knows_corpus=True))


def test_an_explanation_has_texts_legend_and_signals_the_strongest_first() -> None:
    shown = drawn(explained())
    for text in ("Why?", "[air]", "≠7", "unmarked: common", "Has numbers_replaced in it", "0.720"):
        assert text in shown
    assert shown.index("numbers_replaced", shown.index("pushes")) < shown.index("uncovered")


def test_only_signals_that_push_noticeably_are_shown_and_the_others_are_counted() -> None:
    shown = drawn(explained())
    assert "1 signal pushes too little to show." in shown
    assert not [name for name in ("excess", "echo", "cosine", "How uncovered is measured") if name in shown]
    assert "No signal pushes the score down." in drawn_with(signal("cosine", 1.0, 0.0, 0.9))


def test_a_bar_has_one_length_for_one_push_whatever_else_pushes() -> None:
    small, large = signal("small", 0.1, -0.6, 0.5), signal("large", 1.0, -9.0, 0.9)
    for shown in (drawn_with(small), drawn_with(small, large)):
        [line] = [line for line in shown.splitlines() if line.startswith("small")]
        assert line.count("■") == 2
    [line] = [line for line in drawn_with(large).splitlines() if line.startswith("large")]
    assert line.count("■") == 10


def test_nothing_but_the_texts_needs_more_than_eighty_columns() -> None:
    what = explained(knows_corpus=False)
    what["explanation"]["signals"] = [
        signal(name, 1.0, -3.0, 0.7) | {"meaning": meaning} for name, meaning in meanings().items()
    ]
    lines = drawn(what, width=80).splitlines()
    assert len([line for line in lines if "■■■" in line]) == len(meanings())
    below = lines[lines.index(next(line for line in lines if line.startswith("signal "))) :]
    assert len(below) == 1 + len(meanings()) + 1


def test_texts_cannot_steer_the_terminal() -> None:
    evil = explained(question="\x1b[2J", answer="[red]x\u202e[/red]")
    evil["explanation"]["answer_words"] = []
    shown = drawn(evil)
    assert "\x1b" not in shown
    assert "[red]x⟨U+202E⟩[/red]" in shown


def test_very_long_texts_are_shown_without_marks() -> None:
    long = "word " * 3000
    marks = [mark("word", "word", "missing") | {"start": 5 * i, "end": 5 * i + 4} for i in range(3000)]
    assert "[word]" not in str(marked(long, marks))


class Stored:
    """Outcomes, as a collection has them."""

    def __init__(self, *outcomes: dict[str, Any]) -> None:
        self._outcomes = outcomes

    def find(self, *_: object) -> list[dict[str, Any]]:
        return list(self._outcomes)


def outcome(**fields: object) -> dict[str, Any]:
    return {"_id": "a", "verdict": "accepted", "source": "llm", "attempts": 1, "score": 0.9, **fields}


def summary(folder: Path, *outcomes: dict[str, Any]) -> Summary:
    (folder / "events.csv").write_text("message_id\na\n")
    return summarise(folder, Stored(*outcomes), 0)  # type: ignore[arg-type]


def test_a_summary_counts_unsure_verdicts_and_accepted_traps(tmp_path: Path) -> None:
    rows = dict(
        summary(
            tmp_path,
            outcome(confidence="unsure"),
            outcome(confidence="sure", model="offline-trap"),
            outcome(verdict="exhausted", model="offline-trap"),
        ).rows()
    )
    assert (rows["unsure"], rows["traps accepted"]) == ("1", "1 of 2")


def test_a_summary_without_any_says_nothing_of_them(tmp_path: Path) -> None:
    assert not {"unsure", "traps accepted"} & dict(summary(tmp_path, outcome(model="offline-good")).rows()).keys()


def test_a_summary_tells_how_many_paraphrases_have_the_id_of_what_they_paraphrase(tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text("message_id,question_id,paraphrase_of\na,q,\nb,q,q\nc,r,q\nd,s,q\n")
    rows = dict(summarise(tmp_path, Stored(), 0).rows())  # type: ignore[arg-type]
    assert (rows["asked"], rows["paraphrases known"]) == ("4", "1 of 3")


def spent(*models: str, nanodollars: int = 0, **fields: object) -> dict[str, Any]:
    cost = {"calls": 2, "input_tokens": 1000, "output_tokens": 20, "nanodollars": nanodollars}
    return cost | {"by_model": [cost | {"model": model} for model in models], **fields}


def bill(folder: Path, *costs: dict[str, Any] | None) -> dict[str, str]:
    rows = dict(summary(folder, *(outcome(spent=cost) for cost in costs)).rows())
    return {name: rows[name] for name in ("model calls", "tokens in/out", "spent") if name in rows}


def test_a_summary_adds_up_what_was_spent_also_on_what_failed(tmp_path: Path) -> None:
    failed = outcome(verdict="error", source=None, score=None, spent=spent("large", nanodollars=12_000_000))
    rows = dict(summary(tmp_path, failed, outcome(spent=spent("small", nanodollars=300_000)), outcome()).rows())
    assert (rows["model calls"], rows["tokens in/out"], rows["spent"]) == ("4", "2,000/40", "$0.0123")


def test_a_summary_says_that_a_part_of_the_sum_was_estimated(tmp_path: Path) -> None:
    estimated = spent("small", nanodollars=1_234_000_000, estimated=True)
    assert bill(tmp_path, estimated, spent("small"))["spent"] == "about $1.2340"


def test_a_summary_does_not_show_the_little_that_was_spent_as_nothing(tmp_path: Path) -> None:
    assert bill(tmp_path, spent("small", nanodollars=99_999))["spent"] == "under $0.0001"
    assert bill(tmp_path, spent("small", nanodollars=100_000))["spent"] == "$0.0001"


def test_a_summary_shows_a_model_that_costs_nothing_but_not_the_simulated_one(tmp_path: Path) -> None:
    assert bill(tmp_path, spent("local"))["spent"] == "$0.0000"
    assert bill(tmp_path, spent(), None) == {}


def test_a_summary_names_one_question_that_was_rejected_or_unsure_if_it_has_a_score(tmp_path: Path) -> None:
    accepted, failed = outcome(_id="accepted"), outcome(_id="failed", verdict="error", score=None)
    assert summary(tmp_path, accepted, failed).doubtful == ""
    rejected, unsure = outcome(_id="rejected", verdict="exhausted"), outcome(_id="unsure", confidence="unsure")
    assert summary(tmp_path, accepted, failed, rejected, unsure).doubtful == "rejected"
    assert summary(tmp_path, accepted, unsure).doubtful == "unsure"


@pytest.mark.parametrize("total", ["abc", "0", "-1", "1.5", "1000000001"])
def test_a_total_that_cannot_be_is_named_with_what_is_allowed_before_anything_is_sent(
    total: str, tmp_path: Path
) -> None:
    settings = Settings(tmp_path, environment={"TRAFFIC_TOTAL": total})
    with pytest.raises(
        SettingError, match=f"TOTAL={total} cannot be used; allowed is a whole number from 1 to 1000000"
    ):
        send(None, settings, {}, Console())  # type: ignore[arg-type]


def test_of_a_log_only_what_was_written_since_is_told(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("an earlier run\n")
    start = log.stat().st_size
    assert said_since(log, start) == ""
    log.write_text("an earlier run\nthis run\n\nfails\n")
    assert said_since(log, start) == "this run\nfails"
    log.write_text("a new log\n")
    assert said_since(log, start) == "a new log"


@pytest.mark.parametrize("command", OPTIONS)
def test_every_option_of_a_command_is_one_that_make_hands_on(command: str) -> None:
    lines = (Path(__file__).parents[1] / "Makefile").read_text().splitlines()
    [known] = [line for line in lines if line.startswith(f"knows.{command} :=")]
    assert set(known.split()[2:]) == set(OPTIONS[command])
    [recipe] = [line for line in lines if f"$(STACK) {command} " in line]
    assert recipe.endswith("$(given)")
