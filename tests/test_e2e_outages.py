"""Servers that are away while questions are asked: the others wait, say for what, and go on by themselves."""

import threading
import time

import pytest

from benchmarks import dataset
from stack.api import Stack
from stack.runtime import SERVERS
from tests.support import Probe, eventually

AWAY_S = 10
# Who says that it waits, and for what; the others do not notice or are not ours.
WAITING = {
    "kafka": ("Kafka", "KAFKA_PORT", ("cache-service", "llm-consumer", "storage-service", "traffic-generator")),
    "mongo": ("MongoDB", "MONGODB_PORT", ("cache-service", "storage-service")),
}


@pytest.mark.parametrize("server", SERVERS)
def test_nothing_is_lost_or_doubled_while_a_server_is_away(server: str, stack: Stack, probe: Probe) -> None:
    def take_away() -> None:
        time.sleep(2)
        stack.runtime.stop_part(server)
        time.sleep(AWAY_S)
        stack.runtime.start_part(server)

    questions = dataset.write(stack.run_dir / f"{server}.jsonl", 120, seed=SERVERS.index(server))
    outage = threading.Thread(target=take_away)
    outage.start()
    t = time.monotonic()
    summary = stack.send(
        TRAFFIC_SOURCE=str(questions), TRAFFIC_POPULARITY="each", TRAFFIC_TOTAL="120", TRAFFIC_RATE="10"
    )
    print(server, time.monotonic() - t, max(summary.latencies))
    outage.join()
    assert summary.asked == summary.verdicts.total() == 120
    assert (summary.dead_letters, summary.verdicts["error"]) == (0, 0)
    eventually(probe.metrics_equal_the_results, "metrics that equal the results")
