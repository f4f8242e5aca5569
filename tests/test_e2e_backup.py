"""A backup of a running stack fills an empty one: with its outcomes, its answers, and what its job knew."""

import io
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from stack.api import Stack
from stack.settings import ROOT
from tests.support import Probe, eventually, message, question
from tests.test_e2e_replacement import checkpoints, encoded, fail_twice


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
    stack.runtime.stop_part("llm-consumer")
    try:
        failed = fail_twice(probe)
        saved = command(stack, "backup", folder)
    finally:
        stack.runtime.start_part("llm-consumer")
    assert saved.returncode == 0, saved.stderr
    assert (folder / "mongodb/results.bson.gz").exists()
    with tarfile.open(fileobj=io.BytesIO((folder / "savepoint.tar.gz").read_bytes())) as tar:
        assert any(name.endswith("/_metadata") for name in tar.getnames())
    assert "has something in it" in command(stack, "backup", folder).stderr
    assert "has results already" in command(stack, "restore", folder).stderr

    with Stack() as another:
        restored = command(another, "restore", folder)
        assert restored.returncode == 0, restored.stdout + restored.stderr
        newest = checkpoints(another)["restored"]
        assert newest
        assert newest["is_savepoint"]
        with Probe(another.endpoints) as there:
            outcomes = {outcome["_id"]: outcome for outcome in there.results()}
            assert {name: outcomes[name] for name in decided} == decided
            assert there.metrics_equal_the_results()
            again = [question(one["title"], question_id=one["question_id"]) for one in asked]
            repeats = there.outcomes(there.ask(*again))
            assert {"cache", "mongodb"} & {outcome["source"] for outcome in repeats.values()}
            third = message("llm_responses", message_id=failed, attempts=3, llm_answer="Nor of that.")
            there.write("llm_responses", encoded(third), key=b"failed")
            [outcome] = there.outcomes([failed]).values()
            assert [line["attempts"] for line in outcome["history"]] == [1, 2, 3]
            there.settle()
            assert there.metrics_equal_the_results()
    another.clean()
    eventually(probe.metrics_equal_the_results, "metrics that equal the results")


@pytest.mark.parametrize("content", ["", '{"format": 99}'])
def test_what_is_no_finished_backup_is_not_restored(stack: Stack, tmp_path: Path, content: str) -> None:
    if content:
        (tmp_path / "backup.json").write_text(content)
    said = command(stack, "restore", tmp_path)
    assert said.returncode != 0
    assert f"BACKUP={tmp_path}" in said.stderr
