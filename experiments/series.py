"""Goes through runs one after the other, keeps what each found, and passes over those that are kept already."""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Job:
    """One run to do: what of it is read by people, and all that makes it what it is."""

    name: str
    definition: Document

    @property
    def run(self) -> str:
        """Its name, which no run by another definition has."""
        text = json.dumps(self.definition, sort_keys=True)
        return f"{self.name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def kept(folder: Path, job: Job) -> Document | None:
    """What a run found, if it was done before."""
    try:
        found: Document = json.loads((folder / f"{job.run}.json").read_text())
    except FileNotFoundError:
        return None
    return found


def keep(folder: Path, job: Job, found: Document) -> None:
    """Keeps what a run found, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{job.run}.json"
    begun = file.with_suffix(".begun")
    with begun.open("w") as out:
        json.dump({"run": job.run, "definition": job.definition, **found}, out)
        out.flush()
        os.fsync(out.fileno())
    begun.replace(file)


def go_through(
    jobs: Sequence[Job], do: Callable[[Job], Document], folder: Path, console: Console
) -> Iterator[tuple[Job, Document]]:
    """What each run found, in their order: it is done where it was not before."""
    new = [job for job in jobs if kept(folder, job) is None]
    if len(new) < len(jobs):
        console.print(f"{len(jobs) - len(new)} of {len(jobs)} runs are kept from before.")
    with _bar(console) as bar:
        task = bar.add_task("", total=len(new))
        began = time.monotonic()
        for number, job in enumerate(new):
            left = _left(time.monotonic() - began, number, len(new))
            bar.update(task, completed=number, description=f"{job.name}{left}")
            started = time.monotonic()
            keep(folder, job, do(job))
            took = time.monotonic() - started
            left = _left(time.monotonic() - began, number + 1, len(new))
            console.print(f"  {number + 1} of {len(new)}  {job.name}: {took:.0f} s{left}")
    for job in jobs:
        found = kept(folder, job)
        assert found is not None  # noqa: S101 - it was just done
        yield job, found


def _left(spent_s: float, done: int, of: int) -> str:
    """How long the rest will take, if it goes on as it did."""
    if not done or done == of:
        return ""
    minutes = spent_s / done * (of - done) / 60
    return f", about {minutes:.0f} min left" if minutes >= 1.5 else ", about a minute left"


def _bar(console: Console) -> Progress:
    columns = (SpinnerColumn(), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    # Drawn seldom: the cores are to be measured, not the bar.
    return Progress(
        *columns,
        TimeElapsedColumn(),
        console=console,
        transient=True,
        refresh_per_second=1,
        disable=not console.is_terminal,
    )
