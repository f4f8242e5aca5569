"""Brings a native stack up: runs its one-shots in their order, and waits for every part.

The order is for comfort: each part waits by itself for what it needs.
"""

import socket
import time
from collections import defaultdict, deque
from typing import Protocol

import httpx

from stack.logs import last_lines
from stack.runtime import ONE_SHOTS, PORT_OF, SERVERS, SERVICES, Part
from stack.settings import Settings, StackError
from stack.steps import Steps

PATIENCE_S = 300.0
TOO_MANY_STARTS = 6


class Parts(Protocol):
    """The parts of a stack, and how to start one."""

    settings: Settings

    def parts(self) -> list[Part]:
        """Every part."""

    def start_part(self, name: str) -> None:
        """Starts one part and does not wait for it."""


def bring_up(stack: Parts, steps: Steps) -> None:
    """Returns when questions can be asked; what is ready already has no line.

    Raises StackError, with the end of its log, for a part that cannot start.
    """
    deadline = time.monotonic() + PATIENCE_S
    starts: defaultdict[str, set[float]] = defaultdict(set)
    ready: set[str] = set()
    to_do = deque(part.name for part in _in_order(stack) if part.name in ONE_SHOTS and part.exit_code != 0)
    while True:
        if to_do and to_do[0] in ready:
            to_do.popleft()
        if to_do and to_do[0] not in starts:
            stack.start_part(to_do[0])
        parts = [part for part in _in_order(stack) if part.name not in list(to_do)[1:]]
        for part in parts:
            starts[part.name].add(part.started)
            if part.name not in ready and _look(part, stack.settings, steps):
                ready.add(part.name)
            if complaint := _complaint(part, len(starts[part.name])):
                raise _failure(part, complaint, stack.settings, steps)
        steps.tick()
        if not to_do and len(ready) == len(parts):
            return
        if time.monotonic() > deadline:
            late = next(part for part in parts if part.name not in ready)
            raise _failure(late, f"is not ready after {PATIENCE_S:.0f} s", stack.settings, steps)
        time.sleep(0.2)


def _in_order(stack: Parts) -> list[Part]:
    """The parts as they come to life, so that the lines do, too."""
    order = [*SERVERS, *SERVICES, *ONE_SHOTS]
    return sorted(stack.parts(), key=lambda part: order.index(part.name))


def _look(part: Part, settings: Settings, steps: Steps) -> bool:
    """Whether a part is ready; shows it as a step unless it was at first sight."""
    ready = _is_ready(part, settings)
    if ready and steps.is_begun(part.name):
        steps.done(part.name)
    if not ready:
        steps.begin(part.name)
        steps.note(part.name, last_lines(settings.log(part.name)))
    return ready


def _complaint(part: Part, starts: int) -> str:
    """Why a part will not come up by itself, or nothing."""
    ended = part.exit_code is not None
    if part.state == "fatal" or (part.name in ONE_SHOTS and ended and part.exit_code != 0):
        return f"failed (exit code {part.exit_code})"
    if part.name in SERVICES and ended and part.exit_code in (0, 2):
        return f"ended (exit code {part.exit_code})"
    return f"was started {starts} times, and ended each time" if starts >= TOO_MANY_STARTS else ""


def _is_ready(part: Part, settings: Settings) -> bool:
    if part.name in ONE_SHOTS:
        return part.exit_code == 0
    if not part.running:
        return False
    if part.name in SERVICES:
        return _answers(settings.url(PORT_OF[part.name]) + "/readyz") is not None
    if part.name in ("jobmanager", "taskmanager"):
        overview = _answers(settings.url("FLINK_PORT") + "/overview")
        return overview is not None and (part.name == "jobmanager" or overview.json()["taskmanagers"] > 0)
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", settings.ports[PORT_OF[part.name]])) == 0


def _answers(url: str) -> httpx.Response | None:
    try:
        return httpx.get(url, timeout=2, trust_env=False).raise_for_status()
    except httpx.HTTPError:
        return None


def _failure(part: Part, complaint: str, settings: Settings, steps: Steps) -> StackError:
    steps.failed(part.name, complaint)
    steps.tick()
    log = settings.log(part.name)
    return StackError(f"{part.name} {complaint}. It says:\n{last_lines(log, 8)}\nWhole log: {log}")
