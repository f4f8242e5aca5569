"""What an experiment says of a cache without a stack is what a stack does."""

import json
import random
from collections import Counter

from confluent_kafka import Consumer, TopicPartition

from experiments.simulation import hits, zipf
from stack.api import Stack
from stack.kafka import Kafka
from stack.outcomes import reader
from tests.support import PATIENCE_S, Document, Probe, question

QUESTIONS, SIZE, ASKED = 60, 20, 400
VERDICTS = "validated_responses"
# Every answer is accepted and so is kept; verdicts of one partition have one order.
SETTINGS = {"OFFLINE_MIX": "100/0/0", "OFFLINE_TRAPS": "0", "TOPIC_PARTITIONS": "1", "CACHE_SIZE": str(SIZE)}


def test_stack_and_simulation_find_as_many_answers_in_memory() -> None:
    """Exactly as many: each question is asked once the one before has its outcome, as the simulation has it.

    All have an answer in MongoDB by then, so that memory has learned an answer before its question is decided.
    """
    with Stack(env=SETTINGS | {"CACHE_POLICY": "lfu"}) as stack, Probe(stack) as probe:
        questions = [question(f"What is number {number}?") for number in range(QUESTIONS)]
        decided = probe.outcomes(probe.ask(*questions))
        assert all(outcome["accepted"] for outcome in decided.values())
        learned = [str(json.loads(record.value() or b"")["question_id"]) for record in probe.read(VERDICTS)]
        drawn = random.Random(1).choices(questions, zipf(QUESTIONS, 0.8).tolist(), k=ASKED)  # noqa: S311
        verdicts = reader(Kafka.of(stack.settings))
        verdicts.assign([TopicPartition(Kafka.of(stack.settings).topic(VERDICTS), 0, len(learned))])
        sources = Counter(_ask(probe, verdicts, asked) for asked in drawn)
        verdicts.close()
    stack.clean()
    assert sources.keys() == {"cache", "mongodb"}
    asked = [str(asked["question_id"]) for asked in drawn]
    simulated = {found.policy: found.hits for found in hits([*learned, *asked], ["lru", "lfu", "fifo"], [SIZE])}
    # None of those that fill the cache is a hit.
    assert sources["cache"] == simulated["lfu"]
    assert simulated["lfu"] not in (simulated["lru"], simulated["fifo"])


def _ask(probe: Probe, verdicts: Consumer, asked: Document) -> str:
    """Asks a question once more, and gives the source of its answer."""
    again = question(asked["title"], question_id=asked["question_id"])
    probe.write("questions_in", json.dumps(again).encode())
    record = verdicts.poll(PATIENCE_S)
    assert record is not None
    assert record.error() is None
    verdict = json.loads(record.value() or b"")
    assert verdict["message_id"] == again["message_id"]
    return str(verdict["source"])
