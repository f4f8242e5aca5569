"""The job's topics, as Kafka has them."""

import logging

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
        self._prefix, self._noted = config.topic_prefix, config.flink_state_dir / "answers-topic"
        self._admin = AdminClient({**librdkafka_properties(config)}, logger=logging.getLogger("librdkafka"))

    def are_there(self) -> bool:
        """Whether Kafka has every one."""
        needed = {self._prefix + topic for topic in (ANSWERS, ERRORS, VERDICTS, REQUESTS, DEAD_LETTERS)}
        return needed <= set(self._admin.list_topics(timeout=PATIENCE_S).topics)

    def answers(self) -> str:
        """The id of the topic of answers: one that is deleted and made anew has another."""
        name = self._prefix + ANSWERS
        described = self._admin.describe_topics(TopicCollection([name]), request_timeout=PATIENCE_S)
        return str(described[name].result().topic_id)

    def remade(self) -> str | None:
        """The id of the topic of answers, if the job's state begins with another: its offsets mean nothing there."""
        now = self.answers()
        if not self._noted.exists():
            draft = self._noted.with_suffix(".draft")
            draft.write_text(now)
            draft.rename(self._noted)
        return None if self._noted.read_text() == now else now
