"""A backup of a running stack fills an empty one."""

import gzip
from pathlib import Path

import bson
import pytest

from stack.api import Stack
from tests.support import Probe, command, eventually, message, question
from tests.test_e2e_replacement import encoded, fail_twice


def test_a_backup_of_a_running_stack_fills_an_empty_one(stack: Stack, probe: Probe, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    asked = [question(f"Is number {number} in the backup?") for number in range(20)]
    decided = probe.outcomes(probe.ask(*asked))
    failed = fail_twice(probe)
    command(stack, "backup", f"BACKUP={folder}")
    assert (folder / "mongodb/results.bson.gz").exists()
    assert "has something in it" in command(stack, "backup", f"BACKUP={folder}", fails=True).stderr
    assert "This stack has results" in command(stack, "restore", f"BACKUP={folder}", fails=True).stderr

    with Stack() as another:
        command(another, "restore", f"BACKUP={folder}")
        with Probe(another) as there:
            outcomes = {outcome["_id"]: outcome for outcome in there.results()}
            assert {name: outcomes[name] for name in decided} == decided
            assert there.metrics_equal_the_results()
            again = [question(one["title"], question_id=one["question_id"]) for one in asked]
            repeats = there.outcomes(there.ask(*again))
            assert {"cache", "mongodb"} & {outcome["source"] for outcome in repeats.values()}
            # Of what was under way it knows nothing, and decides it like any other, by the same identity.
            first = message("llm_responses", message_id=failed, llm_answer="Nothing of that.")
            there.write("llm_responses", encoded(first), key=b"failed")
            there.outcomes([failed])
            there.settle()
            assert there.metrics_equal_the_results()
    another.clean()
    eventually(probe.metrics_equal_the_results, "metrics that equal the results")


@pytest.mark.parametrize("content", ["", "[]", '{"format": 99}', '{"format": 1, "documents": {"results": 2}}'])
def test_what_is_no_finished_backup_is_not_restored(stack: Stack, tmp_path: Path, content: str) -> None:
    if content:
        (tmp_path / "backup.json").write_text(content)
    (tmp_path / "mongodb").mkdir()
    with gzip.open(tmp_path / "mongodb/results.bson.gz", "wb") as results:
        results.write(bson.encode({"_id": "only one"}))
    assert f"BACKUP={tmp_path}" in command(stack, "restore", f"BACKUP={tmp_path}", fails=True).stderr
