"""Reading logs."""

from pathlib import Path


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
