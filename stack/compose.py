"""The stack in containers, by Docker Compose."""

import json
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

from stack.logs import last_lines
from stack.runtime import Part, forget, remember
from stack.settings import ROOT, Settings, StackError
from stack.steps import Steps


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
        """Builds the images, starts what does not run yet, and waits for health; see Runtime."""
        (self.settings.run_dir / "logs").mkdir(parents=True, exist_ok=True)
        remember(self.settings, "compose")
        log = self.settings.log("compose")
        steps.begin("containers")
        with log.open("wb") as output:
            command = self._command("up", "--build", "--detach", "--wait")
            process = subprocess.Popen(
                command, cwd=ROOT, env=self._environment(), stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        while process.poll() is None:
            steps.note("containers", last_lines(log))
            steps.tick()
            time.sleep(0.2)
        if process.returncode != 0:
            steps.failed("containers")
            raise StackError(self._failure())
        steps.done("containers")

    def check_settings(self) -> None:
        """Nothing to check: Compose makes anew what was made with other settings."""

    def stop(self) -> None:
        """Stops and removes the containers; the volumes stay."""
        self._run("down", "--remove-orphans")
        forget(self.settings)

    def clean(self) -> None:
        """Removes containers, volumes, and what is in the run folder."""
        self._run("down", "--remove-orphans", "--volumes")
        self.settings.delete()

    def parts(self) -> list[Part]:
        """Every container of the project."""
        ids = self._run("ps", "--all", "--quiet").split()
        return [_part(container) for container in json.loads(_docker("inspect", *ids))] if ids else []

    def popen(
        self, part: str, arguments: Sequence[str] = (), environment: Mapping[str, str] = {}, *, quiet: bool = False
    ) -> "subprocess.Popen[bytes]":
        """Runs a part's command in a container of its own; see Runtime."""
        # Names alone: the values are in the environment, where no list of processes shows them.
        names = [f"--env={name}" for name in environment]
        command = self._command("run", "--rm", "--no-deps", "--no-TTY", *names, part, *arguments)
        known = self._environment() | dict(environment)
        with self.settings.log(part).open("ab") as log:
            output = log if quiet else None
            return subprocess.Popen(
                command, cwd=ROOT, env=known, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

    def show_logs(self, part: str | None, follow: bool) -> None:
        """Hands over to `docker compose logs`."""
        arguments = ["logs", *(["--follow"] if follow else []), "--tail", "200" if part else "10"]
        command = self._command(*arguments, *([part] if part else []))
        subprocess.run(command, cwd=ROOT, env=self._environment(), check=False)

    def _failure(self) -> str:
        broken = next((part for part in self.parts() if part.exit_code or part.state == "unhealthy"), None)
        log = self.settings.log("compose")
        if broken is None:
            return f"The containers do not start. Compose says:\n{last_lines(log, 8)}\nWhole log: {log}"
        said = self._run("logs", "--no-log-prefix", "--tail", "8", broken.name)
        return f"{broken.name} is {broken.state}. It says:\n{said}\nWhole log: make logs SERVICE={broken.name}"

    def _environment(self) -> dict[str, str]:
        ports = {name: str(port) for name, port in self.settings.ports.items()}
        collected = {"DATA_COLLECTED_DIR": str(self.settings.data_collected())}
        return dict(self.settings.environment) | ports | collected

    def _command(self, *arguments: str) -> list[str]:
        return ["docker", "compose", "--project-name", self._project, "--file", "docker-compose.yml", *arguments]

    def _run(self, *arguments: str) -> str:
        return _docker(*self._command(*arguments)[1:], environment=self._environment())


def _docker(*arguments: str, environment: Mapping[str, str] | None = None) -> str:
    command = ["docker", *arguments]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise StackError(f"docker {' '.join(arguments)}: {result.stderr.strip() or result.stdout.strip()}")
    return result.stdout


def _part(container: Mapping[str, Any]) -> Part:
    state = container["State"]
    started = datetime.fromisoformat(state["StartedAt"][:19] + "+00:00")
    return Part(
        name=container["Config"]["Labels"]["com.docker.compose.service"],
        running=state["Running"],
        state=state.get("Health", {}).get("Status") or state["Status"],
        pid=state["Pid"],
        exit_code=state["ExitCode"] if state["Status"] == "exited" else None,
        started=started.timestamp(),
    )
