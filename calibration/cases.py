"""Cases for a person to judge, and how they are drawn."""

import hashlib
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from heapq import nsmallest
from typing import Any, Literal

Document = Mapping[str, Any]
Chosen = Literal["random", "unsure"]
CHOSEN = ("random", "unsure", "seen")
"""How a labelled answer was come upon, the most telling first: drawn and judged blindly, or seen with its verdict."""

DRAW_SLACK = 1000


@dataclass(frozen=True)
class Case:
    """An answer that was judged, with all that a person needs to judge it, too."""

    id: str
    message_id: str
    question: str
    references: tuple[str, ...]
    answer: str
    score: float
    accepted: bool
    threshold: float | None
    scorer: str | None
    signals: Mapping[str, float] | None

    @classmethod
    def of(cls, outcome: Document) -> "Case":
        """The case of a stored outcome that has a score."""
        return cls(
            id=answer_id(outcome),
            message_id=outcome["_id"],
            question=f"{outcome['title']}\n{outcome.get('content') or ''}".strip(),
            references=(outcome["best_answer"], *(outcome.get("other_answers") or ())),
            answer=outcome["llm_answer"],
            score=outcome["score"],
            accepted=outcome["accepted"],
            threshold=outcome.get("threshold"),
            scorer=outcome.get("scorer"),
            signals=outcome.get("signals"),
        )


def answer_id(outcome: Document) -> str:
    """Names a distinct answer: a question's and its text, however often it was given."""
    parts = (str(outcome["question_id"]), str(outcome["llm_answer"]))
    return hashlib.sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest()[:32]


def draw(outcomes: Iterable[Document], labelled: Container[str], count: int, seed: int) -> list[str]:
    """The message ids of `count` distinct answers, each as likely as any other, in random order.

    The answers with the smallest hashes of seed and answer: a bottom-k sample (Cohen and Kaplan 2007, "Summarizing
    data using bottom-k sketches"). It takes one pass and little memory, counts a popular answer once, and goes on where
    it was left: what was not drawn yet comes after what was.

    Parameters
    ----------
    outcomes : iterable of mapping
        With `_id`, `question_id` and `llm_answer`.
    labelled : container of str
        Answers that are not to be drawn.
    count : int
        How many, at most.
    seed : int
        Another seed is another draw.
    """

    def rank(answer: str) -> str:
        return hashlib.sha256(f"{seed} {answer}".encode()).hexdigest()

    kept: dict[str, str] = {}
    for outcome in outcomes:
        answer = answer_id(outcome)
        if answer not in labelled:
            kept.setdefault(answer, outcome["_id"])
        if len(kept) > 2 * count + DRAW_SLACK:
            kept = {answer: kept[answer] for answer in nsmallest(count, kept, key=rank)}
    return [kept[answer] for answer in nsmallest(count, kept, key=rank)]
