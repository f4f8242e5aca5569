"""Three brokers and two copies of every part: one broker after the other is killed under load."""

import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest

from stack.api import RUNTIME, Stack
from stack.outcomes import Summary
from tests.own_kafka import OwnKafka, own_kafka
from tests.support import Probe, eventually

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(RUNTIME != "native", reason="a container does not reach what listens on 127.0.0.1"),
]

TWO_OF_EACH = {f"SCALE_{part}": "2" for part in ("CACHE_SERVICE", "LLM_CONSUMER", "STORAGE_SERVICE", "TASKMANAGER")}
QUESTIONS, RATE = 6000, 50
BACK_AFTER_S = 15


def is_in_sync(kafka: OwnKafka) -> bool:
    """Whether every copy of every partition has all records."""
    topics = kafka.admin().list_topics(timeout=10).topics.values()
    partitions = [partition for topic in topics for partition in topic.partitions.values()]
    return all(len(partition.isrs) == len(partition.replicas) == 3 for partition in partitions)


def longest_pause_s(probe: Probe) -> float:
    """The longest time in which nothing was decided."""
    decided = sorted(outcome["decided_at"] for outcome in probe.results())
    return max(float((after - before).total_seconds()) for before, after in pairwise(decided))


def test_nothing_is_lost_or_doubled_while_one_broker_after_the_other_is_killed(tmp_path: Path) -> None:
    with (
        own_kafka(tmp_path, brokers=3) as kafka,
        Stack(env=kafka.settings("INNER", TOPIC_REPLICATION="3") | TWO_OF_EACH) as stack,
    ):
        assert is_in_sync(kafka)
        summaries: list[Summary] = []
        traffic = {"TRAFFIC_TOTAL": str(QUESTIONS), "TRAFFIC_RATE": str(RATE), "TRAFFIC_POPULARITY": "zipf"}
        sending = threading.Thread(target=lambda: summaries.append(stack.send(**traffic)))
        sending.start()
        for broker in (1, 2):
            time.sleep(BACK_AFTER_S)
            kafka.kill(broker)
            time.sleep(BACK_AFTER_S)
            kafka.start(broker)
            eventually(kafka.is_up, f"broker {broker} again", 120)
            eventually(lambda: is_in_sync(kafka), f"all records on broker {broker}", 120)
        assert sending.is_alive(), "the brokers were killed under load"
        sending.join()
        [summary] = summaries
        with Probe(stack) as probe:
            assert summary.asked == summary.verdicts.total() == len(probe.results()) == QUESTIONS
            assert summary.verdicts["error"] == summary.dead_letters == 0
            eventually(probe.metrics_equal_the_results, "metrics that equal the results")
            print(f"\nLongest time without a verdict: {longest_pause_s(probe):.1f} s")
    stack.clean()
