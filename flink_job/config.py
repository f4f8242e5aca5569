"""Every setting of the job and of its submission. Nothing else reads the environment."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, NamedTuple, get_type_hints
from urllib.parse import urlsplit

from flink_job.durations import seconds


class InvalidSettingError(ValueError):
    """A setting that cannot be: its text names the variable, its value and what is allowed."""


def _text(value: str) -> str:
    if not value:
        raise ValueError("it must not be empty")
    return value


def _optional(value: str) -> str | None:
    return value or None


def _prefix(value: str) -> str:
    if not re.fullmatch(r"[a-zA-Z0-9._-]{0,100}", value):
        raise ValueError("allowed: up to 100 letters, digits, dots, underscores and hyphens")
    return value


def _path(value: str) -> Path:
    return Path(_text(value)).absolute()


def _choice(*allowed: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value not in allowed:
            raise ValueError(f"allowed: {', '.join(allowed)}")
        return value

    return parse


def _optional_choice(*allowed: str) -> Callable[[str], str | None]:
    return lambda value: _choice(*allowed)(value) if value else None


def _level(value: str) -> str:
    """The level of a filter such as info,messaging=debug, of which the services know the rest, too."""
    level = next((part for part in value.split(",") if "=" not in part), "info")
    return _choice("error", "warn", "info", "debug", "trace")(level)


def _between(kind: type[int] | type[float], low: float, high: float) -> Callable[[str], float]:
    def parse(value: str) -> float:
        what = "whole number" if kind is int else "number"
        try:
            number = kind(value)
        except ValueError:
            number = kind(low - 1)
        if not low <= number <= high:
            raise ValueError(f"allowed: a {what} from {low} to {high}")
        return number

    return parse


_LONGEST_S = 36_525 * 86_400


def _duration(value: str) -> int:
    """Whole milliseconds."""
    duration = seconds(value)
    if duration is None:
        raise ValueError("allowed: a duration such as 500ms, 10s, 5m, 24h, 7days or 1h 30m")
    if duration > _LONGEST_S:
        raise ValueError("allowed: a duration no longer than 100 years, 36525d")
    milliseconds = round(1000 * duration)
    if milliseconds == 0:
        raise ValueError("allowed: a duration longer than zero")
    return milliseconds


def _url(*schemes: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in schemes or not parts.netloc:
            raise ValueError(f"allowed: an address that begins with {' or '.join(f'{s}://' for s in schemes)}")
        return value

    return parse


class Setting(NamedTuple):
    """What there is to know of a setting beside its name and type."""

    default: str
    parse: Callable[[str], object]
    help: str
    secret: bool = False


@dataclass(frozen=True)
class Config:
    """The settings; each has the name of its environment variable, in lower case. Durations are in milliseconds."""

    kafka_bootstrap_servers: Annotated[
        str, Setting("127.0.0.1:9092", _text, "Brokers to begin with, as host:port, comma-separated")
    ]
    kafka_security_protocol: Annotated[
        str,
        Setting("plaintext", _choice("plaintext", "ssl", "sasl_plaintext", "sasl_ssl"), "How to talk to the brokers"),
    ]
    kafka_sasl_mechanism: Annotated[
        str | None,
        Setting("", _optional_choice("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"), "SASL mechanism"),
    ]
    kafka_sasl_username: Annotated[str | None, Setting("", _optional, "SASL user")]
    kafka_sasl_password: Annotated[str | None, Setting("", _optional, "SASL password", secret=True)] = field(repr=False)
    kafka_ssl_ca_location: Annotated[
        str | None, Setting("", _optional, "File with the certificates of the authorities to trust")
    ]
    kafka_ssl_keystore_location: Annotated[
        str | None,
        Setting("", _optional, "PEM file with this client's private key and its certificates, for mutual TLS"),
    ]
    kafka_ssl_key_password: Annotated[
        str | None, Setting("", _optional, "Password of that private key", secret=True)
    ] = field(repr=False)
    topic_prefix: Annotated[str, Setting("", _prefix, "What the name of every topic begins with")]
    group_prefix: Annotated[str, Setting("", _prefix, "What the name of every consumer group begins with")]
    mongodb_uri: Annotated[
        str,
        Setting(
            "mongodb://127.0.0.1:27017/?directConnection=true",
            _url("mongodb", "mongodb+srv"),
            "Where MongoDB is",
            secret=True,
        ),
    ] = field(repr=False)
    mongodb_database: Annotated[str, Setting("cotejo", _text, "The database that has the questions")]
    flink_url: Annotated[str, Setting("http://127.0.0.1:8081", _url("http"), "Flink's REST interface")]
    flink_state_dir: Annotated[
        Path, Setting(".run/flink", _path, "Folder of checkpoints and savepoints; the same for every part of Flink")
    ]
    flink_parallelism: Annotated[
        int,
        Setting(
            "1",
            _between(int, 1, 128),
            "How many times each operator runs side by side; in a stack, on each TaskManager once",
        ),
    ]
    flink_execution_mode: Annotated[
        str, Setting("thread", _choice("thread", "process"), "Where Python runs: inside the TaskManager, or beside it")
    ]
    score_threshold: Annotated[
        float, Setting("0.65", _between(float, 0, 1), "The score from which an answer is accepted")
    ]
    max_attempts: Annotated[
        int, Setting("3", _between(int, 1, 100), "How many times a model may be asked about a question")
    ]
    state_ttl: Annotated[int, Setting("24h", _duration, "How long a request is remembered after its last attempt")]
    checkpoint_interval: Annotated[int, Setting("10s", _duration, "How often the job's state is saved")]
    scorer_sample: Annotated[
        int,
        Setting("100000", _between(int, 1, 100_000), "How many reference answers the scorer knows words from"),
    ]
    log_level: Annotated[
        str,
        Setting(
            "info", _level, "What to log: error, warn, info, debug, trace, or a filter such as info,messaging=debug"
        ),
    ]
    log_format: Annotated[str, Setting("text", _choice("text", "json"), "How it is logged")]

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Config":
        """Reads and checks all settings.

        Raises
        ------
        InvalidSettingError
            One that cannot be.
        """
        values: dict[str, Any] = {}
        for name, setting in _settings().items():
            # Set to nothing, as a line `NAME=` of an environment file does it, is not set.
            value = environment.get(name.upper()) or setting.default
            try:
                values[name] = setting.parse(value)
            except ValueError as error:
                shown = "(not shown)" if setting.secret else repr(value)
                raise InvalidSettingError(f"{name.upper()} is {shown}; {error}") from None
        for name in ("kafka_sasl_mechanism", "kafka_sasl_username", "kafka_sasl_password"):
            if values["kafka_security_protocol"].startswith("sasl") and not values[name]:
                raise InvalidSettingError(f"{name.upper()} is not set, and KAFKA_SECURITY_PROTOCOL with SASL needs it")
        return cls(**values)

    def check_files(self) -> None:
        """Looks, where the job is submitted, whether what settings name is there.

        Raises
        ------
        InvalidSettingError
            Something that is not.
        """
        for name in ("kafka_ssl_ca_location", "kafka_ssl_keystore_location"):
            file = getattr(self, name)
            if file and not Path(file).exists():
                raise InvalidSettingError(f"{name.upper()} is {file!r}, and there is no such file or folder")

    @classmethod
    def described(cls) -> list[dict[str, str | None]]:
        """Every setting with its name, its default and its meaning."""
        return [
            {"name": name.upper(), "default": setting.default or None, "help": setting.help}
            for name, setting in _settings().items()
        ]


def _settings() -> dict[str, Setting]:
    hints = get_type_hints(Config, include_extras=True)
    return {name: hint.__metadata__[0] for name, hint in hints.items()}
