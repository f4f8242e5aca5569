"""The outcomes of a run as columns: what a report counts, without texts, in memory that some 300 bytes each fill."""

from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

Document = Mapping[str, Any]
Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
Bools = NDArray[np.bool_]

FIELDS = (
    *("question_id", "topic", "verdict", "source", "score", "confidence", "attempts", "latency_ms"),
    *("asked_at", "decided_at", "stored_at", "model", "settings", "prompt_version", "threshold", "scorer", "spent"),
    *("history.attempts", "history.score", "history.scorer", "error.type", "retry_of", "forgotten_at"),
)
"""What is read of a result."""

SPENT = ("calls", "input_tokens", "output_tokens", "nanodollars")
NO_NAME = ""


@dataclass(frozen=True)
class Codes:
    """Names by number: a column in which few names stand often; `NO_NAME` where there is none."""

    names: list[str]
    codes: Whole

    def is_(self, *names: str) -> Bools:
        """Where one of these stands."""
        return np.isin(self.codes, [number for number, name in enumerate(self.names) if name in names])

    def counts(self) -> dict[str, int]:
        """How often each stands, the most frequent first, then by name."""
        counts = np.bincount(self.codes, minlength=len(self.names))
        named = ((name, int(count)) for name, count in zip(self.names, counts, strict=True) if count)
        return dict(sorted(named, key=lambda pair: (-pair[1], pair[0])))

    def said(self) -> list[str]:
        """The names that stand there, the most frequent first."""
        return [name for name in self.counts() if name != NO_NAME]


@dataclass(frozen=True)
class History:
    """Every scored attempt of every request, in the order of requests and attempts; `request` is an index."""

    request: Whole
    attempt: Whole
    score: Floats


@dataclass(frozen=True)
class Outcomes:
    """One entry a result. Times are milliseconds since 1970; what is not known is not a number."""

    ids: list[str]
    question: Codes
    subject: Codes
    verdict: Codes
    source: Codes
    model: Codes
    settings: Codes
    prompt: Codes
    scorer: Codes
    error: Codes
    score: Floats
    threshold: Floats
    unsure: Bools
    attempts: Whole
    latency_ms: Floats
    asked: Floats
    decided: Floats
    stored: Floats
    calls: Whole
    nanodollars: Whole
    history: History
    spent: Mapping[str, int]
    by_model: Mapping[str, Mapping[str, int]]
    estimated: int
    reasked: int
    forgotten: int

    def __len__(self) -> int:
        return len(self.ids)

    def without(self, rows: Bools) -> "Outcomes":
        """The columns without some entries; the history and the sums stay."""
        changed = {field.name: _kept(getattr(self, field.name), ~rows) for field in fields(self)}
        return replace(self, **changed)

    @property
    def accepted(self) -> Bools:
        """Which were accepted; an error was not."""
        return self.verdict.is_("accepted")

    @property
    def is_error(self) -> Bools:
        """Which have no answer."""
        return self.verdict.is_("error")

    @property
    def asked_model(self) -> Bools:
        """Which the model was asked for, whatever came of it: not those that an earlier answer or a twin served."""
        return ~self.source.is_("cache", "mongodb", "coalesced")


def _kept(column: Any, rows: Bools) -> Any:  # noqa: ANN401 - of whatever kind, it gives the same
    """Some entries of a column; what is no column is given back."""
    if isinstance(column, Codes):
        used, codes = np.unique(column.codes[rows], return_inverse=True)
        return Codes([column.names[number] for number in used], codes)
    if isinstance(column, list):
        return [entry for entry, is_kept in zip(column, rows, strict=True) if is_kept]
    return column[rows] if isinstance(column, np.ndarray) else column


class _Names:
    """A column of names while it grows."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._codes = array("q")

    def add(self, name: object) -> None:
        text = NO_NAME if name is None else str(name)
        self._codes.append(self._numbers.setdefault(text, len(self._numbers)))

    def done(self) -> Codes:
        return Codes(list(self._numbers), np.array(self._codes, dtype=np.int64))


NAMES = {
    "question": "question_id",
    "subject": "topic",
    "verdict": "verdict",
    "source": "source",
    "model": "model",
    "settings": "settings",
    "prompt": "prompt_version",
    "scorer": "scorer",
}
NUMBERS = ("score", "threshold", "latency_ms")
TIMES = {"asked": "asked_at", "decided": "decided_at", "stored": "stored_at"}


@dataclass
class _Growing:
    """All columns while they grow."""

    ids: list[str] = field(default_factory=list)
    names: dict[str, _Names] = field(default_factory=lambda: {name: _Names() for name in (*NAMES, "error")})
    floats: dict[str, "array[float]"] = field(default_factory=lambda: {n: array("d") for n in (*NUMBERS, *TIMES)})
    whole: dict[str, "array[int]"] = field(
        default_factory=lambda: {n: array("q") for n in ("unsure", "attempts", "calls", "nanodollars")}
    )
    history: tuple["array[int]", "array[int]", "array[float]"] = field(
        default_factory=lambda: (array("q"), array("q"), array("d"))
    )
    spent: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SPENT, 0))
    by_model: dict[str, dict[str, int]] = field(default_factory=dict)
    estimated: int = 0
    reasked: int = 0
    forgotten: int = 0

    def add(self, outcome: Document) -> None:
        for name, key in NAMES.items():
            self.names[name].add(outcome.get(key))
        self.names["error"].add((outcome.get("error") or {}).get("type"))
        for name in NUMBERS:
            self.floats[name].append(_number(outcome.get(name)))
        for name, key in TIMES.items():
            self.floats[name].append(_milliseconds(outcome.get(key)))
        self.whole["unsure"].append(outcome.get("confidence") == "unsure")
        self.whole["attempts"].append(outcome.get("attempts") or 0)
        self._add_history(outcome)
        self._add_spent(outcome.get("spent") or {})
        self.reasked += outcome.get("retry_of") is not None
        self.forgotten += outcome.get("forgotten_at") is not None
        self.ids.append(str(outcome["_id"]))

    def _add_history(self, outcome: Document) -> None:
        """Of attempts of this verdict's scorer: scores of two scorers are not compared."""
        requests, attempts, scores = self.history
        for attempt in outcome.get("history") or ():
            is_of_this = attempt.get("scorer") in (None, outcome.get("scorer")) or not outcome.get("scorer")
            if is_of_this and attempt.get("score") is not None:
                requests.append(len(self.ids))
                attempts.append(attempt["attempts"])
                scores.append(float(attempt["score"]))

    def _add_spent(self, spent: Document) -> None:
        for name in SPENT:
            self.spent[name] += spent.get(name) or 0
        for name in ("calls", "nanodollars"):
            self.whole[name].append(spent.get(name) or 0)
        self.estimated += bool(spent.get("estimated"))
        for cost in spent.get("by_model") or ():
            sums = self.by_model.setdefault(str(cost["model"]), dict.fromkeys(SPENT, 0))
            for name in SPENT:
                sums[name] += cost.get(name) or 0


def gather(results: Iterable[Document]) -> Outcomes:
    """Results, in any order, as columns; each is let go of as soon as it is read."""
    growing = _Growing()
    for outcome in results:
        growing.add(outcome)
    requests, attempts, scores = growing.history
    names = {name: column.done() for name, column in growing.names.items()}
    floats = {name: np.array(column, dtype=np.float64) for name, column in growing.floats.items()}
    whole = {name: np.array(column, dtype=np.int64) for name, column in growing.whole.items()}
    columns: dict[str, Any] = {**names, **floats, **whole, "unsure": whole["unsure"].astype(bool)}
    return Outcomes(
        ids=growing.ids,
        history=History(np.array(requests, np.int64), np.array(attempts, np.int64), np.array(scores, np.float64)),
        spent=growing.spent,
        by_model=growing.by_model,
        estimated=growing.estimated,
        reasked=growing.reasked,
        forgotten=growing.forgotten,
        **columns,
    )


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _milliseconds(moment: datetime | None) -> float:
    return float("nan") if moment is None else moment.timestamp() * 1000
