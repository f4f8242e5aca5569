"""Names of runs as names of folders."""

from urllib.parse import quote


def folder_of(run: str) -> str:
    """The name of a run as that of a folder, whatever is in it."""
    safe = quote(run, safe="")
    return f"%2E{safe[1:]}" if safe.startswith(".") else safe
