"""The run whose tables stand in the READMEs: `python -m benchmarks.reference FILE` takes another, and prints them."""

import sys
from pathlib import Path

from benchmarks import tables
from benchmarks.figures import load

REFERENCE = Path(__file__).with_name("reference.json")


def markdown() -> str:
    """The tables of the reference run."""
    measured = load(REFERENCE)
    return "\n".join(table(measured).markdown() for table in (tables.speed, tables.cost))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        REFERENCE.write_text(Path(sys.argv[1]).read_text())
    print(markdown())
