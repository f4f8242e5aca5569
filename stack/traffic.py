"""Sends questions to a running stack, and shows them until each has its outcome."""

import json
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from pymongo.errors import PyMongoError
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from stack.logs import last_lines
from stack.outcomes import DeadLetters, EventLog, Follower, Summary, results, summarise
from stack.runtime import Runtime, end
from stack.settings import Settings, StackError

LOOK_EVERY_S = 0.2
PLAIN_LINE_EVERY_S = 5.0


def send(runtime: Runtime, settings: Settings, environment: Mapping[str, str], console: Console) -> Summary:
    """Runs the generator with `environment` over the stack's own, and follows its questions.

    Raises StackError when the generator fails, or nothing comes out for too long.
    """
    run = environment.get("TRAFFIC_RUN") or settings.environment.get("TRAFFIC_RUN") or _new_name()
    folder = settings.data_collected() / run
    stored = results(settings.endpoints())
    with DeadLetters(settings.endpoints()["KAFKA_BOOTSTRAP_SERVERS"]) as letters:
        follower = Follower(EventLog(folder / "events.csv"), stored, letters)
        generator = runtime.popen("traffic-generator", environment={**environment, "TRAFFIC_RUN": run}, quiet=True)
        try:
            with _Bar(console, folder) as bar:
                _follow(generator, follower, bar, settings)
        finally:
            end(generator)
    return summarise(folder, stored, follower.dead)


def _new_name() -> str:
    """The time, to the microsecond: two runs in one second are two runs."""
    return f"{datetime.now().astimezone():%Y%m%d-%H%M%S-%f}"


def _follow(generator: "subprocess.Popen[bytes]", follower: Follower, bar: "_Bar", settings: Settings) -> None:
    moved, before = time.monotonic(), (0, 0)
    while True:
        ended = generator.poll() is not None
        # A server that is away comes back, or patience runs out.
        with suppress(PyMongoError):
            follower.look()
        bar.show(follower)
        now = (follower.decided, follower.dead)
        if ended and generator.returncode != 0:
            log = settings.log("traffic-generator")
            raise StackError(f"traffic-generator failed. It says:\n{last_lines(log, 8)}\nWhole log: {log}")
        if not follower.pending:
            # With nothing asked at all, the generator may wait for something that never comes.
            moved = time.monotonic() if follower.asked else moved
            if ended and follower.has_read_all():
                return
        if now != before:
            moved, before = time.monotonic(), now
        if time.monotonic() - moved > settings.patience_s:
            raise StackError(_stuck(follower, settings))
        time.sleep(LOOK_EVERY_S)


def _stuck(follower: Follower, settings: Settings) -> str:
    waiting = follower.asked - follower.decided - follower.dead
    return (
        f"No outcome for {settings.patience_s} s: {waiting} of {follower.asked} questions are pending, "
        f"among them {', '.join(follower.pending)}.\n"
        f"Look at `make status`, at {settings.url('FLINK_PORT')}, and at `make logs SERVICE=…`."
    )


class _Bar:
    """How far a run is: a bar on a terminal, a line now and then elsewhere."""

    def __init__(self, console: Console, folder: Path) -> None:
        self._console, self._folder = console, folder
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

    def show(self, follower: Follower) -> None:
        """Brings the bar up to date."""
        total = self._total()
        of = f" of {total:,}" if total else ""
        text = f"asked {follower.asked:,}{of} · decided {follower.decided:,} · dead letters {follower.dead:,}"
        self._progress.update(self._task, description=text, total=total, completed=follower.decided + follower.dead)
        if not self._console.is_terminal and time.monotonic() - self._said > PLAIN_LINE_EVERY_S:
            self._said = time.monotonic()
            self._console.print(f"  {text}")

    def _total(self) -> int | None:
        """How many the generator means to send; it says so in `run.json`."""
        try:
            return int(json.loads((self._folder / "run.json").read_text())["settings"]["TRAFFIC_TOTAL"])
        except (OSError, ValueError, KeyError):
            return None
