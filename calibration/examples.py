"""Everything that the judge is fitted on and measured with, as one table of cases."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from cotejo_native import words
from numpy.typing import NDArray

from calibration import data, traps
from calibration.judge import Case, Floats

FOLDS = 5
MOST_REFERENCES = 800


@dataclass(frozen=True)
class Examples:
    """Cases and verdicts, one entry each.

    Attributes
    ----------
    kind : array of str
        open, adversarial, medium, long (people's verdicts); trap, copy (made by rules).
    source : array of str
        The system, or the trap's name.
    origin : array of str
        For what is made by rules: which references it was made of.
    fold : array of int
        The part of its question.
    """

    cases: list[Case]
    accepted: Floats
    kind: NDArray[np.str_]
    source: NDArray[np.str_]
    origin: NDArray[np.str_]
    fold: NDArray[np.int64]

    @property
    def made(self) -> NDArray[np.bool_]:
        """What rules made and nobody judged."""
        return np.isin(self.kind, ["trap", "copy"])


def gather(folder: Path) -> Examples:
    """All examples of a folder with both files."""
    asked = data.open_questions(folder)
    tricky = data.adversarial(folder)
    across = data.across(asked)
    judged = [(example, "") for example in (*asked, *tricky, *across)]
    long = [example for example in across if example.kind == "long"]
    sources = {
        "sample": data.sample_questions(),
        "long": _references(long),
        "short": _references(asked),
        "adversarial": _references(tricky),
    }
    facts = {example.case.question: example.case.references for example in asked}
    made = [(example, origin) for origin, pairs in sources.items() for example in _made(pairs, facts)]
    return _table([*judged, *made])


def _references(examples: Sequence[data.Example]) -> list[tuple[str, str]]:
    """The first reference of each question."""
    first = {example.case.question: example.case.references[0] for example in reversed(examples)}
    # Half of them with a number, if there are as many: those are what `swap_numbers` needs.
    pairs = sorted(first.items(), key=lambda pair: not any(letter.isdigit() for letter in pair[1]))
    half = MOST_REFERENCES // 2
    return pairs[:half] + pairs[-half:] if len(pairs) > MOST_REFERENCES else pairs


def _made(pairs: Sequence[tuple[str, str]], facts: Mapping[str, Sequence[str]]) -> list[data.Example]:
    made = [
        data.Example(
            Case(question, (reference,), answer), name in traps.COPIES, "copy" if name in traps.COPIES else "trap", name
        )
        for name, question, reference, answer in traps.make(pairs)
    ]
    return [example for example in made if not _answers(example, facts.get(example.case.question, ()))]


def _answers(example: data.Example, facts: Sequence[str]) -> bool:
    """A part of a paragraph that has the name or date that was asked for is no trap: people accept it."""
    return example.source in traps.PARTS and any(_within(fact, example.case.answer) for fact in facts)


def _within(part: str, text: str) -> bool:
    wanted, given = words(part), words(text)
    return any(given[start : start + len(wanted)] == wanted for start in range(len(given)))


def _table(rows: Sequence[tuple[data.Example, str]]) -> Examples:
    examples = [example for example, _ in rows]
    return Examples(
        cases=[example.case for example in examples],
        accepted=np.array([float(example.accepted) for example in examples]),
        kind=np.array([example.kind for example in examples]),
        source=np.array([example.source for example in examples]),
        origin=np.array([origin for _, origin in rows]),
        fold=np.array([data.fold(example.case.question, FOLDS) for example in examples]),
    )
