"""How the model's server does, as the copies of llm-consumer see it."""

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from http.client import HTTPException
from typing import Any
from urllib.request import urlopen

from rich.console import Console

from stack.runtime import Part, Runtime

TIMEOUT_S = 1.0
LOOK_EVERY_S = 2.0
SINCE = " since "
PART = "llm-consumer"


def complaints(runtime: Runtime) -> list[str]:
    """What keeps the model from answering, a line for each copy that waits; nothing when all is well."""
    lines = []
    for part in runtime.parts():
        if part.service == PART and part.running:
            # One that does not answer has its own line in the table of parts.
            with suppress(OSError, HTTPException, ValueError, KeyError):
                lines += complaint(_report(part))
    return sorted(set(lines))


class Explainer:
    """Says, once for each reason, why nothing moves."""

    def __init__(self, runtime: Runtime, console: Console) -> None:
        self._runtime, self._console = runtime, console
        self._said: set[str] = set()
        self._looked = time.monotonic()

    def look(self) -> None:
        """Asks now and then, and prints what is new."""
        if time.monotonic() - self._looked < LOOK_EVERY_S:
            return
        self._looked = time.monotonic()
        for line in complaints(self._runtime):
            reason = line.partition(SINCE)[0]
            if reason not in self._said:
                self._said.add(reason)
                self._console.print(line, soft_wrap=True, markup=False)


def complaint(report: Mapping[str, Any]) -> list[str]:
    """The line about a gate that is closed."""
    if report["gate"] != "closed":
        return []
    since = datetime.fromisoformat(report["since"]).astimezone()
    return [
        f"{report['meaning']}{SINCE}{since:%H:%M}: {report['waiting']:,} questions wait"
        f" ({report['detail'].splitlines()[0] if report['detail'] else report['cause']})"
    ]


def _report(part: Part) -> Mapping[str, Any]:
    with urlopen(f"http://127.0.0.1:{part.port}/api/model", timeout=TIMEOUT_S) as reply:
        report: Mapping[str, Any] = json.load(reply)
        return report
