"""The command that writes down what runs have come to."""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from report.names import folder_of
from stack.options import options
from stack.outcomes import EventLog
from stack.runs import Runs
from stack.runtime import Runtime, need_running
from stack.settings import SettingError, Settings, StackError

OPTIONS = {"report": ("RUN",)}
"""What the command can be told, as NAME=value."""

MOST_NAMED = 10
CHUNK = 10_000

# Names are shown as they are, whatever brackets are in them.
console = Console(highlight=False, markup=False)


def report(runtime: Runtime, settings: Settings, arguments: argparse.Namespace) -> None:
    """Write a page, charts and tables of a run, or of several that are compared with the first."""
    wanted = options(arguments, OPTIONS["report"]).get("RUN")
    need_running(runtime)
    endpoints = settings.endpoints()
    with Runs(endpoints["MONGODB_URI"], endpoints["MONGODB_DATABASE"]) as database:
        names = chosen(wanted, database)
    journals = {name: told for name in names if (told := journal(settings.data_collected() / folder_of(name)))}
    arguments_of_tool = [f"--run={name}" for name in names]
    # Not as arguments, which may not be that long.
    made = json.loads(runtime.tool("report", arguments_of_tool, json.dumps(journals).encode()))
    folder = settings.reports() / folder_of(*names)
    try:
        _write(folder, made)
    except OSError as error:
        raise StackError(f"The report cannot be written: {error}") from error
    charts, tables = (sum(name.endswith(end) for name in made) for end in (".svg", ".csv"))
    console.print(f"Report   {folder / 'report.html'}", soft_wrap=True)
    console.print(f"Beside it {charts} charts as SVG and {tables} tables as CSV.")


def _write(folder: Path, made: Mapping[str, str]) -> None:
    """Writes every file, in the place of those of an earlier report."""
    for earlier in (*folder.rglob("*.svg"), *folder.rglob("*.csv")):
        earlier.unlink()
    for name, text in made.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")


def chosen(wanted: str | None, database: Runs) -> Sequence[str]:
    """The runs to report on: those that are named, or else the newest.

    Raises StackError where there is no such run, and says which there are.
    """
    known = [run["run"] for run in database.newest_first() if "run" in run]
    if not known and not (wanted and database.has(wanted)):
        raise StackError("No run has an outcome yet; `make traffic` sends questions.")
    if wanted is None:
        return known[:1]
    names = [wanted] if database.has(wanted) else [name.strip() for name in wanted.split(",") if name.strip()]
    for name in names or [wanted]:
        if not name or not database.has(name):
            more = f" and {len(known) - MOST_NAMED:,} more (make runs)" if len(known) > MOST_NAMED else ""
            raise SettingError(
                f"RUN={name} is unknown: no outcome is of that run. There are {', '.join(known[:MOST_NAMED])}{more}"
            )
    if len(set(names)) < len(names):
        raise SettingError(f"RUN={wanted} names a run twice; allowed are different ones")
    return names


def journal(folder: Path) -> Mapping[str, Any] | None:
    """What the generator wrote down of a run: its settings, and when each question was due and acknowledged.

    None where that is not on this machine.
    """
    try:
        record = json.loads((folder / "run.json").read_text())
        stack = folder / "stack.json"
        told = json.loads(stack.read_text()) if stack.exists() else {}
    except (OSError, ValueError):
        return None
    times = list(_times(folder))
    return {
        "record": record,
        "stack": told,
        "scheduled": [scheduled for scheduled, _ in times],
        "acknowledged": [acknowledged - scheduled for scheduled, acknowledged in times],
    }


def _times(folder: Path) -> Iterator[tuple[int, int]]:
    """When questions were due and acknowledged, in milliseconds since 1970."""
    events = EventLog(folder / "events.csv")
    while rows := list(events.new_rows(CHUNK)):
        for row in rows:
            if row["scheduled"] and row["acknowledged"]:
                yield _milliseconds(row["scheduled"]), _milliseconds(row["acknowledged"])


def _milliseconds(moment: str) -> int:
    return round(datetime.fromisoformat(moment).timestamp() * 1000)
