"""Servers that are away while questions are asked: the others wait, say so once, and go on by themselves."""

import threading
import time
from pathlib import Path

import pytest

from benchmarks import dataset
from stack.api import Stack
from stack.runtime import PORT_OF, SERVERS
from tests.support import Probe, eventually

QUESTIONS = 120
AWAY_S = 10
WAITING = {
    "kafka": ("Kafka", ("cache-service", "llm-consumer", "storage-service", "traffic-generator")),
    # While cache-service waits, storage-service has nothing to store.
    "mongo": ("MongoDB", ("cache-service",)),
}
"""What our own parts call a server, and which of them need it."""


@pytest.mark.parametrize("server", SERVERS)
def test_nothing_is_lost_or_doubled_while_a_server_is_away(
    server: str, stack: Stack, probe: Probe, tmp_path: Path
) -> None:
    def take_away() -> None:
        time.sleep(2)
        stack.runtime.stop_part(server)
        time.sleep(AWAY_S)
        stack.runtime.start_part(server)

    name, parts = WAITING.get(server, ("", ()))
    logs = {part: Log(stack, part) for part in parts}
    outcomes = len(probe.results())
    questions = dataset.write(tmp_path / "questions.jsonl", QUESTIONS, seed=SERVERS.index(server))
    outage = threading.Thread(target=take_away)
    outage.start()
    summary = stack.send(
        TRAFFIC_SOURCE=str(questions), TRAFFIC_POPULARITY="each", TRAFFIC_TOTAL=str(QUESTIONS), TRAFFIC_RATE="10"
    )
    outage.join()
    stack.wait_ready()
    assert summary.asked == summary.verdicts.total() == len(probe.results()) - outcomes == QUESTIONS
    assert (summary.verdicts["error"], summary.dead_letters) == (0, 0)
    eventually(probe.metrics_equal_the_results, "metrics that equal the results")
    for part, log in logs.items():
        place = f"127.0.0.1:{stack.settings.ports[PORT_OF[server]]}"
        said = [line for line in log.new_lines() if f'server="{name}"' in line and "the server answers" not in line]
        assert len(said) == 1, (part, said)
        assert place in said[0]


class Log:
    """What a part says from now on."""

    def __init__(self, stack: Stack, part: str) -> None:
        self._path = stack.settings.log(part)
        self._start = self._path.stat().st_size if self._path.exists() else 0

    def new_lines(self) -> list[str]:
        return self._path.read_bytes()[self._start :].decode().splitlines()
