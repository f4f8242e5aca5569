"""A person at a terminal says of one answer after the other whether a person would accept it."""

import os
import re
import sys
import termios
import tty
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Protocol

from pymongo.errors import PyMongoError
from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from calibration.cases import Case, Chosen
from calibration.texts import visible

KEYS = "y yes · n no · s skip · u undo · q stop"
WHAT_COUNTS = (
    "Yes: it says what a reference says, in whatever words, and nothing that contradicts it.\n"
    "No: it says something else, leaves out what was asked, or gives no answer."
)
"""Explorer says the same (`services/explorer/src/pages/label/case.rs`)."""
# What a terminal sends for arrows, function keys and the like.
ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|O.|.)?", re.DOTALL)
WORDS = {True: "Yes", False: "No"}


class Labels(Protocol):
    """Where labels go."""

    def save(self, case: Case, chosen: Chosen, accepted: bool, revised: bool) -> None:
        """Stores what a person said of a case."""

    def remove(self, case: Case, chosen: Chosen) -> None:
        """Takes it back."""


class Sitting:
    """One sitting: the cases of one draw.

    Verdict and score are hidden until a label is stored: people follow what they are shown (Beck et al. 2025,
    arXiv 2509.08514; Berzak et al. 2016, arXiv 1605.04481).
    """

    def __init__(self, cases: Sequence[Case], chosen: Chosen, seed: int, labels: Labels, console: Console) -> None:
        self._cases, self._chosen, self._seed = cases, chosen, seed
        self._labels, self._console = labels, console
        self._said: list[bool | None] = []
        self._seen: set[str] = set()

    @property
    def labelled(self) -> int:
        """How many have a label."""
        return sum(said is not None for said in self._said)

    def run(self, keys: Iterator[str]) -> None:
        """Asks until all is said, or the keys end; an interruption is handed on when it is told what is kept."""
        self._console.print(WHAT_COUNTS)
        try:
            self._ask(keys)
        except KeyboardInterrupt:
            self._console.print("\nInterrupted; the labels so far are kept.")
            raise
        finally:
            skipped = len(self._said) - self.labelled
            self._console.print(f"{self.labelled} labelled, {skipped} skipped. `make calibrate` says what follows.")

    def _ask(self, keys: Iterator[str]) -> None:
        shown = -1
        while (position := len(self._said)) < len(self._cases):
            if shown != position:
                self._show(self._cases[position])
                shown = position
            key = next(keys, "q").lower()
            if key == "q":
                break
            try:
                self._press(key)
            except PyMongoError as error:
                self._console.print(Text(f"Not stored: {visible(str(error))[:300]}\nPress the key again.", "bold red"))

    def _press(self, key: str) -> None:
        if key in ("y", "n"):
            self._label(self._cases[len(self._said)], key == "y")
        elif key == "s":
            self._said.append(None)
        elif key == "u" and self._said:
            self._undo()
        elif not key.isspace():
            self._console.print(KEYS)

    def _label(self, case: Case, accepted: bool) -> None:
        self._labels.save(case, self._chosen, accepted, case.id in self._seen)
        self._said.append(accepted)
        self._seen.add(case.id)
        judged = "accepted" if case.accepted else "not accepted"
        threshold = "" if case.threshold is None else f" (threshold {case.threshold:g})"
        self._console.print(f"{WORDS[accepted]}. The judge said: {judged}, {case.score:.2f}{threshold}")

    def _undo(self) -> None:
        if self._said[-1] is not None:
            self._labels.remove(self._cases[len(self._said) - 1], self._chosen)
        self._said.pop()

    def _show(self, case: Case) -> None:
        how = f"random draw, seed {self._seed}" if self._chosen == "random" else "of which the judge was unsure"
        skipped = len(self._said) - self.labelled
        progress = f"{len(self._said) + 1} of {len(self._cases)} · {how} · {self.labelled} yes or no, {skipped} skipped"
        table = Table.grid(padding=(0, 2))
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="fold")
        table.add_row("Question", Text(visible(case.question)))
        for number, reference in enumerate(case.references, 1):
            table.add_row("Reference" if number == 1 else f"or {number}", Text(visible(reference)))
        table.add_row("Answer", Text(visible(case.answer)))
        self._console.print(Rule(progress), "Would a person accept this answer?", table, KEYS, sep="\n")


@contextmanager
def keys_of(file: IO[str]) -> Iterator[Iterator[str]]:
    """The keys that are pressed, one by one; of what is no terminal, its letters.

    What begins with Escape, such as an arrow, is none of ours.
    """
    if not file.isatty():
        yield (letter for line in file for letter in line if not letter.isspace())
        return
    descriptor = file.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        yield _pressed(descriptor)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _pressed(descriptor: int) -> Iterator[str]:
    while read := os.read(descriptor, 64).decode(errors="ignore"):
        yield from ESCAPES.sub("", read)


def sit(cases: Sequence[Case], chosen: Chosen, seed: int, labels: Labels, console: Console) -> None:
    """A sitting at this process's terminal, or with what is piped into it."""
    with keys_of(sys.stdin) as keys:
        Sitting(cases, chosen, seed, labels, console).run(keys)
