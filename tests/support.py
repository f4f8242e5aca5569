"""Looks at a running stack from outside: its topics and its collections."""

import json
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from itertools import takewhile
from typing import Any

from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition
from pymongo import MongoClient

Document = dict[str, Any]
PATIENCE_S = 60.0


class Probe:
    """Writes and reads topics, and reads collections, of one stack."""

    def __init__(self, endpoints: Mapping[str, str]) -> None:
        self._servers = endpoints["KAFKA_BOOTSTRAP_SERVERS"]
        self._producer = Producer({"bootstrap.servers": self._servers, "message.max.bytes": 20_000_000})
        self._mongo: MongoClient[Document] = MongoClient(endpoints["MONGODB_URI"], tz_aware=True)
        self.database = self._mongo[endpoints["MONGODB_DATABASE"]]

    def __enter__(self) -> "Probe":
        return self

    def __exit__(self, *_: object) -> None:
        self._mongo.close()

    def write(self, topic: str, *values: bytes | None, key: bytes | None = None) -> list[tuple[int, int]]:
        """Writes records and returns partition and offset of each, as acknowledged."""
        places: dict[int, tuple[int, int]] = {}

        def report(index: int) -> Callable[[Any, Message], None]:
            def delivered(error: Any, record: Message) -> None:  # noqa: ANN401 - the library's own
                if error:
                    raise KafkaException(error)
                places[index] = (record.partition() or 0, record.offset() or 0)

            return delivered

        for index, value in enumerate(values):
            self._producer.produce(topic, value, key, on_delivery=report(index))
        self._producer.flush(PATIENCE_S)
        assert len(places) == len(values), "Kafka has not acknowledged everything"
        return [places[index] for index in range(len(values))]

    def read(self, topic: str) -> list[Message]:
        """Every record that a topic holds now."""
        consumer = Consumer({"bootstrap.servers": self._servers, "group.id": "probe", "enable.auto.commit": False})
        try:
            partitions = [TopicPartition(topic, p, 0) for p in consumer.list_topics(topic).topics[topic].partitions]
            left = {(p.partition): consumer.get_watermark_offsets(p)[1] for p in partitions}
            consumer.assign(partitions)
            records: list[Message] = []
            deadline = time.monotonic() + PATIENCE_S
            while any(position < left[partition] for partition, position in _positions(consumer, partitions)):
                assert time.monotonic() < deadline, f"{topic} cannot be read to its end"
                records += [record for record in consumer.consume(1000, timeout=0.2) if record.error() is None]
            return records
        finally:
            consumer.close()

    def ask(self, *questions: Document, key: bytes | None = None) -> list[str]:
        """Asks questions and returns their message_ids."""
        self.write("questions_in", *(json.dumps(question).encode() for question in questions), key=key)
        return [question["message_id"] for question in questions]

    def outcomes(self, message_ids: list[str]) -> dict[str, Document]:
        """The outcome of each of these askings, as soon as all have one."""
        results = self.database["results"]
        wanted = {"_id": {"$in": message_ids}}
        eventually(lambda: results.count_documents(wanted) == len(set(message_ids)), f"outcomes of {message_ids[:3]}…")
        return {outcome["_id"]: outcome for outcome in results.find(wanted)}

    def dead_letter(self, topic: str, place: tuple[int, int]) -> tuple[bytes | None, dict[str, str]]:
        """Value and headers of the dead letter from `place` (partition, offset), as soon as it is there."""
        origin = {"topic": topic, "partition": str(place[0]), "offset": str(place[1])}
        found: list[tuple[bytes | None, dict[str, str]]] = []

        def look() -> bool:
            for letter in self.read("dead_letters"):
                headers = {name: _text(value) for name, value in dict(letter.headers() or []).items()}
                if origin.items() <= headers.items():
                    found.append((letter.value(), headers))
            return bool(found)

        eventually(look, f"a dead letter from {origin}")
        return found[0]

    def metrics(self) -> Document:
        """The metrics document."""
        document = self.database["metrics"].find_one({"_id": "global"})
        assert document, "there is no metrics document"
        return document

    def metrics_equal_the_results(self) -> bool:
        """Whether the metrics document says just what the results add up to."""
        metrics, summed = self.metrics(), sum_up(list(self.database["results"].find()))
        return {name: metrics[name] for name in summed} == summed


def _text(value: bytes | str | None) -> str:
    return value.decode() if isinstance(value, bytes) else value or ""


def _positions(consumer: Consumer, partitions: list[TopicPartition]) -> list[tuple[int, int]]:
    return [(p.partition, max(p.offset, 0)) for p in consumer.position(partitions)]


def question(title: str = "Why is the sky blue?", **fields: object) -> Document:
    """An asking with ids of its own, unless `fields` says otherwise."""
    return {
        "message_id": str(uuid.uuid4()),
        "trace_id": "trace",
        "question_id": uuid.uuid4().hex,
        "title": title,
        "content": "",
        "best_answer": "Molecules of air scatter the short waves of blue light far more than the long red ones.",
        "source": "test",
        "created_at": "2026-01-01T00:00:00Z",
        "attempts": 0,
        "asked_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
    } | fields


def eventually(condition: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
    """Waits until something holds; fails when it does not in time."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, f"there should be {what} by now"
        time.sleep(0.1)


def sum_up(results: list[Document]) -> Document:
    """The metrics that follow from the results, computed here independently of storage-service."""

    def count(field: str, value: str) -> int:
        return sum(outcome[field] == value for outcome in results)

    def histogram(values: list[int], bucket: Callable[[int], int]) -> Document:
        return {"sum": sum(values), "count": len(values), "histogram": dict(Counter(str(bucket(v)) for v in values))}

    scores = [round(outcome["score"] * 1e6) for outcome in results if outcome["score"] is not None]
    latencies = [outcome["latency_ms"] for outcome in results if outcome["latency_ms"] is not None]
    usages = [outcome["usage"] for outcome in results if outcome["usage"]]
    return {
        "decided": len(results),
        "accepted": count("verdict", "accepted"),
        "exhausted": count("verdict", "exhausted"),
        "errors": count("verdict", "error"),
        "by_source": dict(Counter(outcome["source"] for outcome in results if outcome["source"])),
        "regenerations": sum(max(0, outcome["attempts"] - 1) for outcome in results),
        "attempts": dict(Counter(str(outcome["attempts"]) for outcome in results)),
        "score": histogram(scores, lambda score: min(score // 50_000 * 5, 95)),
        "latency_ms": histogram(latencies, _latency_bucket),
        "tokens": {
            "input": sum(usage["input_tokens"] for usage in usages),
            "output": sum(usage["output_tokens"] for usage in usages),
        },
    }


def _latency_bucket(latency_ms: int) -> int:
    bounds = [0]
    while bounds[-1] < latency_ms:
        bounds.append(bounds[-1] + max(bounds[-1] // 10, 1))
    return bounds[len(list(takewhile(lambda bound: bound < latency_ms, bounds)))]
