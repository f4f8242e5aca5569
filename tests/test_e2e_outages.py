"""Servers that are away while questions are asked: the others wait, say so once, and go on by themselves."""

import threading
import time
from functools import partial
from pathlib import Path

import pytest

from benchmarks import dataset
from stack.api import Stack
from stack.runtime import PORT_OF, SERVERS, SERVICES
from stack.settings import PORTS, StackError
from tests.support import WEB, Probe, eventually, page, question

RATE = 2  # questions a second
AWAY_S = 20
LONG_AWAY_S = 35
"""Of what our parts wait for: so long that they say so a second time."""
WAITING = {
    "kafka": ("Kafka", ("cache-service", "llm-consumer", "storage-service", "explorer", "traffic-generator")),
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
        time.sleep(away_s)
        unready.extend(part for part in parts if part in SERVICES and name in readiness(stack, part))
        stack.runtime.start_part(server)

    name, parts = WAITING.get(server, ("", ()))
    unready: list[str] = []
    away_s = LONG_AWAY_S if server in WAITING else AWAY_S
    total = RATE * (away_s + 10)
    logs = {part: Log(stack, part) for part in parts}
    # explorer needs Kafka from when somebody looks.
    page(stack, "questions")
    outcomes = len(probe.results())
    questions = dataset.write(tmp_path / "questions.jsonl", total, seed=SERVERS.index(server))
    outage = threading.Thread(target=take_away)
    outage.start()
    summary = stack.send(
        TRAFFIC_SOURCE=str(questions), TRAFFIC_POPULARITY="each", TRAFFIC_TOTAL=str(total), TRAFFIC_RATE=str(RATE)
    )
    outage.join()
    stack.wait_ready()
    assert summary.asked == summary.verdicts.total() == len(probe.results()) - outcomes == total
    assert (summary.verdicts["error"], summary.dead_letters) == (0, 0)
    eventually(probe.metrics_equal_the_results, "metrics that equal the results")
    assert unready == [part for part in parts if part in SERVICES]
    for part, log in logs.items():
        said = [line for line in log.new_lines() if f'server="{name}"' in line and "the server answers" not in line]
        # Once, and again every half minute.
        assert 1 <= len(said) <= 3, (part, said)
        assert all(_names_a_place_of(server, stack, line) for line in said)


def test_parts_that_start_before_their_servers_wait_for_them(stack: Stack, probe: Probe) -> None:
    for part in (*SERVICES, *reversed(SERVERS)):
        stack.runtime.stop_part(part)
    logs = {part: Log(stack, part) for part in SERVICES}
    for part in SERVICES:
        stack.runtime.start_part(part)
    for part, log in logs.items():
        eventually(partial(says_whom_it_waits_for, log), f"a word from {part}")
    stack.wait_ready()
    probe.outcomes(probe.ask(question("Does a question have an outcome after all of that?")))


def test_a_store_that_refuses_is_named_and_once_that_is_mended_all_goes_on(stack: Stack, probe: Probe) -> None:
    stack.runtime.stop_part("storage-service")
    index = [("question_id", 1), ("source", 1)]
    results = probe.database["results"]
    results.drop_index(index)
    results.create_index(index, name="by hand")
    asked, begun = probe.ask(question("Is it stored once the index is gone?")), time.monotonic()
    try:
        with pytest.raises(StackError, match=r"(?s)storage-service is refused what it needs.*different name"):
            stack.wait_ready()
        assert time.monotonic() - begun < 30
        assert "MongoDB" in readiness(stack, "storage-service")
    finally:
        results.drop_index("by hand")
    probe.outcomes(asked)
    stack.wait_ready()


def readiness(stack: Stack, service: str) -> str:
    """What a service says of itself."""
    return WEB.get(stack.settings.url(PORT_OF[service]) + "/readyz").text


def _names_a_place_of(server: str, stack: Stack, line: str) -> bool:
    """Whether a line says where a server is: to a process, or to a container."""
    port = PORT_OF[server]
    return f"127.0.0.1:{stack.settings.ports[port]}" in line or f"{server}:{PORTS[port]}" in line


def says_whom_it_waits_for(log: "Log") -> bool:
    return any('server="' in line for line in log.new_lines())


class Log:
    """What a part says from now on."""

    def __init__(self, stack: Stack, part: str) -> None:
        self._read = partial(stack.runtime.read_log, part)
        self._start = len(self._read())

    def new_lines(self) -> list[str]:
        return self._read()[self._start :].splitlines()
