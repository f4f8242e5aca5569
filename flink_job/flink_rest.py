"""What submitting needs of Flink's REST interface."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

_ENDED = frozenset({"FINISHED", "CANCELED", "FAILED"})


class FlinkError(Exception):
    """Flink said no, or did not get done in time."""


class JobFailedError(FlinkError):
    """The job is over for good."""


@dataclass(frozen=True)
class Job:
    """A job as Flink's overview shows it."""

    name: str
    state: str

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
        """How many TaskManagers there are. A JobManager answers only once it has recovered its jobs."""
        return int(self._get("/overview")["taskmanagers"])

    def job(self, job_id: str) -> Job | None:
        """The job of that id, if Flink knows one."""
        jobs = self._get("/jobs/overview")["jobs"]
        return next((Job(job["name"], job["state"]) for job in jobs if job["jid"] == job_id), None)

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
            if job["state"] in _ENDED:
                raise JobFailedError(f"the job is {job['state'].lower()}: {self._cause(job_id)}")
            return bool(job["vertices"]) and all(task["status"] == "RUNNING" for task in job["vertices"])

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
        self._wait(job_id, lambda: (job := self.job(job_id)) is None or job.ended, "end")

    def _wait(self, job_id: str, is_done: Callable[[], bool], what: str, patience: float | None = None) -> None:
        patience = patience or self._patience
        deadline = time.monotonic() + patience
        while not is_done():
            if time.monotonic() > deadline:
                raise FlinkError(f"the job did not {what} in {patience:.0f} seconds: {self._cause(job_id)}")
            time.sleep(0.2)

    def _cause(self, job_id: str) -> str:
        entries = self._get(f"/jobs/{job_id}/exceptions")["exceptionHistory"]["entries"]
        return _root(entries[0]["stacktrace"]) if entries else "see the log of the JobManager"

    def _get(self, path: str) -> dict[str, Any]:
        return dict(self._client.get(path).raise_for_status().json())

    def _post(self, path: str, body: object) -> dict[str, Any]:
        return dict(self._client.post(path, json=body).raise_for_status().json())


def _root(stacktrace: str) -> str:
    lines = stacktrace.splitlines()
    return next((line for line in reversed(lines) if line.startswith("Caused by")), lines[0])
