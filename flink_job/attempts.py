"""Accept, ask again, or give up: the rule for the attempts of one asking, as a plain function over a small state."""

from dataclasses import dataclass
from enum import Enum
from typing import TypedDict

import orjson

from flink_job.messages import PreviousAttempt, ScoredAttempt, Usage


class Answer(TypedDict, total=False):
    """What a model answered, as far as an outcome repeats it."""

    llm_answer: str
    model: str
    usage: Usage
    calls: int
    finish_reason: str
    prompt_version: str


@dataclass(frozen=True)
class Attempt:
    """An answer with its number (from 1) and its score (in [0, 1])."""

    attempts: int
    score: float
    answer: Answer

    @classmethod
    def from_previous(cls, previous: PreviousAttempt) -> "Attempt":
        """The best earlier attempt, as a message carries it."""
        return cls(previous["attempts"], previous["score"], {"llm_answer": previous["llm_answer"]})

    def line(self) -> ScoredAttempt:
        """The attempt's line in the history."""
        line: ScoredAttempt = {"attempts": self.attempts, "score": self.score}
        if "model" in self.answer:
            line["model"] = self.answer["model"]
        return line


@dataclass(frozen=True)
class State:
    """What is remembered of an asking: nothing, its attempts so far, or only that it is decided."""

    history: tuple[ScoredAttempt, ...] = ()
    best: Attempt | None = None
    decided: bool = False

    @property
    def attempts(self) -> int:
        """The highest attempt seen; 0 for none."""
        return max((line["attempts"] for line in self.history), default=0)

    @property
    def score(self) -> float:
        """The best score so far; 0 for none."""
        return self.best.score if self.best else 0.0

    def has(self, attempts: int) -> bool:
        """Whether that attempt was seen."""
        return any(line["attempts"] == attempts for line in self.history)

    def with_attempt(self, attempt: Attempt) -> "State":
        """The state with one attempt more; the better one is kept, of equals the earlier."""
        history = sorted((*self.history, attempt.line()), key=lambda line: line["attempts"])
        candidates = (attempt,) if self.best is None else (self.best, attempt)
        return State(tuple(history), max(candidates, key=lambda a: (a.score, -a.attempts)))

    def to_json(self) -> str:
        """The state as text, which later versions of the code can read."""
        return orjson.dumps(self).decode()

    @classmethod
    def from_json(cls, text: str | None) -> "State":
        """Reads what `to_json` wrote; nothing stored is an asking never seen."""
        if text is None:
            return cls()
        fields = orjson.loads(text)
        best = fields["best"]
        return cls(tuple(fields["history"]), Attempt(**best) if best else None, fields["decided"])


class Action(Enum):
    """What an attempt leads to."""

    ACCEPT = "accept"
    """The best attempt reached the threshold: a verdict."""
    EXHAUST = "exhaust"
    """No attempt did and none is left: a verdict, with the best attempt."""
    REGENERATE = "regenerate"
    """Ask once more."""
    DROP = "drop"
    """Nothing: a repeat, or a straggler."""


TOMBSTONE = State(decided=True)


def decide(
    state: State, attempt: Attempt, previous: Attempt | None, *, threshold: float, max_attempts: int
) -> tuple[State, Action]:
    """What follows from one more attempt of an asking.

    Parameters
    ----------
    state : State
        What is remembered of this asking.
    attempt : Attempt
        The attempt that just arrived.
    previous : Attempt or None
        The best earlier attempt as the message tells it: it rebuilds what a lost state knew.
    threshold : float
        The score, in [0, 1], from which an answer is accepted.
    max_attempts : int
        How many times a model may be asked.

    Returns
    -------
    tuple of State and Action
        The state with everything that is known now, for the message to be made from, and what to do.
        After a verdict store `TOMBSTONE` in its stead, so that no second one can follow.
    """
    if state.decided or state.has(attempt.attempts):
        return state, Action.DROP
    asked_again = state.attempts > attempt.attempts
    if previous is not None and not state.has(previous.attempts) and previous.attempts != attempt.attempts:
        state = state.with_attempt(previous)
    state = state.with_attempt(attempt)
    if state.score >= threshold:
        return state, Action.ACCEPT
    if state.attempts >= max_attempts:
        return state, Action.EXHAUST
    return state, Action.DROP if asked_again else Action.REGENERATE
