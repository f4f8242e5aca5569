"""Fetches and builds what Cotejo needs, side by side: `python3.11 -m stack.setup [commands | development]`.

Plain Python: it makes the environment that every other command runs in. What is there
already, from the same inputs, is left alone.
"""

import fcntl
import hashlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from stack import doctor
from stack.logs import last_lines
from stack.runtime import choose_runtime
from stack.settings import ROOT, Settings, StackError
from stack.steps import Steps

TOOLS = ROOT / ".tools"
LOGS = TOOLS / "logs"


@dataclass(frozen=True)
class Job:
    """One thing to set up: a shell script, and the files that it depends on.

    `product` is the folder that it makes; a mark in there tells from which inputs. A job
    without one looks for itself what there is to do. It begins when all of `after` are done.
    """

    name: str
    script: str
    inputs: tuple[str, ...] = ()
    product: str = ""
    after: "tuple[Job, ...]" = ()

    def is_fresh(self) -> bool:
        """Whether its product is there, made from today's inputs."""
        return bool(self.product) and self._mark.exists() and self._mark.read_text() == self._hash()

    def begin(self) -> None:
        """Takes the mark away: a product that is half made is of no inputs."""
        if self.product:
            self._mark.unlink(missing_ok=True)

    def finish(self) -> None:
        """Marks the product as made from today's inputs."""
        if self.product:
            self._mark.write_text(self._hash())

    @property
    def _mark(self) -> Path:
        return TOOLS / self.product / ".made-from"

    def _hash(self) -> str:
        digest = hashlib.sha256(self.script.encode())
        for path in self.inputs:
            digest.update((ROOT / path).read_bytes())
        return digest.hexdigest()


# With containers, the commands are all that runs on this machine.
COMMANDS = Job(
    "Python packages",
    f"""
    {sys.executable} -m venv .tools/venv
    .tools/venv/bin/pip install --disable-pip-version-check --require-hashes --requirement stack/requirements.txt
    """,
    inputs=("stack/requirements.txt",),
    product="venv",
)
# pip fetches one package only, by its hash: uv, which does the rest many times faster.
PACKAGES = Job(
    "Python packages",
    f"""
    {sys.executable} -m venv .tools/venv
    awk '/^[^ #]/ {{ is_uv = /^uv==/ }} is_uv' requirements.txt > .tools/uv.txt
    .tools/venv/bin/python -m pip install --disable-pip-version-check --require-hashes --requirement .tools/uv.txt
    .tools/venv/bin/uv pip sync --require-hashes --python .tools/venv/bin/python requirements.txt
    """,
    inputs=("requirements.txt",),
    product="venv",
)
JARS = Job(
    "Kafka and connector",
    """
    mvn --batch-mode --no-transfer-progress --file native/pom.xml package
    cd .tools/jars/flink && sha256sum --check ../../../native/flink-connector.sha256
    """,
    inputs=("native/pom.xml", "native/flink-connector.sha256"),
    product="jars",
)
BINARIES = Job("Rust services", "cargo build --release --locked --workspace --bins")
# What the job calls, as a package of the same environment; cargo knows what of it is to be built.
MODULE = Job(
    "Rust module of the job",
    """
    export VIRTUAL_ENV="$PWD/.tools/venv"
    .tools/venv/bin/maturin develop --release --uv --manifest-path flink_job/native/Cargo.toml
    """,
    # Cargo would have it wait in any case, and say so again and again.
    after=(PACKAGES, BINARIES),
)


def run(jobs: tuple[Job, ...]) -> None:
    """Runs the jobs, side by side where none waits for another, and shows how they get on.

    Raises StackError, with the end of its log, for the first job that fails.
    """
    with Steps() as steps:
        waiting = [job for job in jobs if not job.is_fresh()]
        running: dict[Job, subprocess.Popen[bytes]] = {}
        try:
            while waiting or running:
                for job in [job for job in waiting if {*job.after}.isdisjoint({*waiting, *running})]:
                    waiting.remove(job)
                    running[job] = _start(job)
                    steps.begin(job.name)
                for job, process in list(running.items()):
                    steps.note(job.name, last_lines(_log(job)))
                    if process.poll() is not None:
                        del running[job]
                        _finish(job, process.returncode, steps)
                steps.tick()
                time.sleep(0.1)
        finally:
            for process in running.values():
                os.killpg(process.pid, signal.SIGTERM)
                process.wait()


def _start(job: Job) -> subprocess.Popen[bytes]:
    job.begin()
    with _log(job).open("wb") as log:
        return subprocess.Popen(
            ["sh", "-euxc", job.script],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _finish(job: Job, code: int, steps: Steps) -> None:
    if code != 0:
        steps.failed(job.name, f"exit code {code}")
        steps.tick()
        raise StackError(f"{job.name}: set-up failed\n{last_lines(_log(job), 12)}\nWhole log: {_log(job)}")
    job.finish()
    steps.done(job.name)


def _log(job: Job) -> Path:
    return LOGS / f"{job.name.lower().replace(' ', '-')}.log"


def main() -> None:
    """Looks what the machine lacks, then sets up what the chosen runtime needs.

    For `commands` it is no more than what they themselves need, for `development` every Python package there is,
    ours among them.
    """
    settings, what = Settings.from_environment(), "".join(sys.argv[1:])
    containers = choose_runtime(settings) == "compose"
    jobs: tuple[Job, ...] = (
        (COMMANDS,) if containers and what != "development" and not PACKAGES.is_fresh() else (PACKAGES,)
    )
    builds = not containers and not what
    compiles = builds or what == "development"
    needed = doctor.tools() if builds else doctor.rust() if compiles else ()
    findings = [*doctor.python(), *needed, *doctor.room(settings)]
    if problems := doctor.missing(iter(findings)):
        raise StackError("This machine lacks something:\n  " + "\n  ".join(problems))
    LOGS.mkdir(parents=True, exist_ok=True)
    with (TOOLS / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        run((*jobs, *((MODULE,) if compiles else ()), *((JARS, BINARIES) if builds else ())))


if __name__ == "__main__":
    try:
        main()
    except StackError as error:
        sys.exit(f"\n{error}")
    except KeyboardInterrupt:
        sys.exit(130)
