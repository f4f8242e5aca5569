"""The stack as plain processes under supervisord, without containers."""

import configparser
import os
import shlex
import signal
import string
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from http.client import HTTPException
from typing import Any
from xmlrpc.client import Fault, ServerProxy

import psutil
from supervisor.datatypes import dict_of_key_value_pairs
from supervisor.xmlrpc import Faults, SupervisorTransport

from stack import doctor, readiness
from stack.bring_up import bring_up
from stack.build import is_build_noted, note_build
from stack.checks import SECRET, check_settings, names
from stack.logs import last_lines, open_to_append
from stack.runtime import (
    ONE_SHOTS,
    PORT_OF,
    SUBMIT,
    Part,
    begin,
    forget,
    name_of,
    output_of,
    remember,
    service_and_copy,
    started,
)
from stack.settings import ROOT, STOP_GRACE_S, Settings, StackError
from stack.steps import Steps

COOKIE = "COTEJO_STACK"
"""Marks every process of a stack, and what those start in turn, with the stack's folder."""


SUPERVISOR = "supervisor.supervisord"


class _NotRunningError(StackError):
    """No supervisor answers, or it is shutting down."""


class NativeRuntime:
    """Runs a stack under a supervisord of its own."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._folder = settings.run_dir
        self._configuration = self._folder / "conf" / "supervisord.conf"

    def is_up(self) -> bool:
        """Whether this stack's supervisor answers."""
        try:
            return bool(self._ask("getState"))
        except _NotRunningError:
            return False

    def is_outdated(self) -> bool:
        """Whether what runs was started from other sources than those that are here."""
        return self.is_up() and not is_build_noted(self.settings)

    def start(self, steps: Steps) -> None:
        """Starts what does not run yet; see Runtime. A start that fails leaves nothing running."""
        if self.is_up():
            self.check_settings()
            self._start_stopped()
            bring_up(self, steps)
            return
        self._kill_supervised()
        self.check_programs()
        doctor.check(doctor.writable(self.settings), *doctor.room(self.settings), *doctor.ports(self.settings))
        self._write_configuration()
        try:
            self._launch()
            bring_up(self, steps)
        except BaseException:
            self.stop()
            raise
        remember(self.settings, "native")

    def make_way(self, steps: Steps) -> None:
        """Ends every part, unless today's programs cannot use a setting; see Runtime."""
        self.check_programs()
        steps.begin("stopping")
        steps.tick()
        self._shut_down()
        self._kill_supervised()
        steps.done("stopping")

    def check_settings(self) -> None:
        """Raises StackError where a setting is not the one that the stack was started with."""
        running, wanted = psutil.Process(self._ask("getPID")).environ(), self.environment()
        if changed := sorted(name for name in names() if running.get(name) != wanted.get(name)):
            now = ", ".join(_said(name, running.get(name)) for name in changed)
            raise StackError(f"The stack runs with {now}; set the same, or `make down` first.")

    def check_programs(self) -> None:
        """Raises StackError with the words of the first program that cannot use a setting; nothing need run."""
        check_settings(
            self.settings, self.environment(), lambda program: [f"target/release/{program}", "--print-settings"]
        )

    def stop(self) -> None:
        """Stops the stack, in the opposite order of its start, and leaves no process behind."""
        self._shut_down()
        self.kill_all()
        forget(self.settings)

    def clean(self) -> None:
        """Ends the stack, at once as nothing of it stays, and removes what it left in its folder."""
        self.kill_all()
        self.settings.delete()

    def parts(self) -> list[Part]:
        """Every program of the supervisor."""
        try:
            infos = self._ask("getAllProcessInfo")
        except _NotRunningError:
            return []
        parts = [self._part(info) for info in infos if info["name"] != "traffic-generator"]
        return [part for part in parts if self.settings.runs(part.service)]

    def is_ready(self, part: Part) -> bool:
        """Whether a part does its work, or has done it."""
        return readiness.is_ready(part, self.settings)

    def popen(
        self, part: str, arguments: Sequence[str] = (), environment: Mapping[str, str] = {}, *, quiet: bool = False
    ) -> "subprocess.Popen[bytes]":
        """Starts a part's command in the foreground; see Runtime."""
        programs = configparser.RawConfigParser()
        programs.read(self._configuration)
        program = programs[f"program:{part}"]
        known = self.environment() | dict(environment)
        names = {f"ENV_{name}": value for name, value in known.items()}
        command = [*shlex.split(program["command"] % names), *arguments]
        own = dict_of_key_value_pairs(program.get("environment", "") % names)
        with open_to_append(self.settings.log(part)) as log:
            return begin(command, known | own, log if quiet else None)

    def tool(self, module: str, arguments: Sequence[str] = (), given: bytes = b"") -> bytes:
        """Runs a Python module of ours; see Runtime."""
        return output_of([sys.executable, "-m", module, *arguments], self.environment(), given, module)

    def show_logs(self, part: str | None, follow: bool) -> None:
        """Hands over to `tail`."""
        logs = [self.settings.log(part)] if part else sorted(self._folder.glob("logs/*.log"))
        if not logs or not logs[0].exists():
            known = ", ".join(path.stem for path in sorted(self._folder.glob("logs/*.log"))) or "none"
            raise StackError(f"SERVICE={part or ''} has no log here; there are: {known}")
        subprocess.run(["tail", *(["-F"] if follow else []), "-n", "200" if part else "10", *logs], check=False)

    def environment(self) -> dict[str, str]:
        """What every process of the stack is given."""
        settings = self.settings
        java = [f"{home}/bin"] if (home := settings.environment.get("JAVA_HOME")) else []
        path = [*java, settings.environment.get("PATH", os.defpath)]
        return {
            "QUESTIONS_FILE": "data/sample_questions.csv",
            **settings.environment,
            **{name: str(port) for name, port in settings.ports.items()},
            **settings.endpoints(),
            "COTEJO_RUN_DIR": str(self._folder),
            "FLINK_STATE_DIR": str(self._folder / "data/flink"),
            "DATA_COLLECTED_DIR": str(settings.data_collected()),
            "STOP_GRACE_S": str(settings.stop_grace_s),
            "JVM_OPTIONS": settings.environment.get("JVM_OPTIONS", ""),
            "FLINK_PARALLELISM": settings.environment.get("FLINK_PARALLELISM") or str(settings.copies("taskmanager")),
            **started(settings),
            "PATH": os.pathsep.join(path),
            # Compiling PyFlink anew at every start would cost seconds.
            "PYTHONDONTWRITEBYTECODE": "",
            COOKIE: str(self._folder),
        }

    def kill_all(self) -> None:
        """Kills every process that carries this stack's mark, until there is none."""
        _kill(self._processes)

    def _kill_supervised(self) -> None:
        """Kills what a supervisor has started, and what it left; but not what somebody runs in the foreground."""
        _kill(lambda: [process for process in self._processes() if not _is_in_foreground(process)])

    def _processes(self) -> list[psutil.Process]:
        found = psutil.process_iter(["environ"])
        return [process for process in found if (process.info["environ"] or {}).get(COOKIE) == str(self._folder)]

    def _shut_down(self) -> None:
        with suppress(_NotRunningError, psutil.NoSuchProcess):
            supervisor = psutil.Process(self._ask("getPID"))
            # It stops one part after the other, as patiently as it was told when it was started.
            grace_s = int(supervisor.environ().get("STOP_GRACE_S", STOP_GRACE_S))
            longest_s = grace_s * len(self.parts())
            self._ask("shutdown")
            have_ended([supervisor], timeout_s=longest_s)

    def _ask(self, method: str, *arguments: str | bool) -> Any:  # noqa: ANN401 - each method has its own answer
        socket = f"unix://{self._folder}/supervisor.sock"
        proxy = ServerProxy("http://127.0.0.1", SupervisorTransport(serverurl=socket))
        try:
            return getattr(proxy.supervisor, method)(*arguments)
        except (OSError, HTTPException) as error:
            raise _NotRunningError(f"The stack in {self._folder} does not run.") from error
        except Fault as fault:
            if fault.faultCode != Faults.SHUTDOWN_STATE:
                raise
            raise _NotRunningError(f"The stack in {self._folder} is being stopped.") from fault

    def _write_configuration(self) -> None:
        for folder in ("conf", "data/tmp", "logs"):
            (self._folder / folder).mkdir(parents=True, exist_ok=True)
        for name in ("zoo.cfg", "server.properties"):
            template = string.Template((ROOT / "native" / name).read_text())
            (self._folder / "conf" / name).write_text(template.substitute(self.environment()))
        # supervisord does not know defaults for all programs: write them out.
        programs = configparser.RawConfigParser()
        programs.read(ROOT / "native/supervisord.conf")
        spelled_out = configparser.RawConfigParser()
        for name in programs.sections():
            if not name.startswith("program:"):
                spelled_out[name] = {k: v for k, v in programs[name].items() if k not in programs.defaults()}
                continue
            service = name.removeprefix("program:")
            for copy in range(1, self.settings.copies(service) + 1):
                spelled_out[f"program:{name_of(service, copy)}"] = self._program(service, copy, programs[name])
        with self._configuration.open("w") as file:
            spelled_out.write(file)
        note_build(self.settings)

    def _program(self, service: str, copy: int, section: Mapping[str, str]) -> dict[str, str]:
        """What the supervisor is told of a copy of a service, with a port of its own."""
        port = f"%(ENV_{PORT_OF.get(service)})s"
        return {key: value.replace(port, str(self._port(service, copy))) for key, value in section.items()}

    def _launch(self) -> None:
        output = self._folder / "logs" / "supervisord.out"
        supervisord = [sys.executable, "-m", SUPERVISOR, "-c", str(self._configuration)]
        with output.open("wb") as log:
            process = begin(supervisord, self.environment(), log)
        while not self.is_up():
            if process.poll() is not None:
                raise StackError(f"The supervisor cannot start:\n{last_lines(output, 5)}\nWhole log: {output}")
            time.sleep(0.05)

    def start_part(self, name: str) -> None:
        """Starts one part and does not wait for it."""
        try:
            self._ask("startProcess", name, False)
        except Fault as fault:
            if fault.faultCode != Faults.ALREADY_STARTED:
                raise StackError(f"{name} cannot start: {fault.faultString}") from fault

    def stop_part(self, name: str) -> None:
        """Stops one part and returns when it has ended."""
        try:
            self._ask("stopProcess", name)
        except Fault as fault:
            if fault.faultCode != Faults.NOT_RUNNING:
                raise StackError(f"{name} cannot stop: {fault.faultString}") from fault

    def kill_part(self, name: str) -> None:
        """Ends the main process of a part by SIGKILL; the supervisor starts it again."""
        os.kill(next(part.pid for part in self.parts() if part.name == name and part.pid), signal.SIGKILL)

    def read_log(self, part: str, lines: int | None = None) -> str:
        """The log of a part, or its last lines."""
        return last_lines(self.settings.log(part), lines)

    def _start_stopped(self) -> None:
        for part in self.parts():
            if not part.running and part.service not in (*ONE_SHOTS, SUBMIT):
                self.start_part(part.name)

    def _part(self, info: Mapping[str, Any]) -> Part:
        state = str(info["statename"]).lower()
        service, copy = service_and_copy(info["name"])
        return Part(
            service=service,
            copy=copy,
            running=state in ("running", "starting", "stopping"),
            state=state,
            pid=info["pid"],
            port=self._port(service, copy),
            exit_code=info["exitstatus"] if state == "exited" else None,
            started=info["start"],
        )

    def _port(self, service: str, copy: int) -> int:
        return self.settings.ports[PORT_OF[service]] + copy - 1 if service in PORT_OF else 0


def have_ended(processes: list[psutil.Process], timeout_s: float) -> bool:
    """Waits until none of these runs; one that its parent has not asked about since it ended runs no more, either."""
    deadline = time.monotonic() + timeout_s
    while alive := psutil.wait_procs(processes, timeout=0.1)[1]:
        if all(_is_zombie(process) for process in alive):
            return True
        if time.monotonic() > deadline:
            return False
    return True


def _is_zombie(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def _kill(find: Callable[[], list[psutil.Process]]) -> None:
    for _ in range(10):
        if not (processes := find()):
            return
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        have_ended(processes, timeout_s=5)
    raise StackError(f"These processes cannot be killed: {[process.pid for process in find()]}")


def _is_in_foreground(process: psutil.Process) -> bool:
    """Whether its session is neither a supervisor's nor left over from one."""
    try:
        leader = psutil.Process(os.getsid(process.pid))
        return SUPERVISOR not in leader.cmdline()
    except (ProcessLookupError, psutil.NoSuchProcess):
        return False


def _said(name: str, value: str | None) -> str:
    """A setting as it may be shown to anybody."""
    if SECRET.search(name):
        return f"another {name}"
    return f"{name}={value}" if value else f"no {name}"
