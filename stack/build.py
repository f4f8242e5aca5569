"""Tells a stack that runs from other sources from one that runs from those that are here."""

import hashlib
from pathlib import Path

from stack.settings import ROOT, Settings

MADE_OF = (
    "Cargo.*",
    "docker-compose.yml",
    "flink_job/**/*",
    "jobmanager/**/*",
    "native/*",
    "requirements.txt",
    "services/**/*",
)
BESIDE = {"tests", "__pycache__"}


def note_build(settings: Settings) -> None:
    """Writes down that the stack runs from what is here now."""
    settings.run_dir.joinpath("conf").mkdir(parents=True, exist_ok=True)
    _note(settings).write_text(digest() + "\n")


def is_build_noted(settings: Settings) -> bool:
    """Whether the stack was started from what is here now; for one of before there were notes, not."""
    note = _note(settings)
    return note.exists() and note.read_text().strip() == digest()


def _note(settings: Settings) -> Path:
    return settings.run_dir / "conf" / "build"


def digest() -> str:
    """What is here now, in letters: equal for equal sources, wherever they lie."""
    digest = hashlib.sha256()
    for path in sorted(path.relative_to(ROOT) for pattern in MADE_OF for path in ROOT.glob(pattern)):
        if BESIDE.isdisjoint(path.parts) and (ROOT / path).is_file():
            content = hashlib.sha256((ROOT / path).read_bytes())
            digest.update(f"{content.hexdigest()} {path.as_posix()}\n".encode())
    return digest.hexdigest()
