"""Very many outcomes for explorer to show: made up, the same whenever they are made, and put straight into MongoDB."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo.collection import Collection

from tests.support import Document

RUNS = ("spring", "summer", "autumn", "winter")
"""One after the other; each asks the same questions."""
EACH = 25_000
OUTCOMES = EACH * len(RUNS)
THRESHOLD = 0.65
TOGETHER = 2_000
LASTS = timedelta(hours=1)
SOURCES = ("llm", "llm", "cache", "mongodb", "coalesced")
TOPICS = ("Science", "Health", "Sports", "Music", "Travel", "Food", "History")
ERRORS = ("timeout", "refused", "unreachable")
MODELS = ("small", "large")
THINGS = (
    "lighthouse",
    "volcano",
    "violin",
    "glacier",
    "compass",
    "orchard",
    "satellite",
    "cathedral",
    "beehive",
    "reef",
)
SAID = "it is because of light and water that warm cold old new things move grow bend shine or sleep"
WORDS = (*SAID.split(), *THINGS)


def chance(seed: object) -> random.Random:
    """A draw that is the same for the same seed."""
    return random.Random(str(seed))  # noqa: S311 - repeatable is what it must be


def fill(results: Collection[Document], template: Document) -> None:
    """Stores them all, in the form of an outcome that the stack has stored itself."""
    began = datetime.now(UTC).replace(microsecond=0) - 2 * LASTS
    for start in range(0, OUTCOMES, TOGETHER):
        numbers = range(start, start + TOGETHER)
        results.insert_many((template | outcome(number, began) for number in numbers), ordered=False)


def outcome(number: int, began: datetime) -> Document:
    """What tells an outcome from the template."""
    run, asked = divmod(number, EACH)
    of_this = chance(number)
    decided_at, latency_ms = began + number * LASTS / OUTCOMES, round(of_this.lognormvariate(6, 1))
    return (
        question(asked)
        | answered(f"{run}", asked, of_this)
        | {
            "_id": f"{RUNS[run]}-{asked}",
            "run": RUNS[run],
            "model": MODELS[run % 2],
            "latency_ms": latency_ms,
            "asked_at": decided_at - timedelta(milliseconds=latency_ms),
            "decided_at": decided_at,
            "stored_at": decided_at,
        }
    )


def question(asked: int) -> Document:
    """A question, which has a word of its own."""
    draw = chance(f"question {asked}")
    return {
        "question_id": f"question-{asked}",
        "title": f"Why does the {draw.choice(THINGS)} {draw.choice(WORDS)} in case{asked}?",
        "content": text(draw, 8),
        "best_answer": text(draw, 30),
        "topic": draw.choice(TOPICS),
    }


def answered(run: str, asked: int, of_this: random.Random) -> Document:
    """What came of it: an answer that was not asked for anew is the same in every run, and costs nothing."""
    source = of_this.choice(SOURCES)
    draw = chance(f"answer {asked} {run if source == 'llm' else ''}")
    attempts, score = draw.randint(1, 3), round(draw.betavariate(4, 2), 6)
    if source == "llm" and draw.random() < 0.1:
        failed = {"verdict": "error", "accepted": False, "source": None, "score": None, "confidence": None}
        kind = {"type": draw.choice(ERRORS), "detail": "nobody answers", "retry_at": datetime.now(UTC)}
        none = dict.fromkeys(("llm_answer", "usage", "scorer", "threshold", "signals"))
        return failed | none | {"error": kind, "attempts": attempts, "spent": spent(draw, attempts), "history": []}
    accepted = score >= THRESHOLD
    attempts = attempts if accepted else 3
    return {
        "verdict": "accepted" if accepted else "exhausted",
        "accepted": accepted,
        "source": source,
        "score": score,
        "threshold": THRESHOLD,
        "confidence": "unsure" if abs(score - THRESHOLD) < 0.05 else "sure",
        "llm_answer": text(draw, 30),
        "attempts": attempts,
        "spent": spent(draw, attempts) if source == "llm" else None,
        "history": [{"attempts": n, "score": score * n / attempts} for n in range(1, attempts + 1)],
    }


def spent(draw: random.Random, calls: int) -> Document:
    """What so many calls cost."""
    sent, received = (calls * draw.randint(20, 900) for _ in range(2))
    cost = 150 * sent + 600 * received
    return {"calls": calls, "input_tokens": sent, "output_tokens": received, "nanodollars": cost}


def text(draw: random.Random, words: int) -> str:
    """Some words."""
    return " ".join(draw.choices(WORDS, k=words)) + "."


def value(outcome: Document, field: str) -> Any:  # noqa: ANN401 - whatever MongoDB has there
    """What an outcome has under a name such as `spent.nanodollars`; None where it has nothing."""
    found: Any = outcome
    for name in field.split("."):
        found = found.get(name) if found else None
    return found


def in_order(outcomes: list[Document], field: str, *, descending: bool) -> list[Any]:
    """The values of a field in their order; those that are not there come last, whichever that is."""
    values = [value(outcome, field) for outcome in outcomes]
    there = sorted((found for found in values if found is not None), reverse=descending)
    return there + [None] * (len(values) - len(there))
