"""Whether a part of a native stack does its work; in containers, health checks tell."""

import socket
import time
from functools import cache
from pathlib import Path

import httpx

from stack.runtime import ONE_SHOTS, PORT_OF, SERVICES, SUBMIT, Part
from stack.settings import Settings

FRESH_S = 15
"""The job is seen to several times in so many seconds."""


def is_ready(part: Part, settings: Settings) -> bool:
    """Asks a part, as its kind wants to be asked."""
    if part.service in ONE_SHOTS:
        return part.exit_code == 0
    if not part.running:
        return False
    if part.service in SERVICES:
        return _answer(settings.url(PORT_OF[part.service], part.copy) + "/readyz") is not None
    if part.service == SUBMIT:
        return _is_fresh(settings.run_dir / "data/flink/work/submit/healthy", part.started)
    if part.service in ("jobmanager", "taskmanager"):
        overview = _answer(settings.url("FLINK_PORT") + "/overview")
        wanted = settings.copies("taskmanager") if part.service == "taskmanager" else 0
        return overview is not None and overview.json()["taskmanagers"] >= wanted
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", settings.ports[PORT_OF[part.service]])) == 0


def _is_fresh(file: Path, started: float) -> bool:
    """Whether it was touched by what was started then, and lately. The supervisor tells whole seconds only."""
    touched = file.stat().st_mtime if file.exists() else 0.0
    return touched > max(started + 1, time.time() - FRESH_S)


@cache
def _http() -> httpx.Client:
    """One for all looks: each reads a bundle of certificates, which takes 40 ms. No connection outlives its answer."""
    return httpx.Client(timeout=2, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))


def _answer(url: str) -> httpx.Response | None:
    try:
        return _http().get(url).raise_for_status()
    except httpx.HTTPError:
        return None
