"""What flink-submit makes of what it sees of the job."""

import logging
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from confluent_kafka import KafkaException

from flink_job import watch
from flink_job.flink_rest import Flink, Job, failures_in_a_row

JOB = Job("1", "streaming_score_job 1", "RUNNING", 0)


class Cluster(Flink):
    """A Flink with what a test says it has."""

    def __init__(self, *jobs: Job) -> None:
        self.has, self.complains, self.is_away = list(jobs), "", False

    def jobs(self) -> list[Job]:
        if self.is_away:
            raise httpx.ConnectError("connection refused")
        return self.has

    def complaint(self, _job_id: str) -> str:
        return self.complains

    def end_of(self, job: Job) -> str:
        return job.state.lower()


@pytest.fixture
def healthy(tmp_path: Path) -> Path:
    return tmp_path / "healthy"


@pytest.fixture
def submissions(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """A line for each submission; all go well."""
    made: list[None] = []

    def submit() -> int:
        made.append(None)
        return 0

    monkeypatch.setattr(watch, "submit", submit)
    return made


def test_a_job_that_works_is_healthy_and_is_left_alone(healthy: Path, submissions: list[None]) -> None:
    watch.JobWatch(Cluster(JOB), list, healthy).look()
    assert healthy.exists()
    assert not submissions


@pytest.mark.parametrize("jobs", [[], [Job("1", JOB.name, "CANCELED", 0)]])
def test_a_job_that_is_gone_is_submitted_again(jobs: list[Job], healthy: Path, submissions: list[None]) -> None:
    healthy.touch()
    watch.JobWatch(Cluster(*jobs), list, healthy).look()
    assert not healthy.exists()
    assert len(submissions) == 1


def test_what_keeps_a_job_from_its_work_is_said_once_and_its_end_too(
    healthy: Path, submissions: list[None], caplog: pytest.LogCaptureFixture
) -> None:
    flink = Cluster(JOB)
    looks = watch.JobWatch(flink, list, healthy)
    with caplog.at_level(logging.INFO, "flink-submit"):
        for complaint in ("its newest checkpoints failed: 7", "its newest checkpoints failed: 8", ""):
            flink.complains = complaint
            looks.look()
            assert healthy.exists() == (not complaint)
    assert [record.message for record in caplog.records] == ["its newest checkpoints failed: 7", "the job works again"]
    assert not submissions


def test_a_submission_that_fails_is_tried_again_after_ever_longer_pauses(
    healthy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    codes = iter([1, 1, 1, 0, 1])
    monkeypatch.setattr(watch, "submit", lambda: next(codes))
    monkeypatch.setattr("flink_job.watch.time.sleep", pauses.append)
    looks = watch.JobWatch(Cluster(), list, healthy)
    for _ in range(5):
        looks.look()
    assert pauses == [2, 4, 8, 2]


def test_a_flink_that_is_away_is_waited_for(healthy: Path, submissions: list[None]) -> None:
    flink = Cluster(JOB)
    flink.is_away = True
    healthy.touch()
    watch.JobWatch(flink, list, healthy).look()
    assert not healthy.exists()
    assert not submissions


def test_a_job_whose_topic_was_made_anew_is_submitted_again(healthy: Path, submissions: list[None]) -> None:
    others = iter([[], ["llm_errors"], []])
    looks = watch.JobWatch(Cluster(JOB), lambda: next(others), healthy)
    made = []
    for _ in range(3):
        looks.look()
        made.append((len(submissions), healthy.exists()))
    assert made == [(0, True), (1, False), (1, True)]


def test_a_kafka_that_is_away_says_nothing_of_the_topic(healthy: Path, submissions: list[None]) -> None:
    def others() -> list[str]:
        raise KafkaException("no broker")

    watch.JobWatch(Cluster(JOB), others, healthy).look()
    assert healthy.exists()
    assert not submissions


@pytest.mark.parametrize(
    ("statuses", "failures"),
    [
        ([], 0),
        (["IN_PROGRESS"], 0),
        (["COMPLETED", "FAILED"], 0),
        (["IN_PROGRESS", "FAILED", "FAILED", "COMPLETED", "FAILED"], 2),
    ],
)
def test_checkpoints_that_failed_since_the_last_one_that_did_not_are_counted(
    statuses: list[str], failures: int
) -> None:
    assert failures_in_a_row(statuses) == failures


def test_a_setting_that_cannot_be_used_is_named_at_start() -> None:
    command = [sys.executable, "-m", "flink_job.watch"]
    ended = subprocess.run(command, env={"SCORE_THRESHOLD": "1.5"}, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "SCORE_THRESHOLD is '1.5'" in ended.stderr
