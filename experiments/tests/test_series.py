import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from experiments.series import Document, Job, go_through

JOBS = [Job(f"tried-{number}", {"number": number}) for number in range(4)]


class Doer:
    """Does jobs until it is interrupted."""

    def __init__(self, until: int = 4) -> None:
        self.until, self.did = until, list[str]()

    def __call__(self, job: Job) -> Document:
        if job.definition["number"] == self.until:
            raise KeyboardInterrupt
        self.did.append(job.name)
        return {"found": 10 * job.definition["number"]}


def gone_through(jobs: list[Job], do: Doer, folder: Path) -> tuple[list[Document], str]:
    out = StringIO()
    found = [found for _, found in go_through(jobs, do, folder, Console(file=out, width=200))]
    return found, out.getvalue()


def test_after_an_interruption_only_what_is_missing_is_done(tmp_path: Path) -> None:
    first, second = Doer(until=2), Doer()
    with pytest.raises(KeyboardInterrupt):
        gone_through(JOBS, first, tmp_path)
    found, said = gone_through(JOBS, second, tmp_path)
    assert (first.did, second.did) == (["tried-0", "tried-1"], ["tried-2", "tried-3"])
    assert [one["found"] for one in found] == [0, 10, 20, 30]
    assert "2 of 4 runs are kept from before." in said
    assert "1 of 2  tried-2: 0 s, about a minute left" in said


def test_a_run_that_was_written_in_part_is_done_again(tmp_path: Path) -> None:
    gone_through(JOBS[:1], Doer(), tmp_path)
    [file] = tmp_path.iterdir()
    file.rename(file.with_suffix(".begun"))
    again = Doer()
    gone_through(JOBS[:1], again, tmp_path)
    assert again.did == ["tried-0"]
    assert [path.suffix for path in tmp_path.iterdir()] == [".json"]


def test_a_job_whose_definition_changes_is_done_and_what_it_found_before_is_kept(tmp_path: Path) -> None:
    gone_through(JOBS, Doer(), tmp_path)
    changed = [Job(JOBS[0].name, {"number": 0, "more": 1}), *JOBS[1:]]
    again = Doer()
    gone_through(changed, again, tmp_path)
    assert again.did == ["tried-0"]
    kept = {json.loads(file.read_text())["run"] for file in tmp_path.glob("*.json")}
    assert kept == {job.run for job in (*JOBS, changed[0])}
    assert len(kept) == 5
