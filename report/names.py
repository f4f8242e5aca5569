"""Names of runs as names of folders."""

import hashlib
from urllib.parse import quote

LONGEST = 200
"""File systems allow 255 bytes; some are left for those who copy it."""


def folder_of(*runs: str) -> str:
    """The name of a run, or of several, as that of a folder, whatever is in it; a long one ends with a digest."""
    name = ",".join(_quoted(run) for run in runs)
    if len(name) <= LONGEST:
        return name
    return f"{name[: LONGEST - 17]}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def _quoted(run: str) -> str:
    safe = quote(run, safe="")
    return f"%2E{safe[1:]}" if safe.startswith(".") else safe
