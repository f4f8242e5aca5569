"""How flink-submit logs."""

import json
import logging

from flink_job.config import Config


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {"timestamp": self.formatTime(record), "level": record.levelname, "message": record.getMessage()}
        return json.dumps(line | {"service": record.name})


def start_log(config: Config) -> None:
    """Lets flink-submit speak as LOG_LEVEL and LOG_FORMAT say, and libraries only of what is wrong."""
    logging.basicConfig(format="%(asctime)s %(levelname)5s %(name)s: %(message)s", level=logging.WARNING)
    level = {"warn": "WARNING", "trace": "DEBUG"}.get(config.log_level, config.log_level.upper())
    logging.getLogger("flink-submit").setLevel(level)
    if config.log_format == "json":
        logging.getLogger().handlers[0].setFormatter(_JsonLines())
