"""Settings are checked before anything starts: a wrong one is told at once, and not when its part comes up."""

import subprocess
from collections.abc import Callable, Mapping

from flink_job.config import Config, InvalidSettingError
from stack.settings import ROOT, SettingError, Settings, StackError

PROGRAMS = ("create-topics", "traffic-generator", "cache-service", "llm-consumer", "storage-service")
"""Our own compiled programs; each knows what its settings may be."""


def check_settings(settings: Settings, environment: Mapping[str, str], command: Callable[[str], list[str]]) -> None:
    """Raises StackError with the words of the first program that cannot use a setting.

    `environment` is what a stack of `settings` gives its parts; `command` tells how a program is asked for its own.
    """
    protocol = environment.get("KAFKA_SECURITY_PROTOCOL") or "plaintext"
    if settings.runs("kafka") and protocol != "plaintext":
        raise SettingError(
            f"KAFKA_SECURITY_PROTOCOL={protocol} is for a Kafka of your own, which KAFKA_BOOTSTRAP_SERVERS names; "
            "the one that comes along is reached from this machine alone, and allowed with it is plaintext"
        )
    for program in PROGRAMS:
        checked = subprocess.run(
            command(program), cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        if checked.returncode != 0:
            raise StackError(f"{program} cannot use a setting. It says:\n{checked.stderr.strip()}")
    try:
        Config.from_environment(environment)
    except InvalidSettingError as error:
        raise StackError(f"flink-submit cannot use a setting. It says:\n{error}") from None
