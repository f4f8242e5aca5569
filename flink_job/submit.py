"""One submission: makes Flink run this code, with these settings and this scorer. Again, it changes nothing.

A job that runs something else is stopped with a savepoint and the new one goes on from there. Where none runs, the
new one goes on from the newest savepoint or checkpoint.
"""

import hashlib
import json
import logging
import os
import re
import secrets
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from find_libpython import find_libpython
from httpx import HTTPError
from py4j.protocol import Py4JJavaError

from flink_job.config import Config, InvalidSettingError
from flink_job.database import Database
from flink_job.fit_scorer import Artefact, fit, shipped_model, weights_hash
from flink_job.flink_rest import JOB_NAME, Flink, FlinkError, Job, JobFailedError
from flink_job.logs import start_log
from flink_job.shipping import Build, JudgeToBe
from flink_job.streaming_score_job import CHECKPOINTS, Submission, is_of_heap, plan
from flink_job.topics import Topics

RECOVERY_S = 60
# These say how to submit, not what.
_NOT_THE_JOBS = {"flink_url", "log_format", "log_level", "mongodb_database", "mongodb_uri"}

log = logging.getLogger("flink-submit")
Found = TypeVar("Found")


def main() -> int:
    """Submits once and gives the exit code: 0 done, 1 failed, 2 a setting or a calibration that cannot be."""
    try:
        config = Config.from_environment(os.environ)
    except InvalidSettingError as error:
        print(f"flink-submit: {error}", file=sys.stderr)
        return 2
    start_log(config)
    try:
        submit(config)
    except NoJudgeError as error:
        log.critical("%s", error)
        return 2
    except (FlinkError, HTTPError, OSError) as error:
        log.critical("%s", error)
        return 1
    except KeyboardInterrupt:
        return 1
    return 0


class NoJudgeError(Exception):
    """The scorer is none that a judge can be made of."""


def submit(config: Config) -> None:
    """Makes Flink run the job as `config` has it.

    Raises
    ------
    NoJudgeError
        The judge cannot be made.
    FlinkError
        Flink would not run it.
    """
    artefact, judge = prepare(config)
    topics = Topics(config)
    wait_for("Kafka's topics", config.kafka_bootstrap_servers, topics.are_there)
    ids = wait_for("Kafka's topics", config.kafka_bootstrap_servers, topics.ids)
    remade = topics.remade(ids)
    flink = Flink(config.flink_url)
    [running] = wait_for("Flink", config.flink_url, lambda: [flink.running()])
    if running:
        # Without a TaskManager it can neither run nor be saved; while one is waited for, it may end.
        wait_for_taskmanager(flink, config)
        running = flink.running()

    if config.flink_execution_mode == "thread" and not find_libpython():
        log.warning("this Python has no shared library (libpython): it runs beside the TaskManager, and slower")
        config = replace(config, flink_execution_mode="process")
    name = f"{JOB_NAME} {version(config, artefact, judge.build, remade)}"
    same = next((job for job in running if job.name == name), None)
    for job in running:
        if job is not same:
            log.info("%s runs, and is replaced", job.name)
            end(flink, config, job)
    if same:
        flink.wait_until_running(same.id)
        log.info("%s already runs", name)
    else:
        run(flink, config, judge, Submission(name, identity(config.flink_state_dir), remade))
    topics.note(ids)


def prepare(config: Config) -> tuple[Artefact, JudgeToBe]:
    """The scorer of today's questions and model, and its judge.

    It is in MongoDB before a verdict can name it, and it was tried here before what runs is ended for it.

    Raises
    ------
    NoJudgeError
        The judge cannot be made.
    """
    mongodb = urlsplit(config.mongodb_uri).netloc.rpartition("@")[2]
    with Database(config.mongodb_uri, config.mongodb_database) as database:
        references = wait_for("MongoDB's questions", mongodb, lambda: database.references(config.scorer_sample))
        [applied] = wait_for("MongoDB", mongodb, lambda: [database.applied_calibration()])
        try:
            artefact = fit(references, todays_model(applied))
            judge = JudgeToBe(Build.installed(), artefact.compressed(), config.score_threshold, config.max_attempts)
            judge.make()
        except (ValueError, KeyError, TypeError) as error:  # of a calibration that somebody changed by hand, too
            back = "`make apply-calibration RESET=1` goes back to the shipped model"
            raise NoJudgeError(f"no judge can be made of the scorer ({error}); {back}") from error
        wait_for("MongoDB", mongodb, lambda: database.save_scorer(artefact))
    log.info("fitted scorer %s on %d reference answers", artefact.hash, len(references))
    return artefact, judge


def todays_model(applied: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The shipped model, with the last step of the applied calibration if that was made for its weights."""
    shipped = shipped_model()
    if applied is None:
        return shipped
    if applied.get("from_model") != weights_hash(shipped):
        log.warning(
            "calibration %s was made for another model than the one that is shipped now, and is not used: "
            "`make calibrate` makes one for this",
            applied["_id"],
        )
        return shipped
    return {**shipped, "calibration": applied["model"]["calibration"]}


def end(flink: Flink, config: Config, job: Job) -> None:
    """Stops a job that runs, with a savepoint if that can be had; else its last checkpoint has to do.

    A job that ZooKeeper has just brought back may finish its start first: until then it cannot be saved, and one that
    is interrupted while it loads Python leaves a TaskManager that cannot load it any more.
    """
    try:
        flink.wait_until_running(job.id, RECOVERY_S)
        log.info("saved to %s", save(flink, config, job.id))
    except JobFailedError as error:
        log.warning("%s", error)
    except FlinkError as error:
        log.warning("no savepoint (%s)", error)
        flink.cancel(job.id)


def save(flink: Flink, config: Config, job_id: str) -> Path:
    """Stops a job and gives the folder of its savepoint, which any backend can read.

    Raises
    ------
    FlinkError
        The job could not be saved; it goes on.
    """
    saved = flink.stop(job_id, (config.flink_state_dir / "savepoints").as_uri())
    return Path(unquote(urlsplit(saved).path))


def run(flink: Flink, config: Config, judge: JudgeToBe, submission: Submission) -> None:
    """Starts the job from the newest snapshot that it can go on from; afresh only if there is none.

    Raises
    ------
    FlinkError
        It does not start.
    """
    name, job_id = submission.name, submission.job_id
    snapshots: Sequence[Path | None] = newest_first(config.flink_state_dir)
    for snapshot in snapshots or [None]:
        try:
            log.info("submitting %s, going on from %s", name, snapshot or "nothing")
            start(flink, config, judge, submission, readable(flink, config, judge, submission, snapshot))
            flink.wait_until_running(job_id)
        except JobFailedError as error:
            log.warning("%s", error)
        except Py4JJavaError as error:
            if not _is_about_the_snapshot(error):
                # An older one would only lose what the newest knows.
                raise FlinkError(f"Flink did not take {name}: {error}") from error
            log.warning("%s", error)
        else:
            log.info("%s runs: %s/#/job/%s/overview", name, config.flink_url, job_id)
            return
    raise FlinkError(f"{name} could not be started")


def start(flink: Flink, config: Config, judge: JudgeToBe, submission: Submission, snapshot: Path | None) -> None:
    """Plans the job and has Flink run it; a TaskManager that is starting does so meanwhile."""
    planned = plan(config, judge, submission, snapshot)
    wait_for_taskmanager(flink, config)
    planned.execute_async(submission.name)


def readable(
    flink: Flink, config: Config, judge: JudgeToBe, submission: Submission, snapshot: Path | None
) -> Path | None:
    """The snapshot, if RocksDB can read it; else a savepoint, which a job on the heap makes of it."""
    if not (snapshot and is_of_heap(snapshot, config)):
        return snapshot
    # Under a name that is not wanted: should this break off, the next submission saves it, and goes on from there.
    start(flink, config, judge, replace(submission, name=f"{JOB_NAME} on the heap"), snapshot)
    flink.wait_until_running(submission.job_id)
    saved = save(flink, config, submission.job_id)
    log.info("its state moves to RocksDB, by %s", saved)
    return saved


def wait_for_taskmanager(flink: Flink, config: Config) -> None:
    """Returns when there is somebody to run a job."""
    wait_for("Flink with a TaskManager", config.flink_url, lambda: flink.taskmanagers() > 0)


def _is_about_the_snapshot(error: Py4JJavaError) -> bool:
    return any(word in str(error) for word in ("JobInitializationException", "savepoint", "checkpoint"))


def identity(state: Path) -> str:
    """The job's id, 32 hexadecimal digits: drawn once for each folder of state.

    Whoever knows it can cancel the job by a mere link, which no setting of Flink forbids: so that a page in a user's
    browser cannot guess it.
    """
    file = state / "job-id"
    if not file.exists() or not re.fullmatch("[0-9a-f]{32}", file.read_text()):
        drawn = file.with_suffix(f".{os.getpid()}")
        drawn.write_text(secrets.token_hex(16))
        drawn.rename(file)
    return file.read_text()


def newest_first(state: Path) -> list[Path]:
    """The complete savepoints and checkpoints: those with a `_metadata`, which is written last."""
    folders = ("savepoints/savepoint-*", *(f"{folder}/*/chk-*" for folder in CHECKPOINTS.values()))
    found = [path for folder in folders for path in state.glob(f"{folder}/_metadata")]
    return [path.parent for path in sorted(found, key=lambda path: path.stat().st_mtime_ns, reverse=True)]


def version(config: Config, artefact: Artefact, build: Build, remade: Mapping[str, str]) -> str:
    """Names what runs: equal for equal code, settings, scorer and topics."""
    digest = hashlib.sha256(f"{artefact.hash} {build.hash} {sorted(remade.items())}".encode())
    settings = {name: str(value) for name, value in asdict(config).items() if name not in _NOT_THE_JOBS}
    digest.update(json.dumps(settings, sort_keys=True).encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def wait_for(what: str, where: str, probe: Callable[[], Found]) -> Found:
    """Tries until `probe` gives something true, and says now and then what is waited for and where."""
    say_at = time.monotonic()
    while True:
        try:
            if found := probe():
                return found
            reason = "not there yet"
        except Exception as error:  # noqa: BLE001 - each client has its own for "not there yet"
            reason = " ".join(str(error).split())[:200]
        if time.monotonic() >= say_at:
            log.info("waiting for %s at %s: %s", what, where, reason)
            say_at = time.monotonic() + 30
        time.sleep(0.5)


if __name__ == "__main__":
    sys.exit(main())
