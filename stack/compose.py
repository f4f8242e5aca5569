"""The stack in containers, by Docker Compose."""

import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from stack import doctor
from stack.bring_up import Watch
from stack.build import is_build_noted, note_build
from stack.checks import check_settings
from stack.logs import last_lines, open_to_append
from stack.runtime import ONE_SHOTS, PORT_OF, Part, begin, end, forget, output_of, remember, service_and_copy, started
from stack.settings import ROOT, SettingError, Settings, StackError
from stack.steps import Steps

LOOK_EVERY_S = 0.5
LABEL = "com.docker.compose"
FOREGROUND = "traffic-generator"
"""Its containers are gone as soon as it ends; it leaves a log file."""


class ComposeRuntime:
    """Runs a stack as a Compose project of its own."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        folder = settings.run_dir
        suffix = "" if folder == ROOT / ".run" else "-" + sha256(os.fsencode(folder)).hexdigest()[:8]
        self._project = settings.environment.get("COMPOSE_PROJECT_NAME") or "cotejo" + suffix

    def is_up(self) -> bool:
        """Whether any part has a container that runs."""
        return any(part.running for part in self.parts())

    def start(self, steps: Steps) -> None:
        """Builds the images, and starts what does not run yet; see Runtime.

        A start that fails leaves nothing running.
        """
        (self.settings.run_dir / "logs").mkdir(parents=True, exist_ok=True)
        # Else the engine makes it, and it belongs to root.
        self.settings.data_collected().mkdir(parents=True, exist_ok=True)
        was_up = self.is_up()
        if not was_up:
            doctor.check(*doctor.ports(self.settings))
        try:
            self._build(steps)
            # Of a stack that runs as well: Compose makes anew what has other settings now.
            check_settings(self.settings, self.environment(), self._print_settings)
            self._up(steps)
        except BaseException:
            self._keep_logs() if was_up else self.stop()
            raise
        remember(self.settings, "compose")
        note_build(self.settings)

    def is_outdated(self) -> bool:
        """Whether what runs was started from other sources than those that are here."""
        return self.is_up() and not is_build_noted(self.settings)

    def make_way(self, steps: Steps) -> None:
        """Ends nothing: Compose makes anew what has another image or settings; the rest runs on."""
        steps.done("replacing", "only what changed; the rest runs on")

    def check_settings(self) -> None:
        """Nothing to check: Compose makes anew what was made with other settings."""

    def stop(self) -> None:
        """Stops and removes the containers; the volumes stay, and the logs as files."""
        self._keep_logs()
        self._run("down", "--remove-orphans")
        forget(self.settings)

    def clean(self) -> None:
        """Removes containers, at once as nothing of them stays, volumes, and what is in the run folder."""
        self._run("down", "--remove-orphans", "--volumes", "--timeout", "0")
        self.settings.delete()

    def parts(self) -> list[Part]:
        """Every container of the project, but for what runs in the foreground."""
        filters = [f"--filter=label={LABEL}.{what}" for what in (f"project={self._project}", "oneoff=False")]
        ids = _docker("ps", "--all", "--quiet", *filters).split()
        # It fails, too, where one has gone since, but shows the others all the same.
        shown = subprocess.run(["docker", "container", "inspect", *ids], capture_output=True, check=False).stdout
        return [_part(container) for container in json.loads(shown or "[]")] if ids else []

    def is_ready(self, part: Part) -> bool:
        """Whether a part is healthy, or has done its work."""
        return part.exit_code == 0 if part.service in ONE_SHOTS else part.state == "healthy"

    def popen(
        self, part: str, arguments: Sequence[str] = (), environment: Mapping[str, str] = {}, *, quiet: bool = False
    ) -> "subprocess.Popen[bytes]":
        """Runs a part's command in a container of its own; see Runtime."""
        known = self.environment() | dict(environment)
        # Names alone: the values are in the environment, where no list of processes shows them.
        names = [f"--env={name}" for name in environment]
        command = self._command("run", "--rm", "--no-deps", "--no-TTY", *names, *_files(known), part, *arguments)
        with open_to_append(self.settings.log(part)) as log:
            return begin(command, known, log if quiet else None)

    def tool(self, module: str, arguments: Sequence[str] = (), given: bytes = b"") -> bytes:
        """Runs a Python module of ours in a container of flink-submit's; see Runtime."""
        command = self._command("run", "--rm", "--no-deps", "--no-TTY", "flink-submit", "tool", module, *arguments)
        return output_of(command, self.environment(), given, module)

    def show_logs(self, part: str | None, follow: bool) -> None:
        """Hands over to `docker compose logs`, but for what ran in the foreground."""
        if part == FOREGROUND:
            print(self.read_log(part, 200))
            return
        arguments = ["logs", *(["--follow"] if follow else []), "--tail", "200" if part else "10"]
        command = self._command(*arguments, *([part] if part else []))
        subprocess.run(command, cwd=ROOT, env=self.environment(), check=False)

    def read_log(self, part: str, lines: int | None = None) -> str:
        """The log of a part, or its last lines; what runs in the foreground has a file instead."""
        if part == FOREGROUND:
            return last_lines(self.settings.log(part), lines)
        tail = "all" if lines is None else str(lines)
        command = ["docker", "logs", "--tail", tail, self._container(part)]
        said = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False).stdout
        return said.decode(errors="replace").rstrip()

    def start_part(self, name: str) -> None:
        """Starts one part and does not wait for it."""
        _docker("start", self._container(name))

    def stop_part(self, name: str) -> None:
        """Stops one part and returns when it has ended."""
        _docker("stop", self._container(name))

    def kill_part(self, name: str) -> None:
        """Ends the main process of a part by SIGKILL; the engine starts it again.

        Not by `docker kill`, which counts as a wish, nor from here, where the process is somebody else's.
        """
        pid = next(part.pid for part in self.parts() if part.name == name and part.pid)
        killer = ("run", "--rm", "--pid=host", "--network=none", "--user=0", "--entrypoint=bash", "cotejo/flink")
        _docker(*killer, "-c", f"kill -KILL {pid}")

    def kill_all(self) -> None:
        """Removes every container at once, also those that are just being made; the logs stay as files."""
        self._keep_logs()
        while self.parts():
            self._run("down", "--remove-orphans", "--timeout", "0")

    def environment(self) -> dict[str, str]:
        """What Compose puts into its file, and gives to the services."""
        settings = self.settings
        services = {port: service for service, port in PORT_OF.items()}
        return {
            **_readable(settings.environment),
            **{name: _range(first, settings.copies(services.get(name, ""))) for name, first in settings.ports.items()},
            "DATA_COLLECTED_DIR": str(settings.data_collected()),
            **started(settings),
            "STOP_GRACE_PERIOD": f"{settings.stop_grace_s}s",
            "HOST_USER": f"{os.getuid()}:{os.getgid()}",
        }

    def _keep_logs(self) -> None:
        (self.settings.run_dir / "logs").mkdir(parents=True, exist_ok=True)
        for part in self.parts():
            self.settings.log(part.name).write_text(self.read_log(part.name))

    def _print_settings(self, program: str) -> list[str]:
        service = "topics" if program == "create-topics" else program
        return self._command("run", "--rm", "--no-deps", "--no-TTY", service, "--print-settings")

    def _build(self, steps: Steps) -> None:
        steps.begin("images")
        with self._start("build", self._command("build")) as build:
            try:
                while build.poll() is None:
                    steps.note("images", last_lines(self.settings.log("build")))
                    steps.tick()
                    time.sleep(LOOK_EVERY_S)
            finally:
                end(build)
        if build.returncode != 0:
            steps.failed("images")
            raise StackError(self._said("The images cannot be built", "build"))
        steps.done("images")

    def _up(self, steps: Steps) -> None:
        begun = time.time()
        watch = Watch(self, steps)
        with self._start("compose", self._command("up", "--no-build", "--remove-orphans", "--detach", "--wait")) as up:
            try:
                while up.poll() is None:
                    # What ended before is about to run again.
                    watch.look(part for part in self.parts() if part.running or part.started > begun)
                    time.sleep(LOOK_EVERY_S)
            finally:
                end(up)
        watch.look(self.parts())
        if up.returncode != 0:
            raise StackError(self._said("The containers do not start", "compose"))

    def _start(self, name: str, command: Sequence[str]) -> "subprocess.Popen[bytes]":
        with self.settings.log(name).open("wb") as log:
            return begin(command, self.environment(), log)

    def _said(self, complaint: str, name: str) -> str:
        log = self.settings.log(name)
        return f"{complaint}. Compose says:\n{last_lines(log, 8)}\nWhole log: {log}"

    def _container(self, part: str) -> str:
        service, copy = service_and_copy(part)
        return f"{self._project}-{service}-{copy}"

    def _command(self, *arguments: str) -> list[str]:
        return ["docker", "compose", "--project-name", self._project, "--file", "docker-compose.yml", *arguments]

    def _run(self, *arguments: str) -> str:
        return _docker(*self._command(*arguments)[1:], environment=self.environment())


def _docker(*arguments: str, environment: Mapping[str, str] | None = None) -> str:
    command = ["docker", *arguments]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise StackError(f"docker {' '.join(arguments)}: {result.stderr.strip() or result.stdout.strip()}")
    return result.stdout


def _part(container: Mapping[str, Any]) -> Part:
    state, labels = container["State"], container["Config"]["Labels"]
    started = datetime.fromisoformat(state["StartedAt"][:19] + "+00:00")
    published = [binding for bindings in container["NetworkSettings"]["Ports"].values() for binding in bindings or ()]
    return Part(
        service=labels[f"{LABEL}.service"],
        copy=int(labels[f"{LABEL}.container-number"]),
        running=state["Running"],
        state=state.get("Health", {}).get("Status") or state["Status"],
        pid=state["Pid"],
        port=int(published[0]["HostPort"]) if published else 0,
        exit_code=state["ExitCode"] if state["Status"] in ("exited", "restarting") else None,
        started=started.timestamp(),
    )


def _range(first: int, copies: int) -> str:
    """Just as many ports as there are copies: the engine would take the next of more at every start."""
    return str(first) if copies == 1 else f"{first}-{first + copies - 1}"


TEMPLATES = ("en", "es")
"""What PROMPT_DIR may be that is no folder."""


def _readable(environment: Mapping[str, str]) -> dict[str, str]:
    """Settings with the key itself in place of its file, which no container sees.

    Raises SettingError for another file that llm-consumer would need.
    """
    settings = dict(environment)
    for name in ("LLM_CASSETTE", "LLM_PRICES", "PROMPT_DIR"):
        value = settings.get(name, "")
        if value and not (name == "PROMPT_DIR" and value in TEMPLATES):
            raise SettingError(f"{name}={value} is a file here, which no container sees; allowed with RUNTIME=native")
    if path := settings.pop("OPENAI_API_KEY_FILE", ""):
        try:
            settings["OPENAI_API_KEY"] = Path(path).expanduser().read_text().strip()
        except OSError as error:
            raise SettingError(f"OPENAI_API_KEY_FILE={path} cannot be read: {error.strerror}") from None
    return settings


def _files(environment: Mapping[str, str]) -> Iterator[str]:
    """The files that settings of the generator name, to be seen by a container under the same path."""
    for name in ("TRAFFIC_SOURCE", "TRAFFIC_DISTRIBUTION"):
        path = environment.get(name, "").removeprefix("trace=")
        if path and (ROOT / path).is_file():
            yield f"--volume={ROOT / path}:{Path('/', path)}:ro"
