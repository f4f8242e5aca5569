"""The job is replaced while it works: by a new build of its Rust module, and by the other way to run Python."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import cotejo_native
import pytest

from flink_job.flink_rest import Flink
from stack.api import RUNTIME, Stack
from stack.native import NativeRuntime
from stack.runtime import SUBMIT
from stack.settings import ROOT
from tests.support import Document, Probe, eventually, message

REFERENCE = "Molecules of air scatter the short waves of blue light far more than the long red ones."
BY_HAND = "by hand"
ANSWERS = [
    REFERENCE,
    "Air scatters short blue waves more than long red ones.",
    "Blue light is scattered by the molecules of air.",
    "The sea is mirrored in it.",
    "I do not know.",
    "",
]


def last_attempts() -> list[Document]:
    """An answer of each kind, on which a verdict must fall."""
    return [message("llm_responses", llm_answer=text, best_answer=REFERENCE, attempts=3) for text in ANSWERS]


def first_attempts() -> list[Document]:
    """Answers that fail, and are asked for again."""
    poor = {"llm_answer": "I do not know.", "best_answer": REFERENCE, "model": BY_HAND}
    return [message("llm_responses", **poor) for _ in range(5)]


def end_with_an_error(probe: Probe, response: Document) -> None:
    ids = {name: response[name] for name in ("message_id", "question_id")}
    probe.write("llm_errors", json.dumps(message("llm_errors", **ids)).encode())
    probe.outcomes([response["message_id"]])


def write(probe: Probe, responses: list[Document]) -> None:
    probe.write("llm_responses", *(json.dumps(response).encode() for response in responses))


def verdicts(probe: Probe, responses: list[Document]) -> list[Document]:
    """The verdicts on these, in their order, as soon as all are there."""
    ids = [response["message_id"] for response in responses]
    probe.outcomes(ids)
    found = written(probe)
    return [found[message_id] for message_id in ids]


def written(probe: Probe) -> dict[str, Document]:
    """Every verdict by its request."""
    verdicts = [json.loads(record.value() or b"") for record in probe.read("validated_responses")]
    return {verdict["message_id"]: verdict for verdict in verdicts}


def asked_again(probe: Probe) -> set[str]:
    written: list[Any] = [json.loads(record.value() or b"") for record in probe.read("llm_requests")]
    return {request["message_id"] for request in written if request["attempts"] == 2}


def next_version(folder: Path) -> Path:
    """The job with another build of its module, and a model that is unsure of everything."""
    for name in ("flink_job", "jobmanager"):
        shutil.copytree(ROOT / name, folder / name)
    # It lies beside the job's code, and is found there first.
    shutil.copytree(Path(cotejo_native.__file__).parent, folder / "cotejo_native")
    [library] = folder.glob("cotejo_native/*.so")
    library.write_bytes(library.read_bytes() + b"changed")
    coefficients = folder / "flink_job" / "coefficients.json"
    coefficients.write_text(json.dumps({**json.loads(coefficients.read_text()), "unsure": [0, 1]}))
    return folder


def submit(stack: Stack, root: Path, **settings: str) -> str:
    """Replaces the job by that of `root`, and gives its name."""
    assert isinstance(stack.runtime, NativeRuntime)
    place = {
        "FLINK_CONNECTOR_DIR": str(ROOT / ".tools/jars/flink"),
        "FLINK_STATE_DIR": str(stack.run_dir / "data/flink"),
        "PYTHON": sys.executable,
    }
    environment = os.environ | stack.runtime.environment() | place | settings
    subprocess.run([root / "jobmanager/start.sh", "submit", "--once"], cwd=root, env=environment, check=True)
    return running(stack)


def running(stack: Stack) -> str:
    """The name of the job that runs."""
    [job] = Flink(stack.endpoints["FLINK_URL"]).running()
    return job.name


def explain(stack: Stack, message_id: str) -> Document:
    """What the tool says of an outcome."""
    assert isinstance(stack.runtime, NativeRuntime)
    environment = os.environ | stack.runtime.environment() | {"PYTHON": sys.executable}
    command = [str(ROOT / "jobmanager/start.sh"), "tool", "flink_job.explain", "--message-id", message_id]
    told: Document = json.loads(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)
    return told


def taskmanager(stack: Stack) -> int:
    return next(part.pid for part in stack.runtime.parts() if part.name == "taskmanager")


@pytest.mark.skipif(RUNTIME != "native", reason="an image has one build of the module")
def test_a_new_build_reaches_a_running_taskmanager_and_both_ways_to_run_python_decide_the_same(tmp_path: Path) -> None:
    root = next_version(tmp_path)
    with Stack() as stack, Probe(stack) as probe:
        # It would take what is submitted beside it for a job that is gone.
        stack.runtime.stop_part(SUBMIT)
        name, process = running(stack), taskmanager(stack)
        decided = last_attempts()
        write(probe, decided)
        before = verdicts(probe, decided)
        stack.runtime.stop_part("llm-consumer")
        undecided = first_attempts()
        write(probe, undecided)
        eventually(lambda: asked_again(probe) == {response["message_id"] for response in undecided}, "requests")
        end_with_an_error(probe, ended := undecided.pop())

        renamed = submit(stack, root)
        assert renamed != name
        assert taskmanager(stack) == process
        # A later answer to what has ended: nothing is remembered of the first.
        write(probe, [ended | {"attempts": 2, "llm_answer": REFERENCE}])
        eventually(lambda: ended["message_id"] in written(probe), "a verdict after an error")
        assert [line["attempts"] for line in written(probe)[ended["message_id"]]["history"]] == [2]
        stack.runtime.start_part("llm-consumer")
        scorer, new_scorer = before[0]["scorer"], verdicts(probe, undecided)[0]["scorer"]
        assert new_scorer != scorer
        for verdict in verdicts(probe, undecided):
            assert [line["scorer"] for line in verdict["history"][:2]] == [scorer, new_scorer]
            assert (verdict["scorer"], verdict["confidence"]) == (new_scorer, "unsure")
            assert verdict["history"][0]["model"] == BY_HAND

        assert submit(stack, root, FLINK_EXECUTION_MODE="process") not in (name, renamed)
        decided = last_attempts()
        write(probe, decided)
        after = verdicts(probe, decided)
        assert [verdict["score"] for verdict in after] == [verdict["score"] for verdict in before]
        assert {verdict["scorer"] for verdict in after} == {new_scorer}
        assert {document["_id"] for document in probe.database["scorers"].find()} == {scorer, new_scorer}
        assert probe.dead_letters() == {}
        for verdict in (before[0], after[1]):
            explanation = explain(stack, verdict["message_id"])["explanation"]
            assert (explanation["scorer"], explanation["score"]) == (verdict["scorer"], verdict["score"])
        stack.clean()
