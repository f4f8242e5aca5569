"""A stack of other sources is told from one of today's, and what makes way for its successor is just its parts."""

import os
from io import StringIO
from pathlib import Path

import psutil
import pytest

from stack.build import is_build_noted, note_build
from stack.native import NativeRuntime, have_ended
from stack.runtime import begin, end
from stack.settings import Settings
from stack.steps import Steps
from tests.support import eventually


def test_a_stack_is_todays_if_it_noted_todays_sources(tmp_path: Path) -> None:
    settings = Settings(tmp_path)
    assert not is_build_noted(settings)
    note_build(settings)
    assert is_build_noted(settings)


def test_sources_that_changed_are_another_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources, settings = tmp_path / "sources", Settings(tmp_path / "run")
    (sources / "flink_job").mkdir(parents=True)
    monkeypatch.setattr("stack.build.ROOT", sources)
    (sources / "flink_job" / "submit.py").write_text("one")
    note_build(settings)
    (sources / "flink_job" / "submit.py").write_text("another")
    assert not is_build_noted(settings)


def test_what_runs_in_the_foreground_does_not_make_way(tmp_path: Path) -> None:
    runtime = NativeRuntime(Settings(tmp_path, environment=os.environ))
    foreground = begin(["sleep", "60"], runtime.environment(), None)
    # The shell ends, and what it has started is left over from its session.
    script = f"sleep 60 & echo $! > {tmp_path}/pid"
    begin(["sh", "-c", script], runtime.environment(), None).wait()
    leftover = int((tmp_path / "pid").read_text())
    # Until then it is a copy of the shell, whose environment cannot be read while it becomes `sleep`.
    eventually(lambda: psutil.Process(leftover).name() == "sleep", "a process left over")
    try:
        with Steps(StringIO()) as steps:
            runtime.make_way(steps)
        assert foreground.poll() is None
        assert leftover not in [one.pid for one in psutil.process_iter() if one.status() != psutil.STATUS_ZOMBIE]
    finally:
        runtime.kill_all()
        end(foreground)


def test_a_process_that_its_parent_never_asks_about_has_ended_all_the_same(tmp_path: Path) -> None:
    # What the shell has become knows nothing of the child that the shell had.
    script = f"sleep 0.1 & echo $! > {tmp_path}/pid; exec sleep 60"
    parent = begin(["sh", "-c", script], os.environ, None)
    try:
        eventually(lambda: psutil.Process(parent.pid).name() == "sleep", "a parent that does not ask")
        child = psutil.Process(int((tmp_path / "pid").read_text()))
        assert have_ended([child], timeout_s=30)
        assert child.status() == psutil.STATUS_ZOMBIE
        assert not have_ended([psutil.Process(parent.pid)], timeout_s=0)
    finally:
        end(parent)
