"""A backup of a running stack fills an empty one."""

import gzip
import subprocess
import sys
from pathlib import Path

import bson
import pytest

from stack.api import Stack
from stack.settings import ROOT
from tests.support import Probe, eventually, message, question
from tests.test_e2e_replacement import encoded, fail_twice


def command(stack: Stack, name: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """What `make backup BACKUP=folder` does."""
    ports = {name: str(port) for name, port in stack.settings.ports.items()}
    own = {**stack.settings.environment, **ports, "COTEJO_RUN_DIR": str(stack.run_dir)}
    given = [sys.executable, "-m", "stack", name, f"BACKUP={folder}"]
    return subprocess.run(given, cwd=ROOT, env=own, capture_output=True, text=True, check=False)


def test_a_backup_of_a_running_stack_fills_an_empty_one(stack: Stack, probe: Probe, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    asked = [question(f"Is number {number} in the backup?") for number in range(20)]
    decided = probe.outcomes(probe.ask(*asked))
    failed = fail_twice(probe)
    saved = command(stack, "backup", folder)
    assert saved.returncode == 0, saved.stderr
    assert (folder / "mongodb/results.bson.gz").exists()
    assert "has something in it" in command(stack, "backup", folder).stderr
    assert "This stack has results" in command(stack, "restore", folder).stderr

    with Stack() as another:
        restored = command(another, "restore", folder)
        assert restored.returncode == 0, restored.stdout + restored.stderr
        with Probe(another.endpoints) as there:
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
    said = command(stack, "restore", tmp_path)
    assert said.returncode != 0
    assert f"BACKUP={tmp_path}" in said.stderr
