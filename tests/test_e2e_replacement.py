"""`make up` replaces a stack of another build that runs, and nothing of what is under way is lost."""

import json
import time

import pytest

from flink_job.flink_rest import Flink, Job
from stack.api import RUNTIME, Stack
from stack.runtime import ONE_SHOTS
from tests.support import WEB, Document, Probe, command, eventually, message, question

pytestmark = pytest.mark.skipif(RUNTIME != "native", reason="containers are replaced by Compose")

BY_HAND = "by hand"


def test_a_running_stack_of_another_build_is_replaced_and_every_request_has_one_outcome() -> None:
    stack = Stack(env={"CHECKPOINT_INTERVAL": "1s"})
    try:
        stack.start()
        with Probe(stack) as probe:
            decided = probe.outcomes(probe.ask(*(question(f"Is number {number} decided?") for number in range(5))))
            stack.runtime.stop_part("llm-consumer")
            waiting = probe.ask(*(question(f"Does number {number} wait?") for number in range(5)))
            failed = fail_twice(probe)
            wait_for_checkpoint(stack)
            processes, started, job = pids(stack), last_submit(stack), running_job(stack)

            (stack.run_dir / "conf" / "build").write_text("another\n")
            assert stack.runtime.is_outdated()
            # That setting is the job's own: the one that ZooKeeper brings back is not the one that is wanted now.
            traffic = {"TRAFFIC_RUN": "after", "TRAFFIC_TOTAL": "20", "TRAFFIC_RATE": "50"}
            said = command(stack, "up", settings={"CHECKPOINT_INTERVAL": "2s", **traffic}).stdout

            assert "from another build" in said
            assert not stack.runtime.is_outdated()
            now = pids(stack)
            assert now.keys() == processes.keys()
            assert set(now.values()).isdisjoint(processes.values())
            assert last_submit(stack) > started
            replaced = running_job(stack)
            assert (replaced.state, replaced.name != job.name) == ("RUNNING", True)
            assert checkpoints(stack)["restored"]
            submitted = stack.runtime.read_log("flink-submit")
            assert "saved to" in submitted
            assert "no savepoint" not in submitted

            outcomes = probe.outcomes([*waiting, failed])
            later = probe.outcomes(probe.ask(question("Is there an outcome afterwards?")))
            probe.settle()
            stored = probe.results()
            assert len(stored) == len(decided) + len(outcomes) + len(later) + 20
            assert {outcome["_id"] for outcome in stored} >= {*decided, *outcomes, *later}
            assert [one for one in stored if one["_id"] in decided] == [decided[name] for name in sorted(decided)]
            assert [line["attempts"] for line in outcomes[failed]["history"]] == [1, 2, 3]
            assert [line["model"] == BY_HAND for line in outcomes[failed]["history"]] == [True, True, False]
            assert probe.metrics_equal_the_results()
    finally:
        stack.clean()


def fail_twice(probe: Probe) -> str:
    """Gives the job two poor answers to one request; a message tells of the better one, only its state of both."""
    first = message("llm_responses", llm_answer="Nothing of that.", model=BY_HAND)
    second = first | {"attempts": 2, "llm_answer": "Nor of this."}
    probe.write("llm_responses", *(encoded(answer) for answer in (first, second)), key=b"failed")
    eventually(lambda: len(regenerations(probe, first["message_id"])) == 2, "two attempts that failed")
    return str(first["message_id"])


def regenerations(probe: Probe, message_id: str) -> list[Document]:
    """What the job has asked for again of a request."""
    records = [json.loads(record.value() or b"") for record in probe.read("regeneration_requests")]
    return [record for record in records if record["message_id"] == message_id]


def encoded(fields: Document) -> bytes:
    return json.dumps(fields).encode()


def wait_for_checkpoint(stack: Stack) -> None:
    """Returns when the job has saved what it knows now."""
    now_ms = time.time() * 1000

    def is_saved() -> bool:
        completed = checkpoints(stack)["completed"]
        return bool(completed) and completed["trigger_timestamp"] > now_ms

    eventually(is_saved, "a checkpoint")


def checkpoints(stack: Stack) -> Document:
    """The newest checkpoint of each kind of the running job."""
    url = f"{stack.endpoints['FLINK_URL']}/jobs/{running_job(stack).id}/checkpoints"
    latest: Document = WEB.get(url).json()["latest"]
    return latest


def running_job(stack: Stack) -> Job:
    """The one version of the job that has not ended."""
    [job] = Flink(stack.endpoints["FLINK_URL"]).running()
    return job


def pids(stack: Stack) -> dict[str, int]:
    """The main process of every part that is to keep running; 0 where there is none."""
    return {part.name: part.pid for part in stack.runtime.parts() if part.service not in ONE_SHOTS}


def last_submit(stack: Stack) -> float:
    """When flink-submit was started last."""
    return next(part.started for part in stack.runtime.parts() if part.service == "flink-submit")
