"""What a stack takes of the disk, and what is left."""

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from rich.filesize import decimal

from stack.settings import Settings

BLOCK = 512
"""What `st_blocks` counts in, whatever the file system."""


def lines(settings: Settings) -> Iterator[str]:
    """For people: the run folder, with the index in it, and what was collected, each with its size."""
    collected, index = settings.data_collected(), settings.run_dir / "data/explorer"
    runs = sum(folder.is_dir() for folder in collected.iterdir()) if collected.exists() else 0
    yield f"{decimal(used(settings.run_dir))} in {settings.run_dir} (data and logs)"
    if index.exists():
        yield f"{decimal(used(index))} of that in {index} (explorer's index)"
    yield f"{decimal(used(collected))} in {collected} ({runs:,} {'run' if runs == 1 else 'runs'})"
    yield f"{decimal(shutil.disk_usage(settings.run_dir).free)} are free"


def used(folder: Path) -> int:
    """The bytes that the files below a folder take; a file with holes takes less than its size."""
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            # A running stack removes files while they are counted.
            with suppress(FileNotFoundError):
                total += os.lstat(os.path.join(path, name)).st_blocks * BLOCK  # noqa: PTH118 - a Path for each is slow
    return total
