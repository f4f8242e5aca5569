"""Logs of parts: writing those of commands, which no supervisor rotates, and reading any."""

from pathlib import Path
from typing import BinaryIO

MAX_LOG_BYTES = 20_000_000
"""As the supervisor has it, and the containers' driver."""


def open_to_append(log: Path, max_bytes: int = MAX_LOG_BYTES) -> BinaryIO:
    """Opens a log to write on; what is full is put aside first, in the place of what was put aside before."""
    if log.exists() and log.stat().st_size >= max_bytes:
        log.rename(log.with_name(f"{log.name}.1"))
    return log.open("ab")


def last_lines(log: Path, count: int | None = 1) -> str:
    """The end of a log, or all of it."""
    if not log.exists():
        return ""
    if count is None:
        return log.read_text(errors="replace")
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 16384))
        lines = file.read().decode(errors="replace").splitlines()
    return "\n".join([line for line in lines if line.strip()][-count:])
