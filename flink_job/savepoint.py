"""The tool that hands out the job's state as an archive, or takes one back for the next submission.

`save` lets the job go on; `restore` ends the one that runs, and what is submitted next goes on from the archive.
"""

import argparse
import os
import shutil
import sys
import tarfile
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from httpx import HTTPError

from flink_job.config import Config, InvalidSettingError
from flink_job.flink_rest import Flink, FlinkError


def save(config: Config, archive: IO[bytes]) -> None:
    """Writes a tar archive of a savepoint.

    Raises
    ------
    FlinkError
        No job runs, or it could not be saved.
    """
    flink = Flink(config.flink_url)
    running = flink.running()
    if not running:
        raise FlinkError("no job runs; `make up` starts it")
    path = Path(urlsplit(flink.save(running[-1].id, _folder(config).as_uri())).path)
    try:
        with tarfile.open(fileobj=archive, mode="w|gz", compresslevel=1) as tar:
            tar.add(path, path.name)
    finally:
        # It is the archive's now: a job that is submitted here again has checkpoints that know more.
        shutil.rmtree(path)


def restore(config: Config, archive: IO[bytes]) -> None:
    """Ends what runs, and unpacks a savepoint as the newest there is.

    Raises
    ------
    FlinkError
        The job does not end, or the archive holds no savepoint.
    """
    flink, folder = Flink(config.flink_url), _folder(config)
    for job in flink.running():
        flink.cancel(job.id)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(fileobj=archive, mode="r|gz") as tar:
            tar.extractall(folder, filter="data")
            names = {Path(member.name).parts[0] for member in tar.getmembers()}
    except (tarfile.TarError, EOFError) as error:
        raise FlinkError(f"this is no archive of a savepoint: {error}") from error
    metadata = [folder / name / "_metadata" for name in names if name.startswith("savepoint-")]
    if [file.exists() for file in metadata] != [True]:
        raise FlinkError("this archive holds no savepoint")
    metadata[0].touch()


def _folder(config: Config) -> Path:
    return config.flink_state_dir / "savepoints"


def main() -> int:
    """Runs the tool and gives its exit code."""
    parser = argparse.ArgumentParser(prog="savepoint", description="Saves the job's state, or restores it.")
    parser.add_argument("what", choices=("save", "restore"), help="save: to the output; restore: from the input")
    given = parser.parse_args()
    try:
        config = Config.from_environment(os.environ)
        if given.what == "save":
            save(config, sys.stdout.buffer)
        else:
            restore(config, sys.stdin.buffer)
    except (FlinkError, HTTPError, InvalidSettingError, OSError) as error:
        print(f"savepoint: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
