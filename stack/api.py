"""A stack of one's own, for tests: other ports, another folder, nothing left behind."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from io import StringIO
from pathlib import Path

from rich.console import Console

from stack.outcomes import Summary
from stack.runtimes import runtime_of
from stack.settings import MAX_COPIES, PORTS, ROOT, Settings
from stack.steps import Steps
from stack.traffic import send

# A developer's own settings must not change what a test sees.
INHERITED = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "TMPDIR", "JAVA_HOME")
ENGINES = ("DOCKER_CONFIG", "DOCKER_CONTEXT", "DOCKER_HOST")
RUNTIME = os.environ.get("RUNTIME") or "native"


def free_ports() -> dict[str, int]:
    """Free ports for each that a stack needs: the first of as many as there may be copies."""
    with ExitStack() as taken:
        return {name: _free_range(taken) for name in PORTS}


def _free_range(taken: ExitStack) -> int:
    first = 0
    while not first:
        sockets = [taken.enter_context(socket.socket()) for _ in range(MAX_COPIES)]
        with suppress(OSError, OverflowError):
            sockets[0].bind(("127.0.0.1", 0))
            port: int = sockets[0].getsockname()[1]
            for copy, probe in enumerate(sockets[1:], 1):
                probe.bind(("127.0.0.1", port + copy))
            first = port
    return first


class Stack:
    """A stack that ends with the test that started it, at once; use it as a context.

    It runs in plain processes, or as RUNTIME says. `env` holds settings of the services, such
    as SCORE_THRESHOLD. Logs and data are in `run_dir`; `clean` removes them. Should this
    process be killed, the stack ends, too.
    """

    def __init__(
        self, run_dir: Path | None = None, ports: Mapping[str, int] | None = None, env: Mapping[str, str] | None = None
    ) -> None:
        self.run_dir = run_dir or Path(tempfile.mkdtemp(prefix="cotejo-"))
        inherited = {name: os.environ[name] for name in (*INHERITED, *ENGINES) if name in os.environ}
        collected = {"DATA_COLLECTED_DIR": str(self.run_dir / "data_collected")}
        self.settings = Settings(self.run_dir, ports or free_ports(), inherited | collected | dict(env or {}))
        self.runtime = runtime_of(RUNTIME, self.settings)
        self._guard: subprocess.Popen[bytes] | None = None

    @property
    def endpoints(self) -> dict[str, str]:
        """The addresses, as in `endpoints.env`."""
        return self.settings.endpoints()

    def __enter__(self) -> "Stack":
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        # A patient stop would cost seconds, and whoever is done with a test has no use for it.
        self._end(self.runtime.kill_all)

    def start(self) -> None:
        """Starts what does not run, and returns when questions can be asked."""
        if self._guard is None:
            guard = [sys.executable, "-m", "stack.guard", RUNTIME, str(self.run_dir)]
            self._guard = subprocess.Popen(
                guard, cwd=ROOT, env=self.settings.environment, stdin=subprocess.PIPE, start_new_session=True
            )
        self.wait_ready()

    def wait_ready(self) -> None:
        """Returns when every part is ready (again), starting those that are stopped."""
        with Steps(StringIO()) as steps:
            self.runtime.start(steps)

    def stop(self) -> None:
        """Stops everything; the data stays."""
        self._end(self.runtime.stop)

    def clean(self) -> None:
        """Ends everything and removes its folder, with whatever a test put there."""
        self._end(self.runtime.clean)
        shutil.rmtree(self.run_dir, ignore_errors=True)

    def _end(self, how: Callable[[], None]) -> None:
        how()
        if self._guard is not None and self._guard.stdin is not None:
            self._guard.stdin.close()
            self._guard.wait()
            self._guard = None

    def send(self, **traffic: str) -> Summary:
        """Sends questions and waits for every outcome: `send(TRAFFIC_TOTAL="20")`."""
        return send(self.runtime, self.settings, traffic, Console(file=StringIO()))
