"""Scoring runs again by one scorer, so that those that were judged by two can be compared."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from flink_job.database import references_of
from report.comparison import obstacles
from report.outcomes import NO_NAME, Codes
from report.run import Run

Document = Mapping[str, Any]
CUT_OFF = "length"
"""The `finish_reason` of an answer that was cut off, and so is not accepted."""


class Scores(Protocol):
    """A scorer, as the Rust module has it."""

    def score(self, question: str, references: Sequence[str], answer: str) -> float:
        """The probability that a person would accept an answer."""


def alike(
    runs: Sequence[Run],
    scorer: Callable[[str], Scores | None],
    answers: Callable[[str], Iterable[Document]],
) -> tuple[list[Run], str]:
    """The runs as one scorer and one threshold judge them, and what was done; as they are where none has to be.

    Parameters
    ----------
    runs : sequence of Run
        The first, and those that are compared with it.
    scorer : callable
        Gives a scorer by its hash; None where it is not kept.
    answers : callable
        Gives the scored outcomes of a run, by its name, with their texts.
    """
    if not any(obstacles(runs[0], other) for other in runs[1:]):
        return list(runs), ""
    name, threshold = _newest(runs), next((run.threshold for run in reversed(runs) if run.threshold is not None), None)
    judge = scorer(name) if name else None
    if judge is None or threshold is None:
        return list(runs), ""
    again = [_judged(run, name, judge, threshold, answers) for run in runs]
    if any(obstacles(again[0], other) for other in again[1:]):
        return list(runs), ""
    left_out = sum(len(run.outcomes) - len(judged.outcomes) for run, judged in zip(runs, again, strict=True))
    return again, (
        f"For the comparison all answers were scored again by {name}, the newest of these scorers, at the threshold "
        f"{threshold:g}. Whether to ask again was decided by the verdicts of each run, which this cannot undo."
        + (f" {left_out:,} outcomes whose texts are gone are left out." if left_out else "")
    )


def _newest(runs: Sequence[Run]) -> str:
    made = {name: known["made_at"] for run in runs for name, known in run.scorers.items() if known.get("made_at")}
    return max(made, key=lambda name: made[name], default="")


def _judged(run: Run, name: str, judge: Scores, threshold: float, answers: Callable[[str], Iterable[Document]]) -> Run:
    """A run with new scores and verdicts, without the outcomes that have no texts any more."""
    of = run.outcomes
    rows = {message_id: row for row, message_id in enumerate(of.ids)}
    score, accepted, is_done = of.score.copy(), np.zeros(len(of), dtype=bool), np.isnan(of.score)
    # By a digest: the texts of a whole run are not for memory.
    known: dict[bytes, float] = {}
    key_of: dict[int, bytes] = {}
    # Of twins, only the one that the model answered for knows.
    cut_off: set[bytes] = set()
    for outcome in answers(run.name):
        row = rows.get(str(outcome["_id"]))
        if row is None or outcome.get("llm_answer") is None or outcome.get("best_answer") is None:
            continue
        question = f"{outcome.get('title') or ''}\n{outcome.get('content') or ''}"
        case = (question, references_of(outcome), str(outcome["llm_answer"]))
        key = hashlib.blake2b(repr(case).encode(errors="replace"), digest_size=16).digest()
        if key not in known:
            known[key] = judge.score(*case)
        score[row], is_done[row], key_of[row] = known[key], True, key
        if outcome.get("finish_reason") == CUT_OFF:
            cut_off.add(key)
    for row, key in key_of.items():
        accepted[row] = known[key] >= threshold and key not in cut_off
    verdict = np.where(of.is_error, 2, np.where(accepted, 0, 1))
    judged = replace(
        of,
        score=score,
        verdict=Codes(["accepted", "exhausted", "error"], verdict),
        scorer=Codes([name, NO_NAME], np.where(np.isnan(score), 1, 0)),
        threshold=np.where(np.isnan(score), np.nan, threshold),
    )
    return replace(run, outcomes=judged.without(~is_done))
