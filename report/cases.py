"""The worst and the best answers, each distinct one once, with the words that counted."""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np
from cotejo_native import Scorer

from calibration.texts import MOST_LETTERS, cut, visible
from flink_job.database import references_of
from pages.html import element
from report.grid import Grid
from report.outcomes import Outcomes
from report.section import Section
from report.store import Distinct

Document = Mapping[str, Any]
Explain = Callable[[Document], Mapping[str, Any] | None]
"""The judge's explanation of an outcome with its texts; None where its scorer is not known."""
ScorerOf = Callable[[str], Scorer | None]

MOST_CASES = 10
MOST_MARKED = 2000
TINTS = 5
NOTABLE = 0.001
"""What a signal must do to a score to be named."""
CLASSES = ("shared", "missing", "added", "contradicts")


@dataclass(frozen=True)
class Case:
    """One distinct answer: an outcome that has it, and how many of the run do."""

    outcome: Document
    times: int


def extremes(
    of: Outcomes, distinct: Callable[[str, float], Iterable[Distinct]], *, best: bool
) -> Iterator[tuple[str, int]]:
    """The ids of outcomes with distinct answers and how often each was given, from one end of the scores on.

    Parameters
    ----------
    of : Outcomes
        Of a run.
    distinct : callable
        Gives the distinct answers to a question that have a score: equal answers have equal scores.
    best : bool
        From the highest score on, or from the lowest.
    """
    scored = np.flatnonzero(~np.isnan(of.score))
    keys = -of.score[scored] if best else of.score[scored]
    ordered = scored[np.lexsort((of.question.codes[scored], keys))]
    is_same = (np.diff(of.score[ordered]) == 0) & (np.diff(of.question.codes[ordered]) == 0)
    for row in ordered[np.concatenate([[True], ~is_same])] if len(ordered) else ():
        question = of.question.names[of.question.codes[row]]
        yield from ((answer.message_id, answer.times) for answer in distinct(question, float(of.score[row])))


def section(title: str, name: str, cases: Sequence[Case], explain: Explain, left: str) -> Section:
    """Cases side by side, and as a file with their whole texts."""
    made = Section(title)
    if not cases:
        made.say("No outcome of this run has a score and its texts.")
        return made
    made.say(f"{len(cases)} distinct answers{left}; ×n says how often the run gave that very answer.", class_="small")
    made.content.append(_legend())
    rows = []
    for case in cases:
        outcome = case.outcome
        made.content.append(_drawn(case, explain(outcome)))
        texts = (outcome.get("title"), outcome.get("content"), outcome.get("best_answer"), outcome.get("llm_answer"))
        known = (str(outcome["_id"]), case.times, outcome["score"], outcome["verdict"], outcome["attempts"])
        rows.append((*known, *(None if text is None else str(text) for text in texts)))
    columns = ("message_id", "times", "score", "verdict", "attempts", "title", "content", "reference", "answer")
    made.grids[name] = Grid("", columns, rows)
    return made


def verdict(outcome: Document) -> str:
    """The verdict as a sentence."""
    attempts, threshold = outcome.get("attempts") or 0, outcome.get("threshold")
    best = f", best of {attempts} attempts" if attempts > 1 else ""
    at = "" if threshold is None else f", threshold {threshold:g}"
    said = {"accepted": "Accepted", "exhausted": "Not accepted"}.get(str(outcome.get("verdict")), "No verdict")
    return f"{said}: score {outcome['score']:.3f}{best}{at}"


def pair(outcome: Document, explained: Mapping[str, Any] | None) -> Element:
    """Reference and answer side by side."""
    references, explanation = references_of(outcome), (explained or {})
    number = explanation.get("reference", 0)
    which = f" {number + 1} of {len(references)}" if len(references) > 1 else ""
    sides = (
        (f"Reference{which} (a person)", references[number], explanation.get("reference_words", ())),
        ("Answer", outcome["llm_answer"], explanation.get("answer_words", ())),
    )
    drawn = [
        element("div", element("h4", name), element("div", *marked(text, marks), class_="text", dir="auto"))
        for name, text, marks in sides
    ]
    return element("div", *drawn, class_="pair")


def marked(text: str, marks: Sequence[Mapping[str, Any]]) -> list[Element | str]:
    """A text with its marks, which say where words stand in bytes of UTF-8; a long one is cut."""
    if not marks or len(marks) > MOST_MARKED:
        return [cut(text)]
    source, parts, at, shown = text.encode(errors="replace"), list[Element | str](), 0, 0
    heaviest = max(float(mark["weight"]) for mark in marks) or 1.0
    end = len(text[:MOST_LETTERS].encode(errors="replace"))
    for mark in marks:
        if mark["class"] not in CLASSES or mark["start"] < at or mark["end"] > end:
            continue
        parts.append(visible(source[at : mark["start"]].decode(errors="replace")))
        word = visible(source[mark["start"] : mark["end"]].decode(errors="replace"))
        tint = min(TINTS, 1 + math.floor(TINTS * float(mark["weight"]) / heaviest))
        looks = f"{mark['class']} t{tint}"
        hidden = [element("span", "contradicts ", class_="unseen")] if mark["class"] == "contradicts" else []
        parts.append(element("mark", *hidden, word, class_=looks))
        at, shown = mark["end"], shown + 1
    parts.append(visible(source[at:end].decode(errors="ignore")))
    if len(text) > MOST_LETTERS:
        parts.append(f"\n… {len(text) - MOST_LETTERS:,} more letters")
    return parts


def held_back_by(explained: Mapping[str, Any] | None) -> str:
    """The strongest signal, in a sentence."""
    pushes = [signal for signal in (explained or {}).get("signals", ()) if signal["contribution"] < 0]
    worst = min(pushes, key=lambda signal: signal["contribution"], default=None)
    if worst is None or worst["without_it"] - (explained or {})["score"] < NOTABLE:
        return ""
    meaning = worst["meaning"].partition(". ")[0].removesuffix(".")
    meaning = meaning[:1].lower() + meaning[1:]
    return f"Held back most by {worst['name']}: the answer {meaning} (without it {worst['without_it']:.3f})."


def scorers(artefact_of: Callable[[str], str | None]) -> ScorerOf:
    """Gives scorers by their hashes, each read once; None where one is not kept."""

    @cache
    def scorer_of(name: str) -> Scorer | None:
        artefact = artefact_of(name)
        return Scorer(artefact) if artefact else None

    return scorer_of


def explainer(scorer_of: ScorerOf) -> Explain:
    """Explains by the scorer that gave the score."""

    def explain(outcome: Document) -> Mapping[str, Any] | None:
        name = outcome.get("scorer")
        scorer = scorer_of(str(name)) if name is not None else None
        if scorer is None:
            return None
        question = f"{outcome.get('title') or ''}\n{outcome.get('content') or ''}"
        told: Mapping[str, Any] = json.loads(scorer.explain(question, references_of(outcome), outcome["llm_answer"]))
        return told

    return explain


def has_texts(outcome: Document) -> bool:
    """Whether there is anything to show: not of what was forgotten."""
    return outcome.get("llm_answer") is not None and outcome.get("best_answer") is not None


def _drawn(case: Case, explained: Mapping[str, Any] | None) -> Element:
    outcome = case.outcome
    question = f"{outcome.get('title') or ''}\n{outcome.get('content') or ''}".strip()
    times = f" · ×{case.times:,}" if case.times > 1 else ""
    source = "" if outcome.get("model") is None else f" · {visible(str(outcome['model']))}"
    told = [element("p", f"{verdict(outcome)}{source}{times}", class_="verdict")]
    if held := held_back_by(explained):
        told.append(element("p", held, class_="small"))
    why = element("p", "make explain QUESTION=", element("code", visible(str(outcome["_id"]))), class_="small")
    asked = element("p", cut(question), class_="question", dir="auto")
    return element("article", asked, *told, pair(outcome, explained), why)


def _legend() -> Element:
    names = [element("mark", name, class_=f"{name} t2") for name in CLASSES]
    spaced: list[Element | str] = ["Words: "]
    for name in names:
        spaced += [name, " "]
    return element(
        "p", *spaced, "unmarked: common, or in the question. The darker, the more a word counts.", class_="small"
    )
