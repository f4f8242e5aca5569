"""How the commands reach Kafka, and what things are called there: by the same settings as everything else."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from flink_job.config import Config, InvalidSettingError
from flink_job.kafka import librdkafka_properties
from stack.settings import SettingError, Settings


@dataclass(frozen=True)
class Kafka:
    """The Kafka of a stack; `client` is what any client of librdkafka is made from."""

    client: Mapping[str, str | int | float | bool]
    topic_prefix: str = ""
    group_prefix: str = ""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """That of these settings.

        Raises SettingError for one that cannot be used.
        """
        try:
            config = Config.from_environment({**settings.environment, **settings.endpoints()})
        except InvalidSettingError as error:
            raise SettingError(str(error)) from None
        # Else each client tells the terminal of every attempt to reach a broker that is away.
        return cls({**librdkafka_properties(config), "log_level": 0}, config.topic_prefix, config.group_prefix)

    def topic(self, name: str) -> str:
        """What a topic is called there."""
        return self.topic_prefix + name

    def group(self, name: str) -> str:
        """What a consumer group is called there."""
        return self.group_prefix + name
