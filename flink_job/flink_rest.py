"""What is asked of Flink's REST interface about the job."""

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import httpx

JOB_NAME = "streaming_score_job"
"""What the job's name on Flink's page begins with; its version follows."""

_ENDED = frozenset({"FINISHED", "CANCELED", "FAILED"})
_TOO_MANY_FAILURES = 2
"""So many checkpoints that failed one after the other are no accident of a restart."""


class FlinkError(Exception):
    """Flink said no, or did not get done in time."""


class JobFailedError(FlinkError):
    """The job is over for good."""


@dataclass(frozen=True)
class Job:
    """A job as Flink's overview shows it."""

    id: str
    name: str
    state: str
    since_ms: int

    @property
    def ended(self) -> bool:
        """Whether it is over for good: Flink starts nothing of it again by itself."""
        return self.state in _ENDED


class Flink:
    """A Flink cluster.

    Parameters
    ----------
    url : str
        The address of its REST interface.
    patience : float
        How long it may take over what it was asked for, in seconds.
    """

    def __init__(self, url: str, patience: float = 180) -> None:
        self._client = httpx.Client(base_url=url, timeout=10)
        self._patience = patience

    def taskmanagers(self) -> int:
        """How many TaskManagers there are."""
        return int(self._get("/overview")["taskmanagers"])

    def jobs(self) -> list[Job]:
        """Every version of the job that Flink knows, what started last at the end.

        A JobManager answers only once it has recovered its jobs.
        """
        shown = [job for job in self._get("/jobs/overview")["jobs"] if job["name"].startswith(JOB_NAME)]
        jobs = [Job(job["jid"], job["name"], job["state"], job["start-time"]) for job in shown]
        return sorted(jobs, key=lambda job: job.since_ms)

    def running(self) -> list[Job]:
        """Those of `jobs` that have not ended."""
        return [job for job in self.jobs() if not job.ended]

    def complaint(self, job_id: str) -> str:
        """What keeps a job from its work, in words; nothing where it works."""
        job = self._get(f"/jobs/{job_id}")
        if not _works(job):
            return f"the job is {job['state'].lower()}, and not every task of it runs: {self._cause(job_id)}"
        checkpoints = self._get(f"/jobs/{job_id}/checkpoints")
        failed = failures_in_a_row(checkpoint["status"] for checkpoint in checkpoints["history"])
        if failed < _TOO_MANY_FAILURES:
            return ""
        return f"its newest checkpoints failed: {checkpoints['latest']['failed'].get('failure_message')}"

    def end_of(self, job: Job) -> str:
        """How a job ended, and why if Flink knows."""
        return f"{job.state.lower()}: {self._cause(job.id)}" if job.state == "FAILED" else job.state.lower()

    def wait_until_running(self, job_id: str, patience: float | None = None) -> None:
        """Waits until every task of the job runs, for `patience` seconds if it is not to be the usual time.

        Raises
        ------
        JobFailedError
            It is over.
        FlinkError
            It took too long; Flink keeps trying.
        """

        def is_running() -> bool:
            job = self._get(f"/jobs/{job_id}")
            # Ours never finishes by itself: this is the one that was stopped before, and had the same id.
            if job["state"] in _ENDED - {"FINISHED"}:
                raise JobFailedError(f"the job is {job['state'].lower()}: {self._cause(job_id)}")
            return _works(job)

        self._wait(job_id, is_running, "start", patience)

    def stop(self, job_id: str, folder: str) -> str:
        """Stops the job once it has saved its state, and gives the savepoint's path.

        Raises
        ------
        FlinkError
            The job could not be saved; it goes on.
        """
        trigger = self._post(f"/jobs/{job_id}/stop", {"targetDirectory": folder, "drain": False})["request-id"]
        status = f"/jobs/{job_id}/savepoints/{trigger}"
        self._wait(job_id, lambda: self._get(status)["status"]["id"] == "COMPLETED", "save its state")
        operation = self._get(status)["operation"]
        if "location" not in operation:
            raise FlinkError(_root(operation["failure-cause"]["stack-trace"]))
        self._wait_until_ended(job_id)
        return str(operation["location"])

    def cancel(self, job_id: str) -> None:
        """Stops the job as it is; its last checkpoint stays."""
        self._client.patch(f"/jobs/{job_id}").raise_for_status()
        self._wait_until_ended(job_id)

    def _wait_until_ended(self, job_id: str) -> None:
        self._wait(job_id, lambda: job_id not in [job.id for job in self.running()], "end")

    def _wait(self, job_id: str, is_done: Callable[[], bool], what: str, patience: float | None = None) -> None:
        patience = patience or self._patience
        deadline = time.monotonic() + patience
        while not is_done():
            if time.monotonic() > deadline:
                raise FlinkError(f"the job did not {what} in {patience:.0f} seconds: {self._cause(job_id)}")
            time.sleep(0.2)

    def _cause(self, job_id: str) -> str:
        # Whatever it is: not to know it must not keep anybody from mending it.
        with suppress(httpx.HTTPError, LookupError):
            entries = self._get(f"/jobs/{job_id}/exceptions")["exceptionHistory"]["entries"]
            return _root(entries[0]["stacktrace"])
        return "see the log of the JobManager"

    def _get(self, path: str) -> dict[str, Any]:
        return dict(self._client.get(path).raise_for_status().json())

    def _post(self, path: str, body: object) -> dict[str, Any]:
        return dict(self._client.post(path, json=body).raise_for_status().json())


def failures_in_a_row(statuses: Iterable[str]) -> int:
    """How many of the newest checkpoints failed, of which the newest comes first; what is under way tells nothing."""
    ended = (status for status in statuses if status != "IN_PROGRESS")
    return sum(1 for _ in takewhile(lambda status: status == "FAILED", ended))


def _works(job: Mapping[str, Any]) -> bool:
    return bool(job["vertices"]) and all(task["status"] == "RUNNING" for task in job["vertices"])


def _root(stacktrace: str) -> str:
    lines = stacktrace.splitlines()
    return next((line for line in reversed(lines) if line.startswith("Caused by")), lines[0])
