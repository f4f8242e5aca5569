"""Two runs side by side, from the files they wrote: `make bench-compare A=… B=…`."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

Figures = dict[str, Any]
"""What a file holds of one scenario."""

ROWS: dict[str, Callable[[Figures], float]] = {
    "questions/s": lambda figures: figures["questions_a_second"],
    "p50 ms": lambda figures: figures["latency_ms"]["p50"],
    "p99 ms": lambda figures: figures["latency_ms"]["p99"],
    "CPU ms a question": lambda figures: sum(figures["cpu_ms_a_question"].values()),
    "memory MiB": lambda figures: sum(figures["memory_mib"].values()),
}
"""What is compared of each scenario, and where it stands in the file."""


def compare(first: dict[str, Figures], second: dict[str, Figures]) -> Table:
    """A row for each figure of the scenarios that both runs have; a ratio of 2 means twice as much in the second."""
    table = Table("scenario", "figure", "A", "B", "B/A", box=None)
    for column in table.columns[2:]:
        column.justify = "right"
    for scenario in [name for name in first if name in second and name != "machine"]:
        for number, (title, figure) in enumerate(ROWS.items()):
            a, b = figure(first[scenario]), figure(second[scenario])
            shown = "" if number else scenario
            table.add_row(shown, title, f"{a:,.1f}", f"{b:,.1f}", f"{b / a:.2f}" if a else "")
    return table


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("which two? make bench-compare A=benchmarks/results/….json B=benchmarks/results/….json")
    Console(highlight=False).print(compare(*(json.loads(Path(file).read_text()) for file in sys.argv[1:])))
