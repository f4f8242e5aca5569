"""People's verdicts, as examples to fit on and to measure with.

They are others' texts, and not in this repository. `make fit DATA=folder` wants two files of compressed JSON lines:

- `open_qa_train.jsonl.gz`: EVOUNA (Wang et al. 2023, Evaluating Open-QA Evaluation), with `set` (NQ or TQ), `system`
  (who answered), `question`, `references` (every acceptable answer), `answer`, and `accepted` (a person's verdict)
- `adversarial_train.jsonl.gz`: TruthfulQA (Lin et al. 2022), with `question`, `reference`, `right` (other true answers)
  and `wrong` (false ones that sound right)

Each is one half of its set, split by question; the other half was never fitted on.
"""

import csv
import gzip
import hashlib
import json
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calibration.judge import Case

LONG_WORDS = 30
SAMPLE = Path(__file__).resolve().parents[1] / "data/sample_questions.csv"


@dataclass(frozen=True)
class Example:
    """A case and whether a person accepted the answer."""

    case: Case
    accepted: bool
    kind: str
    source: str


def read(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a compressed file of JSON lines."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def fold(question: str, folds: int) -> int:
    """Which part of the data a question belongs to: the same in every set that asks it."""
    return int(hashlib.sha256(question.strip().lower().encode()).hexdigest(), 16) % folds


def open_questions(folder: Path) -> list[Example]:
    """Real answers of five systems to open questions."""
    return [
        Example(
            Case(row["question"], tuple(row["references"]), row["answer"]),
            row["accepted"],
            "open",
            f"{row['set']} {row['system']}",
        )
        for row in read(folder / "open_qa_train.jsonl.gz")
    ]


def adversarial(folder: Path) -> list[Example]:
    """True and false answers to questions that invite false ones."""
    return [
        Example(Case(row["question"], (row["reference"],), answer), accepted, "adversarial", "adversarial")
        for row in read(folder / "adversarial_train.jsonl.gz")
        for answers, accepted in ((row["right"], True), (row["wrong"], False))
        for answer in answers
    ]


def across(examples: list[Example], least: int = 12) -> list[Example]:
    """One system's accepted answer as the reference for another's: references of sentences and paragraphs."""
    by_question: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        by_question[example.case.question].append(example)
    pairs = []
    for question, group in by_question.items():
        chance = random.Random(question)  # noqa: S311 -- examples, not secrets
        for reference in group:
            length = len(reference.case.answer.split())
            if not reference.accepted or length < least:
                continue
            others = [other for other in group if other.source != reference.source and not other.source.endswith("fid")]
            for other in chance.sample(others, min(2, len(others))):
                kind = "long" if length >= LONG_WORDS else "medium"
                pairs.append(
                    Example(Case(question, (reference.case.answer,), other.case.answer), other.accepted, kind, kind)
                )
    return pairs


def sample_questions() -> list[tuple[str, str]]:
    """The questions of the sample data with their long answers."""
    with SAMPLE.open(encoding="utf-8", newline="") as lines:
        return [
            (f"{title}\n{content}".strip(), answer.replace("\\n", "\n"))
            for _, title, content, answer in csv.reader(lines)
        ]
