"""Where a stack lives and how it is reached: its folder, its ports, its addresses."""

import math
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from flink_job.durations import seconds

ROOT = Path(__file__).resolve().parent.parent

PORTS = {
    "ZOOKEEPER_PORT": 2181,
    "KAFKA_PORT": 9092,
    "MONGODB_PORT": 27017,
    "FLINK_PORT": 8081,
    "STORAGE_PORT": 8082,
    "CACHE_PORT": 8092,
    "LLM_PORT": 8102,
    "EXPLORER_PORT": 8112,
    "JOBMANAGER_RPC_PORT": 6123,
    "JOBMANAGER_BLOB_PORT": 6124,
}
"""The ports of a stack, by the variable that sets each, with the usual ones."""

SCALES = {
    "cache-service": "SCALE_CACHE_SERVICE",
    "llm-consumer": "SCALE_LLM_CONSUMER",
    "storage-service": "SCALE_STORAGE_SERVICE",
    "taskmanager": "SCALE_TASKMANAGER",
}
"""The parts that may run several times over, and the variable that says how often."""

ELSEWHERE = {"kafka": "KAFKA_BOOTSTRAP_SERVERS", "mongo": "MONGODB_URI"}
"""The servers that may be somebody's own, and the setting that says where."""

MAX_COPIES = 10
"""Copies count their ports up from the first one's, and the usual ports are this far apart."""

STOP_GRACE_S = 15
"""How long a service may take to stop, unless DRAIN_DEADLINE is set."""

AFTER_DRAIN_S = 8
"""How long a service may take after its DRAIN_DEADLINE, to give back what it has not finished."""

MAX_DRAIN_S = 3600

# Servers listen on Unix sockets in the folder, and their paths may not be longer than 107 bytes.
MAX_RUN_DIR_BYTES = 80


class StackError(Exception):
    """What went wrong, in words for the person at the terminal."""


class SettingError(StackError):
    """A setting that cannot be used: its name, its value, and what is allowed."""


@dataclass(frozen=True)
class Settings:
    """One stack on this machine.

    `environment` is what its processes are given; what a service reads from it is the
    service's own business. `patience_s` is how many seconds may pass without any outcome
    before a run counts as stuck.
    """

    run_dir: Path
    ports: Mapping[str, int] = field(default_factory=lambda: dict(PORTS))
    environment: Mapping[str, str] = field(default_factory=dict)
    patience_s: int = 120

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """The stack that the environment describes.

        Raises SettingError for a port or a folder that cannot be used.
        """
        run_dir = Path(environ.get("COTEJO_RUN_DIR") or ".run")
        run_dir = (run_dir if run_dir.is_absolute() else ROOT / run_dir).resolve()
        if len(os.fsencode(run_dir)) > MAX_RUN_DIR_BYTES or any(c.isspace() for c in str(run_dir)):
            raise SettingError(
                f"COTEJO_RUN_DIR={run_dir} cannot be used; allowed is a path without spaces "
                f"of at most {MAX_RUN_DIR_BYTES} bytes"
            )
        ports = {name: _number(name, environ, PORTS[name], "a port", 65535) for name in PORTS}
        patience_s = _number("COTEJO_PATIENCE_S", environ, cls.patience_s, "a number of seconds", 86400)
        settings = cls(run_dir, ports, dict(environ), patience_s)
        for part in SCALES:
            settings.copies(part)
        return settings

    def copies(self, part: str) -> int:
        """How many of a part are to run.

        Raises SettingError for a number that cannot be.
        """
        name = SCALES.get(part)
        return _number(name, self.environment, 1, "a number of copies", MAX_COPIES) if name else 1

    @property
    def stop_grace_s(self) -> int:
        """How many seconds a service may take to stop before it is killed: longer than it waits for its work.

        A DRAIN_DEADLINE that cannot be used changes nothing here: no service starts with it.
        """
        deadline_s = seconds(self.environment.get("DRAIN_DEADLINE", ""))
        is_usable = deadline_s is not None and deadline_s <= MAX_DRAIN_S
        return math.ceil(deadline_s or 0) + AFTER_DRAIN_S if is_usable else STOP_GRACE_S

    @property
    def database(self) -> str:
        """The name of the MongoDB database."""
        return self.environment.get("MONGODB_DATABASE") or "cotejo"

    def runs(self, part: str) -> bool:
        """Whether the stack has a part of its own: not where a setting names a server that is there already."""
        return not self.environment.get(ELSEWHERE.get(part, ""))

    def url(self, port: str, copy: int = 1) -> str:
        """The HTTP address of a port of this stack, or of a copy's."""
        return f"http://127.0.0.1:{self.ports[port] + copy - 1}"

    def endpoints(self) -> dict[str, str]:
        """How any program on this machine reaches the stack."""
        own = f"mongodb://127.0.0.1:{self.ports['MONGODB_PORT']}/?directConnection=true"
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.environment.get("KAFKA_BOOTSTRAP_SERVERS")
            or f"127.0.0.1:{self.ports['KAFKA_PORT']}",
            "MONGODB_URI": self.environment.get("MONGODB_URI") or own,
            "MONGODB_DATABASE": self.database,
            "FLINK_URL": self.url("FLINK_PORT"),
            "STORAGE_URL": self.url("STORAGE_PORT"),
            "EXPLORER_URL": self.url("EXPLORER_PORT"),
        }

    def write_endpoints(self) -> None:
        """Leaves the addresses in `endpoints.env`, for any tool; they may hold a password."""
        file = self.run_dir / "endpoints.env"
        file.touch(mode=0o600)
        file.write_text("".join(f"{name}={value}\n" for name, value in self.endpoints().items()))

    def delete(self) -> None:
        """Removes what a stack leaves in its folder, and the folder where nothing else is in it."""
        for name in ("conf", "data", "logs"):
            shutil.rmtree(self.run_dir / name, ignore_errors=True)
        for name in ("endpoints.env", "runtime", "settings.json", "supervisor.sock", "supervisord.pid"):
            (self.run_dir / name).unlink(missing_ok=True)
        with suppress(OSError):
            self.run_dir.rmdir()

    def data_collected(self) -> Path:
        """The folder of the runs' records."""
        return ROOT / (self.environment.get("DATA_COLLECTED_DIR") or "data_collected")

    def reports(self) -> Path:
        """The folder of the reports."""
        return ROOT / (self.environment.get("REPORTS_DIR") or "reports")

    def log(self, part: str) -> Path:
        """The log file of a part."""
        return self.run_dir / "logs" / f"{part}.log"


def _number(name: str, environ: Mapping[str, str], default: int, what: str, most: int) -> int:
    text = environ.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= most:
        raise SettingError(f"{name}={text} is not {what}; allowed are 1 to {most}")
    return int(text)
