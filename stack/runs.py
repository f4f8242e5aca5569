"""The command that lists the runs, with what came of each."""

import argparse
import sys
from collections.abc import Mapping
from datetime import UTC
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from flink_job.database import Database
from stack.budget import dollars
from stack.runtime import Runtime, need_running
from stack.settings import Settings

Document = Mapping[str, Any]

OTHER = "runs:other"
"""In the collection `metrics`: what the runs came to that have no document of their own."""

WIDEST = 1000
# Names are shown as they are, whatever brackets are in them. A pipe has no edge.
console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else WIDEST)
HEADINGS = ("run", "began", "decided", "accepted", "exhausted", "errors", "score", "ms", "calls", "cost", "models")
FEWEST = 5
"""Columns that are shown however narrow the terminal is; of the others, the last are left out first."""


class Runs(Database):
    """The metrics of the runs, as storage-service keeps them."""

    def newest_first(self) -> list[Document]:
        """A document for each run, and one for all that have none of their own."""
        of_runs = {"$or": [{"run": {"$exists": True}}, {"_id": OTHER, "decided": {"$gt": 0}}]}
        return list(self._database["metrics"].find(of_runs).sort("began_at", -1))

    def has(self, run: str) -> bool:
        """Whether any outcome is of that run."""
        is_counted = self._database["metrics"].find_one({"_id": f"run:{run}", "decided": {"$gt": 0}}, {"_id": 1})
        # Of very many runs, the last have no document of their own.
        return is_counted is not None or self._database["results"].find_one({"run": run}, {"_id": 1}) is not None


def runs(runtime: Runtime, settings: Settings, _: argparse.Namespace) -> None:
    """List the runs: when, how many questions, how many accepted, what they cost."""
    need_running(runtime)
    endpoints = settings.endpoints()
    with Runs(endpoints["MONGODB_URI"], endpoints["MONGODB_DATABASE"]) as database:
        show(database.newest_first())


def show(found: list[Document]) -> None:
    """Prints a line for each run."""
    if not found:
        console.print("No run has an outcome yet; `make traffic` sends questions.")
        return
    rows = [row(run) for run in found]
    for shown in range(len(HEADINGS), FEWEST - 1, -1):
        table = _table(rows, shown)
        if console.measure(table, options=console.options.update(width=WIDEST)).maximum <= console.width:
            break
    console.print(table)
    if shown < len(HEADINGS):
        console.print(f"A wider terminal also shows {', '.join(HEADINGS[shown:])}.")
    console.print("When it began is UTC; score and ms (from the question to its verdict) are means.")


def _table(rows: list[list[str]], columns: int) -> Table:
    table = Table(Column(HEADINGS[0], overflow="fold"), box=None, padding=(0, 1, 0, 0))
    for heading in HEADINGS[1:columns]:
        table.add_column(heading, justify="left" if heading in ("began", "models") else "right")
    for line in rows:
        table.add_row(*line[:columns])
    return table


def row(run: Document) -> list[str]:
    """What the table says of a run."""
    decided, spent = run["decided"], run.get("spent", {})
    share = f"{run['accepted']:,} ({run['accepted'] / decided:.0%})" if decided else "0"
    models = sorted(model["name"] for model in spent.get("by_model", {}).values())
    return [
        run.get("run", "(further runs)"),
        f"{run['began_at'].astimezone(UTC):%m-%d %H:%M}",
        f"{decided:,}",
        share,
        f"{run['exhausted']:,}",
        f"{run['errors']:,}",
        _mean(run["score"], 1e6, ".2f"),
        _mean(run["latency_ms"], 1, ",.0f"),
        f"{spent.get('calls', 0):,}",
        dollars(spent.get("nanodollars", 0)),
        ", ".join(models) or "–",
    ]


def _mean(histogram: Document, unit: float, form: str) -> str:
    return format(histogram["sum"] / histogram["count"] / unit, form) if histogram["count"] else "–"
