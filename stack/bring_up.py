"""Brings a stack up: shows its parts as they become ready, and tells which of them never will."""

import math
import re
import time
from collections import defaultdict
from collections.abc import Iterable
from typing import Protocol

from stack.runtime import IMPORT, ONE_SHOTS, SERVICES, SUBMIT, Part, in_order
from stack.settings import Settings, StackError
from stack.steps import Steps

PATIENCE_S = 300.0
TOO_MANY_STARTS = 6
REFUSAL = "waiting alone will not mend it"
"""What the log of a part says of an error that somebody has to mend; it may be that of another part, that is starting,
too, so it gets a while."""
SINCE = re.compile("process: starting|the server answers")
"""Since when what the log says holds."""
RECENT_LINES = 20
REFUSED_S = 10.0


class Parts(Protocol):
    """The parts of a stack."""

    settings: Settings

    def parts(self) -> list[Part]:
        """Every part."""

    def is_ready(self, part: Part) -> bool:
        """Whether a part does its work, or has done it."""

    def read_log(self, part: str, lines: int | None = None) -> str:
        """The log of a part, or its last lines."""


class Startable(Parts, Protocol):
    """The parts of a stack, and how to start and stop one."""

    def start_part(self, name: str) -> None:
        """Starts one part and does not wait for it."""

    def stop_part(self, name: str) -> None:
        """Stops one part and returns when it has ended."""


class Watch:
    """Looks after parts that start."""

    def __init__(self, stack: Parts, steps: Steps) -> None:
        self.ready: set[str] = set()
        self._stack, self._steps = stack, steps
        self._starts: defaultdict[str, set[float]] = defaultdict(set)
        self._refused: dict[str, float] = {}
        self._deadline = time.monotonic() + PATIENCE_S

    def look(self, parts: Iterable[Part]) -> None:
        """Takes note of what is ready; what is so at first sight has no line.

        Raises StackError, with the end of its log, for a part that cannot start.
        """
        for part in in_order(parts):
            self._starts[part.name].add(part.started)
            if part.name not in self.ready and self._is_ready(part):
                self.ready.add(part.name)
            if complaint := _complaint(part, len(self._starts[part.name])) or self._refusal(part):
                raise self._failure(part, complaint)
            if part.name not in self.ready and time.monotonic() > self._deadline:
                raise self._failure(part, f"is not ready after {PATIENCE_S:.0f} s")
        self._steps.tick()

    def _is_ready(self, part: Part) -> bool:
        ready = self._stack.is_ready(part)
        if ready and self._steps.is_begun(part.name):
            self._steps.done(part.name)
        if not ready:
            said = self._stack.read_log(part.name, RECENT_LINES)
            self._steps.begin(part.name)
            self._steps.note(part.name, said.rpartition("\n")[2])
            if REFUSAL in SINCE.split(said)[-1]:
                self._refused.setdefault(part.name, time.monotonic())
            else:
                self._refused.pop(part.name, None)
        return ready

    def _refusal(self, part: Part) -> str:
        """That a part has been refused what it needs for a while, or nothing."""
        since = self._refused.get(part.name, math.inf)
        is_waiting = part.name not in self.ready
        return "is refused what it needs" if is_waiting and time.monotonic() - since > REFUSED_S else ""

    def _failure(self, part: Part, complaint: str) -> StackError:
        self._steps.failed(part.name, complaint)
        self._steps.tick()
        said, log = self._stack.read_log(part.name, 8), self._stack.settings.log(part.name)
        return StackError(f"{part.name} {complaint}. It says:\n{said}\nWhole log: {log}")


def bring_up(stack: Startable, steps: Steps) -> None:
    """Runs the one-shots and has the job submitted; returns when questions can be asked.

    Each part waits by itself for what it needs; but flink-submit cannot know whether all questions are imported.
    Raises StackError for a stack that is stopped meanwhile, and, with the end of its log, for a part
    that cannot start.
    """
    watch = Watch(stack, steps)
    to_do = {part.name for part in stack.parts() if _has_to_run(part)}
    while True:
        for name in [name for name in to_do if name != SUBMIT or IMPORT in watch.ready]:
            stack.start_part(name)
            to_do.remove(name)
        parts = [part for part in stack.parts() if part.name not in to_do]
        if not parts:
            raise StackError("The stack was stopped while it started.")
        watch.look(parts)
        if not to_do and watch.ready >= {part.name for part in parts}:
            return
        time.sleep(0.2)


def submit_again(stack: Startable, steps: Steps) -> None:
    """Has the job submitted as it is to be now, and returns when it runs; raises StackError as `bring_up` does."""
    stack.stop_part(SUBMIT)
    start_service(stack, steps, SUBMIT)


def start_service(stack: Startable, steps: Steps, service: str) -> None:
    """Starts every copy of a service that is stopped, and returns when all are ready; raises as `bring_up` does."""
    names = {part.name for part in stack.parts() if part.service == service}
    for name in names:
        stack.start_part(name)
    watch = Watch(stack, steps)
    while not names <= watch.ready:
        watch.look(part for part in stack.parts() if part.service == service)
        time.sleep(0.2)


def _has_to_run(part: Part) -> bool:
    return (part.service in ONE_SHOTS and part.exit_code != 0) or (part.service == SUBMIT and not part.running)


def _complaint(part: Part, starts: int) -> str:
    """Why a part will not come up by itself, or nothing."""
    ended = part.exit_code is not None
    if part.state == "fatal" or (part.service in ONE_SHOTS and ended and part.exit_code != 0):
        return f"failed (exit code {part.exit_code})"
    if part.service in (*SERVICES, SUBMIT) and ended and part.exit_code in (0, 2):
        return f"ended (exit code {part.exit_code})"
    return f"was started {starts} times, and ended each time" if starts >= TOO_MANY_STARTS else ""
