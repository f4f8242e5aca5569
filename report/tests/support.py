"""Runs that tests are made of."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from report.grid import Grid, Value
from report.outcomes import gather
from report.run import Journal, Run

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
Document = Mapping[str, Any]


def outcome(number: int, score: float | None = 0.9, **fields: object) -> dict[str, Any]:
    """A result as MongoDB has it; without a score, an error."""
    asked = START + timedelta(milliseconds=100 * number)
    is_error = score is None
    accepted = score is not None and score >= 0.65
    made: dict[str, Any] = {
        "_id": f"m{number}",
        "question_id": f"q{number}",
        "topic": f"subject {number % 3}",
        "verdict": "error" if is_error else "accepted" if accepted else "exhausted",
        "source": None if is_error else "llm",
        "score": score,
        "confidence": "sure",
        "attempts": 1,
        "latency_ms": 10 + number,
        "asked_at": asked,
        "decided_at": asked + timedelta(milliseconds=10 + number),
        "stored_at": asked + timedelta(milliseconds=30 + number),
        "model": None if is_error else "small",
        "settings": "abc",
        "prompt_version": "en-1",
        "threshold": None if is_error else 0.65,
        "scorer": None if is_error else "scorer",
        "spent": {"calls": 1, "input_tokens": 10, "output_tokens": 5, "nanodollars": 1000},
        "history": [] if is_error else [{"attempts": 1, "score": score, "scorer": "scorer"}],
    }
    if is_error:
        made["error"] = {"type": "timeout"}
    return made | fields


def by_name(grid: Grid) -> dict[Value, Any]:
    """The last value of each row, by the first."""
    return {row[0]: row[-1] for row in grid.rows}


def run_of(*documents: Document, name: str = "demo", journal: Journal | None = None) -> Run:
    """A run with these results."""
    return Run(name, gather(documents), journal, {}, {})
