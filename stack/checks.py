"""Settings are checked before anything starts: a wrong one is told at once, and not when its part comes up."""

import json
import re
import subprocess
from collections.abc import Callable, Iterable, Mapping

from flink_job.config import Config, InvalidSettingError
from flink_job.durations import seconds
from stack.settings import ELSEWHERE, PORTS, ROOT, SCALES, SettingError, Settings, StackError

PROGRAMS = ("create-topics", "traffic-generator", "cache-service", "llm-consumer", "storage-service", "explorer")
"""Our own compiled programs; each knows what its settings may be."""

FOREVER = "forever"

OF_TRAFFIC = "TRAFFIC_"

SECRET = re.compile("KEY|PASSWORD|URI|HEADERS")
"""What the name of a setting has in it whose value is not for every eye."""

OF_PLACES = frozenset(
    {
        *PORTS,
        *ELSEWHERE.values(),
        "DATA_COLLECTED_DIR",
        "EXPLORER_DIR",
        "EXPLORER_HOSTS",
        "HTTP_ADDRESS",
        "LOG_FORMAT",
        "LOG_LEVEL",
    }
)
"""Settings that say where parts are and what they log, and change no outcome."""


def names() -> set[str]:
    """Every setting of a part, and of how many there are; not those of traffic, which each run has its own of."""
    return {name for name in _every() if not name.startswith(OF_TRAFFIC)}


def names_of_traffic() -> set[str]:
    """Every setting of traffic."""
    return {name for name in _every() if name.startswith(OF_TRAFFIC)}


def _every() -> set[str]:
    import yaml  # noqa: PLC0415 - the set-up imports this module while there are no packages yet

    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"].values()
    of_parts = {name for service in services for name in service.get("environment", {})}
    return of_parts | {*PORTS, *SCALES.values(), *ELSEWHERE.values(), "QUESTIONS_FILE"}


def lasting(environment: Mapping[str, str]) -> dict[str, str]:
    """What a stack is told until it is stopped, without secrets."""
    wanted = sorted(name for name in names() if not SECRET.search(name))
    return {name: environment[name] for name in wanted if environment.get(name)}


def told(environment: Mapping[str, str]) -> dict[str, str]:
    """What of it outcomes may hang on."""
    return {name: value for name, value in lasting(environment).items() if name not in OF_PLACES}


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
    values: dict[str, str] = {}
    for program in PROGRAMS:
        checked = subprocess.run(
            command(program), cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        if checked.returncode != 0:
            raise StackError(f"{program} cannot use a setting. It says:\n{checked.stderr.strip()}")
        values |= _values(json.loads(checked.stdout), environment)
    flink = [str(ROOT / "jobmanager/start.sh"), "check"]
    checked = subprocess.run(flink, env=environment, capture_output=True, text=True, check=False)
    if checked.returncode != 0:
        raise StackError(f"Flink cannot use a setting. It says:\n{checked.stderr.strip()}")
    try:
        Config.from_environment(environment)
    except InvalidSettingError as error:
        raise StackError(f"flink-submit cannot use a setting. It says:\n{error}") from None
    _check_retention(values | _values(Config.described(), environment))


def _values(described: Iterable[Mapping[str, str | None]], environment: Mapping[str, str]) -> dict[str, str]:
    """What each setting of a program is, by its name."""
    return {
        name: environment.get(name) or setting["default"] or "" for setting in described if (name := setting["name"])
    }


def _check_retention(values: Mapping[str, str]) -> None:
    """A record that is read again after its result was removed would be stored, and counted, a second time."""
    kept = values["RESULTS_RETENTION"]
    if kept == FOREVER:
        return
    for name in ("TOPIC_RETENTION", "STATE_TTL"):
        least = values[name]
        if least == FOREVER or (seconds(kept) or 0) <= (seconds(least) or 0):
            allowed = FOREVER if least == FOREVER else f"what is longer than that, or {FOREVER}"
            raise SettingError(
                f"RESULTS_RETENTION={kept} is not longer than {name}={least}: a request that is read again after its "
                f"result was removed would be counted twice; allowed is {allowed}"
            )
