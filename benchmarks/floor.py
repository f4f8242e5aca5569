"""What the servers alone cost for the same records, with no code of ours: less than that it cannot be."""

import time

from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from benchmarks.figures import Figures
from benchmarks.machine import Watch
from benchmarks.measure import Bench
from benchmarks.usage import usage
from stack.outcomes import Document

TOPICS = ("questions_in", "llm_requests", "llm_responses", "regeneration_requests", "validated_responses")
COPY = "benchmark_floor"
PARTITIONS = 3
TOGETHER = 500
TIMEOUT_S = 30


def floor(bench: Bench, questions: int) -> Figures:
    """Decides questions, then writes and reads their records once more, and stores their results once more."""
    before = _ends(bench)
    decided = bench.burst(bench.unmet(questions), questions)
    records = [record for ends in zip(before, _ends(bench), strict=True) for record in _records(bench, *ends)]
    # What a question left, and not what was there before it.
    results: list[Document] = list(bench.results.find().sort("stored_at", -1).limit(questions))
    measured, watch, started = usage(bench.stack), Watch(), time.monotonic()
    _copy_records(bench, records)
    _copy_results(bench, results)
    seconds, after = time.monotonic() - started, usage(bench.stack)
    servers = {part: after[part].cpu_s - measured[part].cpu_s for part in ("kafka", "mongo")}
    return Figures(
        questions=questions,
        seconds=round(seconds, 3),
        calls_a_question=decided.calls_a_question,
        stored_before=decided.stored_before + questions,
        samples=0,
        decided_ms={},
        stored_ms={},
        cpu_ms_a_question={part: round(1000 * cpu / questions, 3) for part, cpu in servers.items()},
        memory_mib={part: round(after[part].memory_mib, 1) for part in servers},
        machine=watch.look(),
    )


def _consumer(bench: Bench) -> Consumer:
    servers = bench.stack.endpoints["KAFKA_BOOTSTRAP_SERVERS"]
    return Consumer({"bootstrap.servers": servers, "group.id": "none", "enable.auto.commit": False})


def _ends(bench: Bench) -> list[TopicPartition]:
    """Where each partition ends now."""
    consumer = _consumer(bench)
    topics = consumer.list_topics(timeout=TIMEOUT_S).topics
    ends = [TopicPartition(topic, partition) for topic in TOPICS for partition in topics[topic].partitions]
    for end in ends:
        end.offset = consumer.get_watermark_offsets(end, timeout=TIMEOUT_S)[1]
    consumer.close()
    return ends


def _records(bench: Bench, start: TopicPartition, end: TopicPartition) -> list[Message]:
    """The records of a partition between two offsets."""
    consumer = _consumer(bench)
    consumer.assign([start])
    records: list[Message] = []
    while (missing := end.offset - start.offset - len(records)) > 0:
        records += consumer.consume(min(missing, TOGETHER), timeout=TIMEOUT_S)
    consumer.close()
    return records


def _copy_records(bench: Bench, records: list[Message]) -> None:
    servers = bench.stack.endpoints["KAFKA_BOOTSTRAP_SERVERS"]
    admin = AdminClient({"bootstrap.servers": servers})
    copy = admin.create_topics([NewTopic(COPY, PARTITIONS, 1)])[COPY]
    copy.result()
    # Room for all of them.
    room = {"queue.buffering.max.messages": 10_000_000, "queue.buffering.max.kbytes": 2_000_000}
    safe = {"acks": "all", "enable.idempotence": True, "compression.type": "lz4"}
    producer = Producer({"bootstrap.servers": servers, **safe, **room})
    for number, record in enumerate(records):
        producer.produce(COPY, record.value(), record.key())
        if number % TOGETHER == 0:
            producer.poll(0)
    producer.flush()
    consumer = _consumer(bench)
    consumer.assign([TopicPartition(COPY, partition, 0) for partition in range(PARTITIONS)])
    read = 0
    while read < len(records):
        read += len(consumer.consume(min(len(records) - read, TOGETHER), timeout=TIMEOUT_S))
    consumer.close()


def _copy_results(bench: Bench, results: list[Document]) -> None:
    copy = bench.results.database[COPY]
    copy.create_index([("question_id", 1), ("source", 1)])
    for start in range(0, len(results), TOGETHER):
        copy.insert_many(results[start : start + TOGETHER], ordered=False)
