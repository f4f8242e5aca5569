"""Parts that are killed while questions are asked: no outcome is lost, none is doubled, the metrics stay exact."""

import threading
import time

from stack.api import Stack
from stack.runtime import SERVERS, SERVICES, Part
from tests.support import Probe, eventually

BACK_AFTER_S = 120
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
    summary = stack.send(TRAFFIC_TOTAL="400", TRAFFIC_RATE="20")
    killer.join()
    assert killed == list(PARTS)
    assert summary.asked == summary.verdicts.total() == 400
    eventually(probe.metrics_equal_the_results, "metrics that equal the results")


def test_every_part_comes_back_by_itself_and_every_question_has_one_outcome(stack: Stack, probe: Probe) -> None:
    def kill_each() -> None:
        for name in (*SERVERS, *SERVICES):
            _kill_and_wait(stack, name)
            back.append(name)

    back: list[str] = []
    killer = threading.Thread(target=kill_each)
    killer.start()
    asked = 0
    # However long it takes, there is always load.
    while killer.is_alive():
        summary = stack.send(TRAFFIC_TOTAL="100", TRAFFIC_RATE="20", TRAFFIC_POPULARITY="each")
        assert summary.asked == summary.verdicts.total() == 100
        asked += summary.asked
    assert back == [*SERVERS, *SERVICES]
    assert asked >= 100
    eventually(probe.metrics_equal_the_results, "metrics that equal the results")


def _kill_and_wait(stack: Stack, name: str) -> None:
    def part() -> Part:
        return next(part for part in stack.runtime.parts() if part.name == name)

    def is_back() -> bool:
        now = part()
        return now.pid not in (0, before) and stack.runtime.is_ready(now)

    before = part().pid
    stack.runtime.kill_part(name)
    eventually(is_back, f"a new {name}", BACK_AFTER_S)


def test_the_metrics_can_be_rebuilt_while_services_run(stack: Stack, probe: Probe) -> None:
    stack.send(TRAFFIC_TOTAL="20", TRAFFIC_RATE="100")
    probe.database["metrics"].update_one({"_id": "global"}, {"$inc": {"decided": 7, "accepted": -3}})
    assert not probe.metrics_equal_the_results()
    assert stack.runtime.popen("storage-service", ["rebuild-metrics"], quiet=True).wait(60) == 0
    assert probe.metrics_equal_the_results()
