"""The job's topics, as Kafka has them."""

import logging
from collections.abc import Mapping
from pathlib import Path

from confluent_kafka import TopicCollection
from confluent_kafka.admin import AdminClient

from flink_job.config import Config
from flink_job.kafka import librdkafka_properties

ANSWERS = "llm_responses"
ERRORS = "llm_errors"
VERDICTS = "validated_responses"
REQUESTS = "regeneration_requests"
DEAD_LETTERS = "dead_letters"

READ = {ANSWERS: "answers-topic", ERRORS: "errors-topic"}
"""What the job reads; each with the file, in the folder of state, that keeps the topic's id."""

PATIENCE_S = 5


class Topics:
    """What there is of the job's topics. Whatever asks Kafka raises its client's errors."""

    def __init__(self, config: Config) -> None:
        self._config, self._prefix = config, config.topic_prefix

    def are_there(self) -> bool:
        """Whether Kafka has every one."""
        needed = {self._prefix + topic for topic in (*READ, VERDICTS, REQUESTS, DEAD_LETTERS)}
        return needed <= set(self._admin().list_topics(timeout=PATIENCE_S).topics)

    def ids(self) -> dict[str, str]:
        """The id of each topic that the job reads: one that is deleted and made anew has another."""
        # The client must outlive its answers.
        names, admin = {topic: self._prefix + topic for topic in READ}, self._admin()
        described = admin.describe_topics(TopicCollection(list(names.values())), request_timeout=PATIENCE_S)
        return {topic: str(described[name].result().topic_id) for topic, name in names.items()}

    def remade(self, now: Mapping[str, str]) -> dict[str, str]:
        """The ids of those topics where the job's state begins with another: its offsets mean nothing there."""
        for topic, topic_id in now.items():
            if not self._first(topic).exists():
                _write(self._first(topic), topic_id)
        return {topic: topic_id for topic, topic_id in now.items() if self._first(topic).read_text() != topic_id}

    def note(self, now: Mapping[str, str]) -> None:
        """Notes which topics the job was submitted for."""
        for topic, topic_id in now.items():
            _write(self._submitted(topic), topic_id)

    def others(self) -> list[str]:
        """The topics that are not those that the job was submitted for."""
        submitted = {topic: self._submitted(topic) for topic in READ}
        known = {topic: file.read_text() for topic, file in submitted.items() if file.exists()}
        return [topic for topic, topic_id in self.ids().items() if known.get(topic, topic_id) != topic_id]

    def _submitted(self, topic: str) -> Path:
        return self._config.flink_state_dir / READ[topic]

    def _first(self, topic: str) -> Path:
        return self._config.flink_state_dir / f"{READ[topic]}-at-first"

    def _admin(self) -> AdminClient:
        # A new one each time: it is asked seldom, and never has to find its way back to a Kafka that was away.
        return AdminClient({**librdkafka_properties(self._config)}, logger=logging.getLogger("librdkafka"))


def _write(file: Path, text: str) -> None:
    draft = file.with_suffix(".draft")
    draft.write_text(text)
    draft.rename(file)
