"""What a runtime can do, whichever it is, and which of the two to use."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from stack.checks import lasting
from stack.settings import ELSEWHERE, ROOT, SettingError, Settings, StackError
from stack.steps import Steps

NOTHING_RUNS = "Nothing runs here; `make up` starts it."

SERVERS = ("zookeeper", "kafka", "mongo", "jobmanager", "taskmanager")
"""The parts that others wrote."""

SERVICES = ("cache-service", "llm-consumer", "storage-service", "explorer")
"""Our own parts that keep running."""

IMPORT = "questions-import"
ONE_SHOTS = ("topics", IMPORT)
"""The parts that do something once and end."""

SUBMIT = "flink-submit"
"""The part that submits the job and watches it: after the import, so that it finds all questions."""

PORT_OF = {
    "zookeeper": "ZOOKEEPER_PORT",
    "kafka": "KAFKA_PORT",
    "mongo": "MONGODB_PORT",
    "jobmanager": "FLINK_PORT",
    "cache-service": "CACHE_PORT",
    "llm-consumer": "LLM_PORT",
    "storage-service": "STORAGE_PORT",
    "explorer": "EXPLORER_PORT",
}
"""The variable that sets the port of a part."""


@dataclass(frozen=True)
class Part:
    """One part of a stack, as it is now; of several copies, one.

    `pid` is its main process on this machine, or 0, and `port` where it listens there;
    `exit_code` is None while it runs.
    """

    service: str
    copy: int
    running: bool
    state: str
    pid: int = 0
    port: int = 0
    exit_code: int | None = None
    started: float = 0.0

    @property
    def name(self) -> str:
        """Its service, with a number after it from the second copy on."""
        return name_of(self.service, self.copy)


def in_order(parts: Iterable[Part]) -> list[Part]:
    """Parts as they come to life."""
    order = [*SERVERS, *SERVICES, *ONE_SHOTS, SUBMIT]
    return sorted(parts, key=lambda part: (order.index(part.service), part.copy))


def name_of(service: str, copy: int) -> str:
    """The name of a copy of a service."""
    return service if copy == 1 else f"{service}-{copy}"


def service_and_copy(name: str) -> tuple[str, int]:
    """The opposite of `name_of`."""
    service, _, copy = name.rpartition("-")
    return (service, int(copy)) if copy.isdigit() else (name, 1)


class Runtime(Protocol):
    """Runs the parts of one stack."""

    settings: Settings

    def is_up(self) -> bool:
        """Whether the stack runs, whole or in part."""

    def start(self, steps: Steps) -> None:
        """Starts what does not run yet, and returns when questions can be asked.

        Raises StackError that names the part that cannot start, why, and its log.
        """

    def is_outdated(self) -> bool:
        """Whether what runs was started from other sources than those that are here."""

    def make_way(self, steps: Steps) -> None:
        """Ends what the next start has to start anew; the data stays, and so does what runs in the foreground."""

    def check_settings(self) -> None:
        """Raises StackError where the stack runs with settings that are not today's."""

    def stop(self) -> None:
        """Stops everything; the data stays. Nothing happens where nothing runs."""

    def clean(self) -> None:
        """Stops everything and removes data and logs."""

    def parts(self) -> list[Part]:
        """Every part that was started."""

    def is_ready(self, part: Part) -> bool:
        """Whether a part does its work, or has done it."""

    def popen(
        self, part: str, arguments: Sequence[str] = (), environment: Mapping[str, str] = {}, *, quiet: bool = False
    ) -> "subprocess.Popen[bytes]":
        """Starts a part once more, in the foreground.

        It is the part's own command with `arguments` after it, in the part's own environment
        with `environment` over it. A quiet one writes to its log. To stop it, `end` it.
        """

    def tool(self, module: str, arguments: Sequence[str] = (), given: bytes = b"") -> bytes:
        """Runs a Python module of ours where the job's packages are, and gives what it prints.

        It has the settings of flink-submit, and reads `given`. It need not find the stack running.
        Raises StackError where it fails; what it complains of is shown.
        """

    def show_logs(self, part: str | None, follow: bool) -> None:
        """Prints the log of one part, or the end of all."""

    def read_log(self, part: str, lines: int | None = None) -> str:
        """The log of a part, or its last lines."""

    def start_part(self, name: str) -> None:
        """Starts one part and does not wait for it."""

    def stop_part(self, name: str) -> None:
        """Stops one part and returns when it has ended."""

    def kill_part(self, name: str) -> None:
        """Ends the main process of a part by SIGKILL; what watches over it starts it again."""

    def kill_all(self) -> None:
        """Ends every process of the stack at once."""


def started(settings: Settings) -> dict[str, str]:
    """Which servers are to be started, as the definitions of the parts ask for it."""
    return {f"START_{part.upper()}": str(int(settings.runs(part))) for part in ELSEWHERE}


def need_running(runtime: Runtime) -> None:
    """Raises StackError where nothing runs, or with settings that are not today's."""
    if not runtime.is_up():
        raise StackError(NOTHING_RUNS)
    runtime.check_settings()


def run_once(runtime: Runtime, part: str, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
    """Runs a part's command once more; raises StackError where it fails."""
    process = runtime.popen(part, arguments, environment or {})
    try:
        code = process.wait()
    finally:
        end(process)
    if code != 0:
        raise StackError(f"{part} failed (exit code {code})")


def output_of(command: Sequence[str], environment: Mapping[str, str], given: bytes, name: str) -> bytes:
    """What a process prints that reads `given`; raises StackError where it fails."""
    process = subprocess.run(command, cwd=ROOT, env=environment, input=given, stdout=subprocess.PIPE, check=False)
    if process.returncode != 0:
        raise StackError(f"{name} failed (exit code {process.returncode})")
    return process.stdout


def begin(
    command: Sequence[str], environment: Mapping[str, str], output: IO[bytes] | None
) -> "subprocess.Popen[bytes]":
    """Starts a process that leads a session of its own and reads nothing; what it says goes to `output`, or here."""
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )


def end(process: "subprocess.Popen[bytes]") -> None:
    """Asks a process to end that leads a session of its own, and waits until it has.

    The whole session is asked: Docker's older command lines do not hand a SIGTERM on to Compose.
    """
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
    process.wait()


def choose_runtime(settings: Settings) -> str:
    """What RUNTIME says, else what runs already, else `compose` where an engine answers, else `native`."""
    forced = settings.environment.get("RUNTIME", "")
    if forced not in ("", "compose", "native"):
        raise SettingError(f"RUNTIME={forced} is unknown; allowed are compose and native")
    if forced == "compose" and not _engine_answers():
        raise SettingError(
            "RUNTIME=compose cannot be used: no container engine with Compose answers; allowed is native"
        )
    return forced or _remembered(settings) or ("compose" if _engine_answers() else "native")


def remember(settings: Settings, runtime: str) -> None:
    """Lets later commands find the runtime of this stack and its settings, and any tool its addresses."""
    _note(settings).write_text(runtime + "\n")
    ports = {name: str(port) for name, port in settings.ports.items()}
    _settings_of_start(settings).write_text(json.dumps(lasting(settings.environment) | ports, indent=2) + "\n")
    settings.write_endpoints()


def forget(settings: Settings) -> None:
    """The opposite of `remember`."""
    for file in (_note(settings), _settings_of_start(settings), settings.run_dir / "endpoints.env"):
        file.unlink(missing_ok=True)


def as_started(runtime: Runtime) -> Settings:
    """A running stack's settings: what the environment does not say is as at the start, but for secrets."""
    settings, file = runtime.settings, _settings_of_start(runtime.settings)
    if not (file.exists() and runtime.is_up()):
        return settings
    said = {name: value for name, value in settings.environment.items() if value}
    return Settings.from_environment({**json.loads(file.read_text()), **said})


def is_remembered(settings: Settings) -> bool:
    """Whether the stack was started, and not stopped since."""
    return _note(settings).exists()


def _note(settings: Settings) -> Path:
    return settings.run_dir / "runtime"


def _settings_of_start(settings: Settings) -> Path:
    return settings.run_dir / "settings.json"


def _remembered(settings: Settings) -> str:
    note = _note(settings)
    return note.read_text().strip() if note.exists() else ""


def _engine_answers() -> bool:
    if shutil.which("docker") is None:
        return False
    try:
        for command in (["docker", "info"], ["docker", "compose", "version"]):
            subprocess.run(command, capture_output=True, timeout=4, check=True, env=dict(os.environ))
    except (OSError, subprocess.SubprocessError):
        return False
    return True
