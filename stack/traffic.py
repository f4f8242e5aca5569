"""Sends questions to a running stack, and shows them until each has its outcome."""

import json
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from pymongo.errors import PyMongoError
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from stack.checks import told
from stack.kafka import Kafka
from stack.model import Explainer, complaints
from stack.outcomes import DeadLetters, EventLog, Follower, Summary, results, summarise
from stack.runtime import Runtime, end
from stack.settings import SettingError, Settings, StackError

LOOK_EVERY_S = 0.2
PLAIN_LINE_EVERY_S = 5.0
ASK_WHY_AFTER_S = 2.0
MOST_QUESTIONS = 1_000_000_000


def send(runtime: Runtime, settings: Settings, environment: Mapping[str, str], console: Console) -> Summary:
    """Runs the generator with `environment` over the stack's own, and follows its questions.

    Raises StackError when the generator fails, or nothing comes out for too long.
    """
    _check_total(environment.get("TRAFFIC_TOTAL") or settings.environment.get("TRAFFIC_TOTAL") or "1")
    run = environment.get("TRAFFIC_RUN") or settings.environment.get("TRAFFIC_RUN") or _new_name()
    folder = settings.data_collected() / run
    stored = results(settings.endpoints())
    with DeadLetters(Kafka.of(settings)) as letters:
        follower = Follower(EventLog(folder / "events.csv"), stored, letters)
        log = settings.log("traffic-generator")
        said_before = log.stat().st_size if log.exists() else 0
        is_new = not folder.exists() or not any(folder.iterdir())
        generator = runtime.popen("traffic-generator", environment={**environment, "TRAFFIC_RUN": run}, quiet=True)
        try:
            with _Bar(console, folder) as bar:
                _follow(generator, follower, bar, runtime, settings)
        finally:
            end(generator)
            # A name that is used already is refused, and what that run was told stays.
            if is_new:
                _note_settings(folder, settings)
        if generator.returncode != 0:
            raise StackError(f"traffic-generator failed. It says:\n{said_since(log, said_before)}\nWhole log: {log}")
    summary = summarise(folder, stored, follower.dead)
    if note := record(folder).get("note"):
        console.print(f"Mind that {note}.", soft_wrap=True, markup=False)
    if summary.doubtful:
        console.print(f"Look at a verdict: make explain QUESTION={summary.doubtful}", soft_wrap=True)
    return summary


def _note_settings(folder: Path, settings: Settings) -> None:
    """Leaves beside the run what the stack was told, so that a report can say what differed."""
    if folder.exists():
        (folder / "stack.json").write_text(json.dumps(told(settings.environment), indent=2) + "\n")


def _check_total(total: str) -> None:
    """Raises SettingError for what the generator would refuse without saying what is allowed."""
    if not (total.isascii() and total.isdecimal() and 1 <= int(total) <= MOST_QUESTIONS):
        allowed = f"a whole number from 1 to {MOST_QUESTIONS}"
        raise SettingError(f"TRAFFIC_TOTAL={total} cannot be used; allowed is {allowed}")


def _new_name() -> str:
    """The time, to the microsecond: two runs in one second are two runs."""
    return f"{datetime.now().astimezone():%Y%m%d-%H%M%S-%f}"


def said_since(log: Path, start: int) -> str:
    """The last lines of a log, but for its first `start` bytes, which earlier runs wrote; put aside, none are left."""
    size = log.stat().st_size
    with log.open("rb") as file:
        file.seek(max(start if start <= size else 0, size - 16384))
        lines = file.read().decode(errors="replace").splitlines()
    return "\n".join([line for line in lines if line.strip()][-8:])


def record(folder: Path) -> Mapping[str, Any]:
    """What the generator says of a run in `run.json`; nothing while that is not there."""
    try:
        said: dict[str, Any] = json.loads((folder / "run.json").read_text())
    except (OSError, ValueError):
        return {}
    return said


def _follow(
    generator: "subprocess.Popen[bytes]", follower: Follower, bar: "_Bar", runtime: Runtime, settings: Settings
) -> None:
    moved, before, explainer = time.monotonic(), (0, 0), Explainer(runtime, bar.console)
    while True:
        ended = generator.poll() is not None
        # A server that is away comes back, or patience runs out.
        with suppress(PyMongoError):
            follower.look()
        if time.monotonic() - moved > ASK_WHY_AFTER_S:
            explainer.look()
        bar.show(follower)
        now = (follower.decided, follower.dead)
        if ended and generator.returncode != 0:
            return
        if not follower.pending:
            # Before it asks, the generator may wait for something that never comes; then, only for the time to ask.
            moved = time.monotonic() if follower.asked or bar.is_asking() else moved
            if ended and follower.has_read_all():
                return
        if now != before:
            moved, before = time.monotonic(), now
        if time.monotonic() - moved > settings.patience_s:
            raise StackError(_stuck(follower, complaints(runtime), settings))
        time.sleep(LOOK_EVERY_S)


def _stuck(follower: Follower, model: list[str], settings: Settings) -> str:
    waiting = follower.asked - follower.decided - follower.dead
    if model:
        return (
            "\n".join(model) + f"\n{waiting} of {follower.asked} questions are pending. They are kept: once the model"
            " answers, they go on by themselves."
        )
    return (
        f"No outcome for {settings.patience_s} s: {waiting} of {follower.asked} questions are pending, "
        f"among them {', '.join(follower.pending)}.\n"
        f"Look at `make status`, at {settings.url('FLINK_PORT')}, and at `make logs SERVICE=…`."
    )


class _Bar:
    """How far a run is: a bar on a terminal, a line now and then elsewhere."""

    def __init__(self, console: Console, folder: Path) -> None:
        self.console, self._folder = console, folder
        self._said = time.monotonic()
        self._progress = Progress(
            SpinnerColumn(),
            BarColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("asked 0", total=None)

    def __enter__(self) -> "_Bar":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def is_asking(self) -> bool:
        """Whether the generator knows its questions."""
        return record(self._folder).get("dataset") is not None

    def show(self, follower: Follower) -> None:
        """Brings the bar up to date."""
        said = record(self._folder)
        total = said.get("planned")
        about = "about " if "TRAFFIC_DURATION" in said.get("settings", {}) else ""
        of = f" of {about}{total:,}" if total else ""
        text = f"asked {follower.asked:,}{of} · decided {follower.decided:,} · dead letters {follower.dead:,}"
        self._progress.update(self._task, description=text, total=total, completed=follower.decided + follower.dead)
        if not self.console.is_terminal and time.monotonic() - self._said > PLAIN_LINE_EVERY_S:
            self._said = time.monotonic()
            self.console.print(f"  {text}")
