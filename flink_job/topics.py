"""The job's topics, as Kafka has them."""

import logging
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

PATIENCE_S = 5


class Topics:
    """What there is of the job's topics. Whatever asks Kafka raises its client's errors."""

    def __init__(self, config: Config) -> None:
        self._config, self._prefix = config, config.topic_prefix
        self._first = config.flink_state_dir / "answers-topic-at-first"
        self._submitted = config.flink_state_dir / "answers-topic"

    def are_there(self) -> bool:
        """Whether Kafka has every one."""
        needed = {self._prefix + topic for topic in (ANSWERS, ERRORS, VERDICTS, REQUESTS, DEAD_LETTERS)}
        return needed <= set(self._admin().list_topics(timeout=PATIENCE_S).topics)

    def answers(self) -> str:
        """The id of the topic of answers: one that is deleted and made anew has another."""
        name, admin = self._prefix + ANSWERS, self._admin()
        described = admin.describe_topics(TopicCollection([name]), request_timeout=PATIENCE_S)
        return str(described[name].result().topic_id)

    def remade(self, now: str) -> str | None:
        """The id of the topic of answers, if the job's state begins with another: its offsets mean nothing there."""
        if not self._first.exists():
            _write(self._first, now)
        return None if self._first.read_text() == now else now

    def note(self, now: str) -> None:
        """Notes which topic of answers the job was submitted for."""
        _write(self._submitted, now)

    def is_another(self) -> bool:
        """Whether the topic of answers is not the one that the job was submitted for."""
        return self._submitted.exists() and self._submitted.read_text() != self.answers()

    def _admin(self) -> AdminClient:
        # A new one each time: it is asked seldom, and never has to find its way back to a Kafka that was away.
        return AdminClient({**librdkafka_properties(self._config)}, logger=logging.getLogger("librdkafka"))


def _write(file: Path, text: str) -> None:
    draft = file.with_suffix(".draft")
    draft.write_text(text)
    draft.rename(file)
