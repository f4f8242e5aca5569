"""Two runs side by side, from the files they wrote: `make bench-compare A=… B=…`."""

import sys
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from benchmarks.against import RATIOS
from benchmarks.figures import Rounds, load, median
from benchmarks.tables import Table


def compare(first: Mapping[str, Rounds], second: Mapping[str, Rounds]) -> Table:
    """A row for each figure of the scenarios that both have; a ratio of 2 means twice as much in the second."""
    rows = []
    for name in (name for name in first if name in second and first[name][0].samples):
        for number, (title, figure) in enumerate(RATIOS.items()):
            a, b = median(first[name], figure), median(second[name], figure)
            rows.append(["" if number else name, title, f"{a:,.1f}", f"{b:,.1f}", f"{b / a:.2f}" if a else ""])
    return Table(("scenario", "figure", "A", "B", "B/A"), rows)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("which two? make bench-compare A=benchmarks/results/….json B=benchmarks/results/….json")
    Console(highlight=False).print(compare(*(load(Path(file)) for file in sys.argv[1:])).rich())
