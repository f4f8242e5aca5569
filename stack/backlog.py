"""What waits in the topics, and for how long: Kafka removes what is older than TOPIC_RETENTION, read or not."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource  # type: ignore[attr-defined]
from rich.console import Console

from stack.kafka import Kafka
from stack.outcomes import reader
from stack.settings import Settings

JOB, JOB_COMMITS_S = "flink_job", 30.0
"""The job says how far it is with its checkpoints alone: what is younger than this may be done long since."""

READERS = {
    "questions_in": "cache-service",
    "llm_requests": "llm-consumer",
    "llm_responses": JOB,
    "regeneration_requests": "cache-service-regenerations",
    "validated_responses": "storage-service",
    "llm_errors": "storage-service",
}
"""The consumer group that does each topic's work."""

PATIENCE_S = 5.0
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


@dataclass(frozen=True)
class Backlog:
    """What a group has not finished of a topic.

    `age_s` is how long ago the oldest of it was written, and `kept_s` how long the topic keeps what is written, None
    for ever. `lost` counts the records that were removed before their turn.
    """

    topic: str
    records: int
    age_s: float
    kept_s: float | None
    lost: int = 0

    @property
    def is_in_danger(self) -> bool:
        """Whether more than half the time has passed in which it can still be read."""
        return bool(self.lost) or (self.kept_s is not None and self.age_s > self.kept_s / 2)

    def __str__(self) -> str:
        said = f"{self.topic}: {self.records:,} records wait, the oldest for {_duration(self.age_s)}"
        if self.lost:
            said += f"; {self.lost:,} before them were removed unread"
        if self.is_in_danger and self.kept_s is not None:
            said += f"; Kafka keeps them for {_duration(self.kept_s)} (TOPIC_RETENTION)"
        return said


def show(settings: Settings, console: Console, *, only_dangers: bool = False) -> None:
    """Prints a line for each topic in which something waits, or only where that is in danger."""
    try:
        for backlog in backlogs(Kafka.of(settings)):
            if backlog.is_in_danger or not only_dangers:
                style = "bold red" if backlog.is_in_danger else None
                console.print(f"Backlog  {backlog}", soft_wrap=True, markup=False, style=style)
    except KafkaException as error:
        console.print(f"Backlog  unknown: {error.args[0].str()}", soft_wrap=True, markup=False)


def backlogs(kafka: Kafka, readers: Mapping[str, str] = READERS) -> Iterator[Backlog]:
    """What waits in each topic that anything waits in. Raises KafkaException where Kafka does not answer."""
    retention = retention_s(kafka, list(readers))
    for topic, group in readers.items():
        consumer = reader(kafka, group)
        try:
            records, lost, first = _unfinished(consumer, kafka.topic(topic))
            age_s = _oldest_s(consumer, first)
            if lost or (records and (group != JOB or age_s > JOB_COMMITS_S)):
                yield Backlog(topic, records, age_s, retention[topic], lost)
        finally:
            consumer.close()


def _unfinished(consumer: Consumer, topic: str) -> tuple[int, int, list[TopicPartition]]:
    """How many records wait, how many were removed before their turn, and the first that waits in each partition."""
    partitions = consumer.list_topics(topic, timeout=PATIENCE_S).topics[topic].partitions
    records, lost, first = 0, 0, []
    for place in consumer.committed([TopicPartition(topic, partition) for partition in partitions], timeout=PATIENCE_S):
        low, high = consumer.get_watermark_offsets(place, timeout=PATIENCE_S)
        # Below 0 where the group has not committed anything: then it begins with the first there is.
        lost += max(low - place.offset, 0) if place.offset >= 0 else 0
        place.offset = max(place.offset, low)
        records += max(high - place.offset, 0)
        if place.offset < high:
            first.append(place)
    return records, lost, first


def _oldest_s(consumer: Consumer, first: Sequence[TopicPartition]) -> float:
    """How long ago the oldest of these records was written."""
    written = []
    for place in first:
        consumer.assign([place])
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            record = consumer.poll(PATIENCE_S)
            if record is not None and record.error() is None:
                written.append(record.timestamp()[1] / 1000)
                break
    return max(time.time() - min(written), 0.0) if written else 0.0


def retention_s(kafka: Kafka, topics: Sequence[str]) -> dict[str, float | None]:
    """How long each topic keeps what was written, None for ever. Raises KafkaException where Kafka does not answer."""
    admin = AdminClient({**kafka.client})
    names = {kafka.topic(topic): topic for topic in topics}
    wanted = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in names]
    described = admin.describe_configs(wanted, request_timeout=PATIENCE_S)
    kept = {names[resource.name]: int(future.result()["retention.ms"].value) for resource, future in described.items()}
    return {topic: milliseconds / 1000 if milliseconds >= 0 else None for topic, milliseconds in kept.items()}


def _duration(seconds: float) -> str:
    for unit, name in ((DAY, "days"), (HOUR, "h"), (MINUTE, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} s"
