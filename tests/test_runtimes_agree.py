"""Containers and plain processes run the same parts, with settings that the parts really have."""

import configparser
import json
import re
import shlex
import subprocess
import tomllib
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from flink_job.config import Config
from stack.compose import ComposeRuntime
from stack.native import NativeRuntime
from stack.runtime import ONE_SHOTS, PORT_OF, SERVERS, SERVICES, SUBMIT
from stack.settings import ELSEWHERE, MAX_COPIES, PORTS, ROOT, SCALES, STOP_GRACE_S, Settings

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
NATIVE = configparser.RawConfigParser()
NATIVE.read(ROOT / "native/supervisord.conf")

FLINK = ("jobmanager", "taskmanager", "flink-submit")
DOCKERFILES = ("services/Dockerfile", "jobmanager/Dockerfile")
GENERATOR = ("questions-import", "traffic-generator")
RUST = ("topics", *SERVICES, *GENERATOR)

# What depends on where a part runs, and with how many copies, is written in both places; all else has its default in
# the code.
PLACES = {
    "DATA_COLLECTED_DIR",
    "EXPLORER_DIR",
    "FLINK_PARALLELISM",
    "FLINK_STATE_DIR",
    "FLINK_URL",
    "HTTP_ADDRESS",
    *ELSEWHERE.values(),
}


def settings(part: str) -> set[str]:
    """The names of all settings that a part reads."""
    if part in FLINK:
        script = (ROOT / "jobmanager/start.sh").read_text()
        wiring = set(re.findall(r"\$\{?([A-Z][A-Z_]+)\b", script))
        return wiring | ({str(s["name"]) for s in Config.described()} if part == "flink-submit" else set())
    return {setting["name"] for setting in printed(part)}


def printed(part: str) -> list[dict[str, str]]:
    """What a program of ours says of its settings."""
    binary = COMPOSE[part]["build"]["args"]["BINARY"]
    command = [ROOT / "target/release" / binary, "--print-settings"]
    described: list[dict[str, str]] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return described


def compose_environment(part: str) -> dict[str, str | None]:
    return dict(COMPOSE[part].get("environment", {}))


def native_environment(part: str) -> set[str]:
    return set(re.findall(r"(\w+)=\"", NATIVE[f"program:{part}"].get("environment", "")))


def test_both_have_the_same_parts() -> None:
    programs = {name.removeprefix("program:") for name in NATIVE.sections() if name.startswith("program:")}
    assert programs == set(COMPOSE)
    assert programs == {*SERVERS, *SERVICES, *ONE_SHOTS, SUBMIT, "traffic-generator"}


@pytest.mark.parametrize("part", [*RUST, *FLINK])
def test_every_name_that_a_part_is_given_is_a_setting_of_its(part: str) -> None:
    given = compose_environment(part).keys() | native_environment(part)
    assert given <= settings(part)


@pytest.mark.parametrize("part", ["topics", *SERVICES, "traffic-generator", "flink-submit"])
def test_every_setting_can_be_passed_to_a_container(part: str) -> None:
    needed = {str(s["name"]) for s in Config.described()} if part == "flink-submit" else settings(part)
    assert needed <= compose_environment(part).keys()


@pytest.mark.parametrize("part", [*RUST, "flink-submit"])
def test_no_default_is_written_down_a_second_time(part: str) -> None:
    own = {str(s["name"]) for s in Config.described()} if part == "flink-submit" else settings(part)
    written = {name for name, value in compose_environment(part).items() if value is not None}
    assert written & own <= PLACES


@pytest.mark.parametrize("part", [*SERVICES])
def test_a_service_listens_on_the_same_port_everywhere(part: str) -> None:
    port = PORTS[PORT_OF[part]]
    assert compose_environment(part)["HTTP_ADDRESS"] == f"0.0.0.0:{port}"
    assert f"127.0.0.1:%(ENV_{PORT_OF[part]})s" in NATIVE[f"program:{part}"]["environment"]


PUBLISHED = [(part, port) for part, service in COMPOSE.items() for port in service.get("ports", [])]


@pytest.mark.parametrize(("part", "port"), PUBLISHED)
def test_ports_are_published_to_this_machine_alone_and_under_the_same_names(part: str, port: str) -> None:
    variable = PORT_OF[part]
    first = PORTS[variable]
    usual = f"{first}-{first + MAX_COPIES - 1}" if part in SCALES else str(first)
    assert port.startswith(f"127.0.0.1:${{{variable}:-{usual}}}:")


def test_the_ports_of_all_copies_are_apart() -> None:
    ranges = [range(PORTS[port], PORTS[port] + MAX_COPIES) for part, port in PORT_OF.items() if part in SCALES]
    taken = [port for copies in ranges for port in copies]
    assert len(set(taken)) == len(taken)
    others = {port for name, port in PORTS.items() if name not in {PORT_OF.get(part) for part in SCALES}}
    assert others.isdisjoint(taken)


def test_the_same_parts_can_be_scaled_by_the_same_variables() -> None:
    scaled = {part: service["scale"] for part, service in COMPOSE.items() if "scale" in service}
    variables = SCALES | {part: f"START_{part.upper()}" for part in ELSEWHERE}
    assert scaled == {part: f"${{{variable}:-1}}" for part, variable in variables.items()}
    assert {part: NATIVE[f"program:{part}"]["autostart"] for part in ELSEWHERE} == {
        part: f"%(ENV_START_{part.upper()})s" for part in ELSEWHERE
    }


@pytest.mark.parametrize("part", [*SERVERS, *SERVICES, SUBMIT])
def test_what_keeps_running_tells_whether_it_is_ready_and_is_started_again(part: str) -> None:
    assert COMPOSE[part]["healthcheck"]["test"]
    assert COMPOSE[part]["restart"] == "unless-stopped"
    assert NATIVE[f"program:{part}"]["autorestart"] in ("true", "unexpected")


def test_no_container_fills_the_disk_with_its_log() -> None:
    assert [part for part, service in COMPOSE.items() if service["logging"] != {"driver": "local"}] == []


def test_kafka_has_the_same_settings_in_both() -> None:
    here = {"listeners", "zookeeper.connect", "log.dirs"}
    lines = (ROOT / "native/server.properties").read_text().splitlines()
    native = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    compose = compose_environment("kafka")
    for name, value in native.items():
        if name not in here:
            assert str(compose["KAFKA_" + name.replace(".", "_").upper()]) == value, name


@pytest.mark.parametrize("part", ["zookeeper", "kafka"])
def test_java_is_told_the_same_in_both(part: str) -> None:
    command = NATIVE[f"program:{part}"]["command"].replace("%(ENV_JVM_OPTIONS)s", "${JVM_OPTIONS:-}")
    native = [word for word in command.split() if word.startswith(("-X", "$"))]
    compose = compose_environment(part)
    assert f"{compose['KAFKA_HEAP_OPTS']} {compose['KAFKA_JVM_PERFORMANCE_OPTS']}".split() == native


def test_the_servers_are_the_promised_ones() -> None:
    assert {part: COMPOSE[part]["image"] for part in ("zookeeper", "kafka", "mongo")} == {
        "zookeeper": "confluentinc/cp-zookeeper:7.9.2",
        "kafka": "confluentinc/cp-kafka:7.9.2",
        "mongo": "mongo:8.0",
    }


def test_our_own_containers_may_do_nothing_but_their_work() -> None:
    for part in (*RUST, *FLINK):
        service = COMPOSE[part]
        assert service["read_only"], part
        assert service["cap_drop"] == ["ALL"], part
        assert service["security_opt"] == ["no-new-privileges:true"], part


def test_nothing_needs_more_memory_than_it_may_have() -> None:
    assert [part for part, service in COMPOSE.items() if "mem_limit" not in service] == []


@pytest.mark.parametrize("part", SERVICES)
@pytest.mark.parametrize(
    ("deadline", "grace_s"),
    [
        (None, 15),
        ("7s", 15),
        ("0s", 8),
        ("0", 8),
        ("2m", 128),
        ("1min 30sec 1ms", 99),
        ("0.5 h", 1808),
        ("1hour", 3608),
        ("soon", 15),
        ("9" * 400 + "s", 15),
    ],
)
def test_both_wait_for_a_stop_longer_than_a_service_takes(
    part: str, deadline: str | None, grace_s: int, tmp_path: Path
) -> None:
    stack = Settings(tmp_path, environment={"DRAIN_DEADLINE": deadline} if deadline else {})
    native, compose = NativeRuntime(stack).environment(), ComposeRuntime(stack).environment()
    assert NATIVE[f"program:{part}"]["stopwaitsecs"] % {"ENV_STOP_GRACE_S": native["STOP_GRACE_S"]} == str(grace_s)
    assert compose["STOP_GRACE_PERIOD"] == f"{grace_s}s"
    assert COMPOSE[part]["stop_grace_period"] == f"${{STOP_GRACE_PERIOD:-{STOP_GRACE_S}s}}"


@pytest.mark.parametrize("part", SERVICES)
def test_the_usual_stop_fits_the_usual_deadline(part: str) -> None:
    [deadline] = [setting["default"] for setting in printed(part) if setting["name"] == "DRAIN_DEADLINE"]
    assert Settings(ROOT, environment={"DRAIN_DEADLINE": deadline}).stop_grace_s == STOP_GRACE_S


def copied(dockerfile: str) -> list[tuple[str, str]]:
    """What the steps of an image copy from the repository, each with where it goes."""
    text = (ROOT / dockerfile).read_text().replace("\\\n", "")
    steps = [shlex.split(step)[1:] for step in text.splitlines() if step.startswith("COPY ")]
    return [(source, step[-1]) for step in steps if not step[0].startswith("--from=") for source in step[:-1]]


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_an_image_that_compiles_has_the_manifest_of_every_crate(dockerfile: str) -> None:
    members = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["members"]
    manifests = {(f"{member}/Cargo.toml", f"{member}/") for member in members}
    found = {(source, folder) for source, folder in copied(dockerfile) if source.endswith("/Cargo.toml")}
    assert found == manifests


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_whatever_an_image_copies_is_there_and_reaches_the_engine(dockerfile: str) -> None:
    assert copied(dockerfile)
    for source, _ in copied(dockerfile):
        assert (ROOT / source).exists(), source
        assert not is_ignored(source), source


def is_ignored(path: str) -> bool:
    """Whether .dockerignore keeps a path from the engine: of the lines that name it or its parent, the last decides."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    ignored = False
    for line in lines:
        pattern = line.removeprefix("!")
        if any(matches(whole, pattern) for whole in (PurePosixPath(path), *PurePosixPath(path).parents)):
            ignored = line == pattern
    return ignored


def matches(path: PurePosixPath, pattern: str) -> bool:
    """Whether a pattern names a path; `**/` stands for any folder, and the rest has as many names as the path."""
    wanted = pattern.removeprefix("**/")
    return path.match(wanted) and (wanted != pattern or len(path.parts) == len(PurePosixPath(wanted).parts))
