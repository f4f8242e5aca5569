"""A stack leaves nothing behind, however it ends."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from stack.api import Stack
from stack.native import COOKIE
from stack.settings import ROOT, StackError
from tests.support import eventually


def _processes(run_dir: Path) -> list[str]:
    found = psutil.process_iter(["environ", "name"])
    return [p.info["name"] for p in found if (p.info["environ"] or {}).get(COOKIE) == str(run_dir)]


def test_a_part_that_fails_ends_the_start_with_its_own_words() -> None:
    stack = Stack(env={"QUESTIONS_FILE": "/nowhere.csv"})
    with pytest.raises(StackError) as error:
        stack.start()
    assert "questions-import failed" in str(error.value)
    assert "/nowhere.csv" in str(error.value)
    assert _processes(stack.run_dir) == []
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
        assert "python" in " ".join(_processes(stack.run_dir))
        process.kill()
    eventually(lambda: _processes(stack.run_dir) == [], "no process of a stack whose owner was killed")
    stack.clean()
