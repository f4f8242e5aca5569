"""A stack leaves nothing behind, however it ends."""

import json
import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import psutil
import pytest

from flink_job.database import FORMAT
from stack.api import RUNTIME, Stack, free_ports
from stack.native import COOKIE
from stack.runtime import SUBMIT, end
from stack.settings import ROOT, StackError
from tests.support import Probe, command, eventually, submitter


def _what_runs(stack: Stack) -> list[str]:
    """The processes of a stack and its containers, whichever it has."""
    found = psutil.process_iter(["environ", "name"])
    processes = [p.info["name"] for p in found if (p.info["environ"] or {}).get(COOKIE) == str(stack.run_dir)]
    return processes + [part.name for part in stack.runtime.parts()]


def test_a_part_that_fails_ends_the_start_with_its_own_words(tmp_path: Path) -> None:
    file = tmp_path / "questions.csv"
    file.write_text("no questions")
    stack = Stack(env={"QUESTIONS_FILE": str(file)})
    with pytest.raises(StackError) as error:
        stack.start()
    assert "questions-import failed" in str(error.value)
    assert str(file) in str(error.value)
    assert _what_runs(stack) == []
    stack.clean()


def test_a_setting_or_a_port_that_cannot_be_used_ends_the_start_and_is_named() -> None:
    stack = Stack(env={"TRAFFIC_RATE": "-1"})
    with pytest.raises(StackError, match=r"traffic-generator cannot use a setting(.|\n)*'-1'(.|\n)*TRAFFIC_RATE"):
        stack.start()
    assert _what_runs(stack) == []
    stack.clean()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        stack = Stack(ports=free_ports() | {"KAFKA_PORT": port})
        with pytest.raises(StackError, match=f"KAFKA_PORT: {port} is in use"):
            stack.start()
    assert _what_runs(stack) == []
    stack.clean()


def test_a_run_that_is_stopped_early_ends_at_once_and_what_it_sent_is_on_record(stack: Stack) -> None:
    run = stack.settings.data_collected() / "stopped"
    traffic = {"TRAFFIC_RUN": run.name, "TRAFFIC_TOTAL": "100000", "TRAFFIC_RATE": "20"}
    generator = stack.runtime.popen("traffic-generator", environment=traffic, quiet=True)
    eventually(lambda: (run / "events.csv").exists() and "," in (run / "events.csv").read_text(), "an event")
    end(generator)
    record = json.loads((run / "run.json").read_text())
    assert record["state"] == "interrupted"


def test_later_commands_know_what_the_stack_was_started_with(stack: Stack) -> None:
    def status(**settings: str) -> "subprocess.CompletedProcess[str]":
        known = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        environment = {**known, "COTEJO_RUN_DIR": str(stack.run_dir), "RUNTIME": RUNTIME, **settings}
        given = [sys.executable, "-m", "stack", "runs" if settings else "status"]
        return subprocess.run(given, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    told = status()
    assert stack.settings.url("EXPLORER_PORT") in told.stdout, told.stderr
    assert "not ready" not in told.stdout
    refused = status(SCORE_THRESHOLD="0.9")
    assert "The stack runs with no SCORE_THRESHOLD; set the same" in refused.stderr


def _says(stack: Stack, part: str, words: str) -> bool:
    return words in stack.runtime.read_log(part, 30)


def test_data_of_a_newer_version_are_named_and_nothing_is_done_with_them(stack: Stack, tmp_path: Path) -> None:
    service = next(part for part in stack.runtime.parts() if part.name == "storage-service")
    with Probe(stack) as probe:
        formats = probe.database["format"]
        [ours] = formats.find()
        # The services wrote it, and the commands know the same.
        assert ours["version"] == FORMAT
        newer = f"data are of a newer version of Cotejo (format {FORMAT + 1}"
        formats.update_one({}, {"$inc": {"version": 1}})
        try:
            stack.runtime.stop_part(service.name)
            stack.runtime.stop_part(SUBMIT)
            stack.runtime.start_part(service.name)
            stack.runtime.start_part(SUBMIT)
            for told in (
                ("traffic",),
                ("runs",),
                ("report", "RUN=any"),
                ("explain", "QUESTION=any"),
                ("calibrate",),
                ("estimate", "TOTAL=1"),
                ("forget", "QUESTION=any"),
                ("backup", f"BACKUP={tmp_path / 'copy'}"),
            ):
                assert newer in command(stack, *told, fails=True).stderr, told
            for part in (service.name, SUBMIT):
                eventually(partial(_says, stack, part, newer), "a word on the newer version")
            assert not stack.runtime.is_ready(service)
            assert not stack.runtime.is_ready(submitter(stack))
        finally:
            formats.replace_one({}, ours)
    stack.wait_ready()


def test_a_start_that_is_stopped_from_outside_ends_and_leaves_nothing() -> None:
    stack = Stack()
    with ThreadPoolExecutor() as pool:
        start = pool.submit(stack.start)
        eventually(stack.runtime.is_up, "a part that runs")
        stack.runtime.stop()
        with pytest.raises(StackError):
            start.result()
    assert _what_runs(stack) == []
    stack.clean()


def test_a_stack_whose_owner_is_killed_ends() -> None:
    stack = Stack()
    # Another process owns the stack: it says so as soon as one part runs, and starts the rest.
    owner = """
import sys, threading, time
from pathlib import Path
from stack.api import Stack

stack = Stack(Path(sys.argv[1]))
threading.Thread(target=stack.start, daemon=True).start()
while not stack.runtime.is_up():
    time.sleep(0.1)
print("it runs", flush=True)
time.sleep(600)
"""
    command = [sys.executable, "-c", owner, str(stack.run_dir)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "it runs\n"
        assert _what_runs(stack)
        process.kill()
    eventually(lambda: _what_runs(stack) == [], "no process of a stack whose owner was killed")
    stack.clean()
