"""flink-submit: sees to it that Flink runs the job, submits again what is gone, and tells whether all is well.

Each submission is a process of its own, which ends: its JVM and PyFlink are too large to be kept for watching.
"""

import argparse
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from confluent_kafka import KafkaException
from httpx import HTTPError

from flink_job.config import Config, InvalidSettingError
from flink_job.flink_rest import Flink, FlinkError, Job
from flink_job.logs import start_log
from flink_job.topics import Topics

LOOK_EVERY_S = 2.0
LONGEST_PAUSE_S = 60.0

log = logging.getLogger("flink-submit")


def main() -> int:
    """Runs flink-submit and gives its exit code: 0 done or stopped, 1 it cannot begin, 2 a setting that cannot be."""
    parser = argparse.ArgumentParser(prog="flink-submit", description=__doc__)
    parser.add_argument("--healthy", type=Path, help="a file that is touched as long as the job works")
    parser.add_argument("--once", action="store_true", help="submit, and end")
    parser.add_argument("--print-settings", action="store_true", help="print every setting as JSON, and end")
    options = parser.parse_args()
    if options.print_settings:
        print(json.dumps(Config.described(), indent=2))
        return 0
    try:
        config = Config.from_environment(os.environ)
        config.check_files()
    except InvalidSettingError as error:
        print(f"flink-submit: {error}", file=sys.stderr)
        return 2
    start_log(config)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        code = submit()
        if code or options.once:
            return code
        JobWatch(Flink(config.flink_url), Topics(config).others, options.healthy).keep()
    except KeyboardInterrupt:
        return 0


def submit() -> int:
    """Has Flink run the job as it is to be, and gives the exit code of that."""
    # It inherits the lock of start.sh: should this process be killed, the next one waits for it.
    with subprocess.Popen([sys.executable, "-m", "flink_job.submit"], close_fds=False) as submission:
        try:
            return submission.wait()
        finally:
            submission.terminate()


class JobWatch:
    """Looks after the job.

    Parameters
    ----------
    flink : Flink
        Where it runs.
    other_topics : Callable
        The topics that are not those that the job was submitted for.
    healthy : Path, optional
        A file that is touched after each look that found it at work, and taken away after each that did not.
    """

    def __init__(self, flink: Flink, other_topics: Callable[[], list[str]], healthy: Path | None) -> None:
        self._flink, self._other_topics, self._healthy = flink, other_topics, healthy
        self._said = ""
        self._failures = 0

    def keep(self) -> NoReturn:
        """Looks, for ever."""
        while True:
            self.look()
            time.sleep(LOOK_EVERY_S)

    def look(self) -> None:
        """Says what has changed, and submits what is gone."""
        try:
            jobs = self._flink.jobs()
            running = [job for job in jobs if not job.ended]
            complaint = self._flink.complaint(running[0].id) if running else self._gone(jobs)
        except (HTTPError, FlinkError) as error:
            self._tell(f"Flink does not answer: {error}")
            return
        remade = self._remade() if running else []
        if remade:
            complaint = f"the job is submitted again, to read from its start what was made anew: {', '.join(remade)}"
        self._tell(complaint)
        if remade or not running:
            self._submit_again()

    def _gone(self, ended: list[Job]) -> str:
        how = self._flink.end_of(ended[-1]) if ended else "Flink does not know it any more"
        return f"the job is gone, and is submitted again: {how}"

    def _remade(self) -> list[str]:
        try:
            return self._other_topics()
        except KafkaException:
            return []

    def _submit_again(self) -> None:
        if submit() == 0:
            self._failures = 0
            return
        pause_s = min(LOOK_EVERY_S * 2 ** min(self._failures, 10), LONGEST_PAUSE_S)
        self._failures += 1
        log.warning("that failed; the next try is in %.0f s", pause_s)
        time.sleep(pause_s)

    def _tell(self, complaint: str) -> None:
        """To whoever asks for the file, and, once, to whoever reads the log."""
        if self._healthy:
            self._healthy.unlink(missing_ok=True) if complaint else self._healthy.touch()
        # What follows the colon may be another each time.
        kind = complaint.partition(":")[0]
        if kind != self._said:
            log.warning("%s", complaint) if complaint else log.info("the job works again")
            self._said = kind


if __name__ == "__main__":
    sys.exit(main())
