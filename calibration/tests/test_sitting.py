"""A sitting: keys in, labels out, and nothing shown too early."""

import io
import os
import pty
import termios
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from pymongo.errors import PyMongoError
from rich.console import Console

from calibration.cases import Case, Chosen
from calibration.sitting import Sitting, keys_of


@dataclass
class Labels:
    """Keeps labels, except when it fails."""

    failures: int = 0
    kept: dict[str, tuple[bool, bool]] = field(default_factory=dict)

    def save(self, case: Case, chosen: Chosen, accepted: bool, revised: bool) -> None:
        assert chosen == "random"
        if self.failures:
            self.failures -= 1
            raise PyMongoError("no primary")
        self.kept[case.id] = (accepted, revised)

    def remove(self, case: Case, chosen: Chosen) -> None:
        assert chosen == "random"
        del self.kept[case.id]


def case(number: int, **fields: object) -> Case:
    known = {
        "id": f"c{number}",
        "message_id": f"m{number}",
        "question": f"question {number}",
        "references": (f"reference {number}",),
        "answer": f"answer {number}",
        "score": 0.4321,
        "accepted": False,
        "threshold": 0.65,
        "scorer": "abc",
        "signals": None,
    }
    return Case(**{**known, **fields})  # type: ignore[arg-type]


class Terminal:
    """A screen, and what it had shown before each key was pressed."""

    def __init__(self) -> None:
        self.before: list[str] = []
        self._screen = io.StringIO()
        self.console = Console(file=self._screen, width=100)

    @property
    def shown(self) -> str:
        return self._screen.getvalue()

    def press(self, keys: str) -> Iterator[str]:
        for key in keys:
            self.before.append(self.shown)
            yield key


def sit(keys: str, cases: int = 3, labels: Labels | None = None) -> tuple[Labels, Terminal]:
    labels, terminal = labels or Labels(), Terminal()
    drawn = [case(number) for number in range(1, cases + 1)]
    Sitting(drawn, "random", 7, labels, terminal.console).run(terminal.press(keys))
    return labels, terminal


def test_one_key_stores_and_goes_on() -> None:
    labels, terminal = sit("yny")
    assert labels.kept == {"c1": (True, False), "c2": (False, False), "c3": (True, False)}
    assert "3 labelled, 0 skipped" in terminal.shown


def test_verdict_and_score_are_hidden_until_the_label_is_stored() -> None:
    _, terminal = sit("y")
    [before] = terminal.before
    assert "question 1" in before
    assert "reference 1" in before
    assert "answer 1" in before
    assert "0.43" not in before
    assert "accepted" not in before.lower().replace("would a person accept", "")
    assert "Yes. The judge said: not accepted, 0.43 (threshold 0.65)" in terminal.shown


def test_progress_says_where_one_is_and_how_cases_were_drawn() -> None:
    _, terminal = sit("ys")
    assert "1 of 3 · random draw, seed 7 · 0 yes or no, 0 skipped" in terminal.before[0]
    _, terminal = sit("sy")
    assert "2 of 3 · random draw, seed 7 · 0 yes or no, 1 skipped" in terminal.before[1]


def test_a_skipped_case_has_no_label() -> None:
    labels, _ = sit("sny")
    assert set(labels.kept) == {"c2", "c3"}


def test_undo_reaches_back_through_the_whole_sitting_and_over_skips() -> None:
    labels, _ = sit("ysuuuq")
    assert labels.kept == {}
    labels, terminal = sit("yyuunsy")
    assert labels.kept == {"c1": (False, True), "c3": (True, False)}
    assert terminal.shown.count("question 1") == 2


def test_what_is_said_anew_after_the_verdict_was_seen_is_marked() -> None:
    labels, _ = sit("yunq")
    assert labels.kept == {"c1": (False, True)}


def test_a_label_that_cannot_be_stored_keeps_the_case_and_says_why() -> None:
    labels, terminal = sit("nyq", labels=Labels(failures=1))
    assert labels.kept == {"c1": (True, False)}
    assert "Not stored: no primary" in terminal.shown
    assert "question 2" not in terminal.before[1]


def test_an_end_of_the_keys_ends_the_sitting() -> None:
    labels, terminal = sit("y")
    assert set(labels.kept) == {"c1"}
    assert "1 labelled" in terminal.shown


def test_an_interruption_says_that_the_labels_so_far_are_kept() -> None:
    def interrupted() -> Iterator[str]:
        yield from "yn"
        raise KeyboardInterrupt

    labels, terminal = Labels(), Terminal()
    with pytest.raises(KeyboardInterrupt):
        Sitting([case(1), case(2), case(3)], "random", 7, labels, terminal.console).run(interrupted())
    assert set(labels.kept) == {"c1", "c2"}
    assert "Interrupted; the labels so far are kept.\n2 labelled, 0 skipped" in terminal.shown


@pytest.mark.parametrize("key", ["x", "7", "?"])
def test_any_other_key_does_nothing_but_show_the_keys(key: str) -> None:
    labels, _ = sit(key)
    assert labels.kept == {}


def test_texts_cannot_steer_the_terminal() -> None:
    terminal = Terminal()
    evil = case(1, question="\x1b[2J\u202eq", references=("\x07r", "second"), answer="[bold]a[/bold]\x9b")
    Sitting([evil], "random", 7, Labels(), terminal.console).run(terminal.press("q"))
    shown = terminal.shown
    assert not {"\x1b", "\u202e", "\x07", "\x9b"} & set(shown)
    assert "⟨U+001B⟩[2J⟨U+202E⟩q" in shown
    assert "[bold]a[/bold]" in shown
    assert "second" in shown


def test_keys_are_read_from_a_pipe() -> None:
    with keys_of(io.StringIO("y\nn s\n")) as keys:
        assert list(keys) == ["y", "n", "s"]


def test_at_a_terminal_one_key_is_enough_arrows_are_none_and_it_is_left_as_it_was() -> None:
    here, there = pty.openpty()
    with os.fdopen(there, "r") as file:
        before = termios.tcgetattr(there)
        with keys_of(file) as keys:
            os.write(here, b"y")
            assert next(keys) == "y"
            os.write(here, b"\x1b[A\x1bOSn")
            assert next(keys) == "n"
        assert termios.tcgetattr(there) == before
    os.close(here)
