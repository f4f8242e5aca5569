"""Labels as they are worked with, and as CSV files."""

import csv
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any

REQUIRED = ("question", "reference", "answer", "accepted")
COLUMNS = (*REQUIRED, "other_answers", "chosen", "revised", "score")
YES, NO = frozenset({"yes", "y", "true", "1"}), frozenset({"no", "n", "false", "0"})

# What a spreadsheet takes for a formula (OWASP ASVS 1.2.10).
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\0")


class BadLabelsError(ValueError):
    """A file that cannot be used: which line, and what is allowed."""


@dataclass(frozen=True)
class Label:
    """What a person said of an answer.

    `chosen` is empty where a file does not tell how, and `revised` says whether the verdict had been seen before.
    """

    question: str
    references: tuple[str, ...]
    answer: str
    accepted: bool
    chosen: str = "random"
    revised: bool = False

    @property
    def blind(self) -> bool:
        """Whether it was drawn at random, or is taken so: it stands for all answers, and may be measured on."""
        return self.chosen in ("random", "")


def of_stored(stored: Mapping[str, Any]) -> Label:
    """A label of MongoDB."""
    texts = stored["question"], tuple(stored["references"]), stored["answer"]
    return Label(*texts, stored["accepted"], stored["chosen"], stored.get("revised", False))


def decoded(file: bytes) -> str:
    """A file's text. Raises BadLabelsError where it is not UTF-8."""
    try:
        return file.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = file[: error.start].count(b"\n") + 1
        raise BadLabelsError(f"not UTF-8, line {line}; save the file as UTF-8") from error


def read_csv(text: str) -> tuple[list[Label], int]:
    """The labels of a CSV file, and how many rows repeat others.

    There is one label of each answer to a question; of several that agree, one from a random draw.

    Raises
    ------
    BadLabelsError
        A column is missing, a line cannot be read, or two contradict each other.
    """
    csv.field_size_limit(sys.maxsize)
    rows = csv.DictReader(StringIO(text.removeprefix("\ufeff"), newline=""))
    names = rows.fieldnames or ()
    if missing := [name for name in REQUIRED if name not in names]:
        raise BadLabelsError(f"the column {missing[0]} is missing; needed are {', '.join(REQUIRED)}{_hint(names)}")
    first: dict[tuple[str, str], int] = {}
    labels: dict[tuple[str, str], Label] = {}
    repeated = 0
    for row in rows:
        label = _of_row(row, rows.line_num)
        of = (label.question, label.answer)
        repeated += of in labels
        line, known = first.setdefault(of, rows.line_num), labels.setdefault(of, label)
        if known.accepted != label.accepted:
            raise BadLabelsError(f"line {rows.line_num}: line {line} says the opposite of the same answer")
        if label.blind and not known.blind:
            labels[of] = label
    return list(labels.values()), repeated


def write_csv(labels: Sequence[Label], scores: Iterable[float]) -> str:
    """The labels as a file that `read_csv` and spreadsheets read."""
    file = StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    for label, score in zip(labels, scores, strict=True):
        texts = (label.question, label.references[0], label.answer)
        others = json.dumps(label.references[1:], ensure_ascii=False) if label.references[1:] else ""
        accepted, revised = ("yes" if value else "no" for value in (label.accepted, label.revised))
        writer.writerow([*map(guarded, texts), accepted, others, label.chosen, revised, f"{score:.6f}"])
    return file.getvalue()


def _hint(names: Sequence[str]) -> str:
    for name, separator in (("semicolons", ";"), ("tabs", "\t")):
        if len(names) == 1 and separator in names[0]:
            return f". Its columns are separated by {name}; save it with commas"
    return ""


def _of_row(row: Mapping[str, str | None], line: int) -> Label:
    if missing := [name for name in REQUIRED if row[name] is None]:
        raise BadLabelsError(f"line {line}: the column {missing[0]} is missing")
    said = (row["accepted"] or "").strip().lower()
    if said not in YES | NO:
        raise BadLabelsError(f"line {line}: accepted is {said!r}; allowed are yes and no")
    question, reference, answer = (_plain(row[name] or "") for name in REQUIRED[:3])
    if not reference:
        raise BadLabelsError(f"line {line}: the reference is empty")
    try:
        others = json.loads(row.get("other_answers") or "[]")
    except ValueError as error:
        raise BadLabelsError(f"line {line}: other_answers is no JSON list of texts") from error
    if not isinstance(others, list) or not all(isinstance(other, str) for other in others):
        raise BadLabelsError(f"line {line}: other_answers is no JSON list of texts")
    revised = (row.get("revised") or "").strip().lower() in YES
    return Label(
        question, (reference, *others), answer, said in YES, (row.get("chosen") or "").strip().lower(), revised
    )


def guarded(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return "'" + text if text.startswith((*_FORMULA, "'")) else text


def _plain(text: str) -> str:
    return text[1:] if text.startswith("'") and text[1:].startswith((*_FORMULA, "'")) else text
