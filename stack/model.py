"""How the model's server does, as the copies of llm-consumer see it."""

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any
from urllib.request import urlopen

from stack.runtime import Part, Runtime

TIMEOUT_S = 1.0
PART = "llm-consumer"


def complaints(runtime: Runtime) -> list[str]:
    """What keeps the model from answering, a line for each copy that waits; nothing when all is well."""
    lines = []
    for part in runtime.parts():
        if part.service == PART and part.running:
            # One that does not answer has its own line in the table of parts.
            with suppress(OSError, ValueError, KeyError):
                lines += complaint(_report(part))
    return sorted(set(lines))


def complaint(report: Mapping[str, Any]) -> list[str]:
    """The line about a gate that is closed."""
    if report["gate"] != "closed":
        return []
    since = datetime.fromisoformat(report["since"]).astimezone()
    return [
        f"{report['meaning']} since {since:%H:%M}: {report['waiting']:,} questions wait"
        f" ({report['detail'].splitlines()[0] if report['detail'] else report['cause']})"
    ]


def _report(part: Part) -> Mapping[str, Any]:
    with urlopen(f"http://127.0.0.1:{part.port}/api/model", timeout=TIMEOUT_S) as reply:
        report: Mapping[str, Any] = json.load(reply)
        return report
