"""Parts that are killed while questions are asked: no outcome is lost, none is doubled, the metrics stay exact."""

import threading
import time
from itertools import count
from pathlib import Path

from benchmarks import dataset
from stack.api import Stack
from stack.runtime import SERVERS, SERVICES, SUBMIT
from tests.support import Probe, eventually, kill_and_wait

PARTS = ("storage-service", "cache-service", "llm-consumer", "taskmanager", "storage-service")


def test_every_question_has_one_outcome_though_parts_are_killed(stack: Stack, probe: Probe) -> None:
    killed = []

    def kill_in_turn() -> None:
        for part in PARTS:
            time.sleep(3)
            stack.runtime.kill_part(part)
            killed.append(part)

    killer = threading.Thread(target=kill_in_turn)
    killer.start()
    try:
        summary = stack.send(TRAFFIC_TOTAL="400", TRAFFIC_RATE="20")
    finally:
        killer.join()
    assert killed == list(PARTS)
    assert summary.asked == summary.verdicts.total() == 400
    eventually(probe.metrics_equal_the_results, "metrics that equal the results")


def test_every_part_comes_back_by_itself_and_every_question_has_one_outcome(
    stack: Stack, probe: Probe, tmp_path: Path
) -> None:
    def kill_each() -> None:
        for name in (*SERVERS, *SERVICES, SUBMIT):
            kill_and_wait(stack, name)
            back.append(name)

    back: list[str] = []
    killer = threading.Thread(target=kill_each)
    killer.start()
    try:
        # However long it takes, there is always load, of questions that only the model can answer.
        for seed in count(100):
            questions = dataset.write(tmp_path / f"{seed}.jsonl", 100, seed)
            traffic = {"TRAFFIC_SOURCE": str(questions), "TRAFFIC_POPULARITY": "each"}
            summary = stack.send(TRAFFIC_TOTAL="100", TRAFFIC_RATE="20", **traffic)
            assert summary.asked == summary.verdicts.total() == 100
            if not killer.is_alive():
                break
    finally:
        killer.join()
    assert back == [*SERVERS, *SERVICES, SUBMIT]
    eventually(probe.metrics_equal_the_results, "metrics that equal the results")


def test_the_metrics_can_be_rebuilt_while_services_run(stack: Stack, probe: Probe) -> None:
    stack.send(TRAFFIC_TOTAL="20", TRAFFIC_RATE="100")
    probe.database["metrics"].update_one({"_id": "global"}, {"$inc": {"decided": 7, "accepted": -3}})
    assert not probe.metrics_equal_the_results()
    assert stack.runtime.popen("storage-service", ["rebuild-metrics"], quiet=True).wait(60) == 0
    assert probe.metrics_equal_the_results()


def test_metrics_that_are_deleted_under_a_running_service_are_made_anew(stack: Stack, probe: Probe) -> None:
    stack.send(TRAFFIC_TOTAL="20", TRAFFIC_RATE="100", TRAFFIC_RUN="deleted")
    deleted = probe.metrics()["run:deleted"]
    probe.database["metrics"].delete_many({"_id": {"$in": ["global", "run:deleted"]}})
    stack.send(TRAFFIC_TOTAL="20", TRAFFIC_RATE="100", TRAFFIC_RUN="later")
    assert probe.metrics()["run:deleted"]["decided"] == deleted["decided"] == 20
    assert probe.metrics_equal_the_results()
    probe.database["metrics"].delete_many({})
    stack.send(TRAFFIC_TOTAL="20", TRAFFIC_RATE="100", TRAFFIC_RUN="later-still")
    assert probe.metrics_equal_the_results()
