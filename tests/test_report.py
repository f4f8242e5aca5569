"""What `make report` is told, and what it reads of the generator's record."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import pytest

from stack import report
from stack.settings import ROOT, SettingError, StackError

RECORD = {"run": "demo", "settings": {"TRAFFIC_DISTRIBUTION": "poisson"}}
EVENTS = """message_id,question_id,scheduled,sent,acknowledged,partition,offset
a,q,2026-01-31T12:00:00.000Z,2026-01-31T12:00:00.001Z,2026-01-31T12:00:00.007Z,0,0
b,q,2026-01-31T12:00:01.500Z,,,0,1
c,q,2026-01-31T12:00:02.000Z,2026-01-31T12:00:02.000Z,2026-01-31T12:00:02.003Z,0,2
d,q,2026-01-31T12:0"""


class Runs:
    """Runs that there are."""

    def __init__(self, *names: str, unlisted: str = "") -> None:
        self._names, self._unlisted = names, unlisted

    def newest_first(self) -> list[dict[str, str]]:
        return [{"_id": "runs:other"}, *({"run": name} for name in self._names)]

    def has(self, run: str) -> bool:
        return run in (*self._names, self._unlisted)


def chosen(wanted: str | None, runs: Runs) -> list[str]:
    return list(report.chosen(wanted, runs))  # type: ignore[arg-type]


def test_the_newest_run_is_reported_on_unless_others_are_named() -> None:
    runs = Runs("new", "old", "a,b", unlisted="of before")
    assert chosen(None, runs) == ["new"]
    assert chosen("old", runs) == ["old"]
    assert chosen("old, new", runs) == ["old", "new"]
    # A name may be anything.
    assert chosen("a,b", runs) == ["a,b"]
    assert chosen("of before", runs) == ["of before"]


def test_a_run_that_is_unknown_is_named_with_those_that_there_are() -> None:
    with pytest.raises(SettingError, match=r"RUN=nope is unknown: no outcome is of that run\. There are new, old$"):
        chosen("new,nope", Runs("new", "old"))
    with pytest.raises(SettingError, match=r"run0, .*run9 and 5 more \(make runs\)$"):
        chosen("nope", Runs(*(f"run{i}" for i in range(15))))
    with pytest.raises(SettingError, match="names a run twice"):
        chosen("new,new", Runs("new"))
    with pytest.raises(SettingError, match="RUN=, is unknown"):
        chosen(",", Runs("new"))
    with pytest.raises(StackError, match="No run has an outcome yet; `make traffic`"):
        chosen(None, Runs())


def test_an_option_that_is_unknown_is_named() -> None:
    with pytest.raises(SettingError, match="RUNS is unknown; allowed are RUN"):
        report.report(None, None, argparse.Namespace(options=["RUNS=a"]))  # type: ignore[arg-type]


def test_the_journal_is_read_as_far_as_it_is_whole(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps(RECORD))
    (tmp_path / "events.csv").write_text(EVENTS)
    told = report.journal(tmp_path)
    assert told is not None
    assert told["record"] == RECORD
    assert [time - 1769860800000 for time in told["scheduled"]] == [0, 2000]
    assert told["acknowledged"] == [7, 3]


def test_without_a_record_on_this_machine_there_is_no_journal(tmp_path: Path) -> None:
    assert report.journal(tmp_path) is None
    (tmp_path / "run.json").write_text("{")
    assert report.journal(tmp_path) is None


def test_the_command_needs_no_more_packages_than_the_others() -> None:
    # In containers the tool has them, and the command's own environment has not.
    code = "import sys, stack.__main__; print({'numpy', 'scipy', 'cotejo_native'} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert said == "set()\n"
