"""What cannot be used ends the start at once, and is named: the setting, its value, and what is allowed."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from stack.api import free_ports
from stack.checks import PROGRAMS, lasting, told
from stack.runtime import SERVICES
from stack.settings import ROOT

OWN_MOUNTS = ("unshare", "--map-root-user", "--mount")
"""Runs a command that sees mounts which nobody else sees."""


def up(run_dir: Path, *wrapper: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    """What `make up` does after its set-up."""
    ports = {name: str(port) for name, port in free_ports().items()}
    environment = os.environ | ports | {"COTEJO_RUN_DIR": str(run_dir), "RUNTIME": "native"} | settings
    command = [*wrapper, sys.executable, "-m", "stack", "up"]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    marked = [
        p for p in psutil.process_iter(["environ"]) if (p.info["environ"] or {}).get("COTEJO_STACK") == str(run_dir)
    ]
    assert marked == [], "nothing is left running"
    return result


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("CACHE_POLICY", "lrv", "lru, lfu, fifo"),
        ("CACHE_SIZE", "-1", "0..=10000000"),
        ("SCORE_THRESHOLD", "1.5", "between 0 and 1"),
        ("MAX_ATTEMPTS", "0", "from 1 to 100"),
        ("TRAFFIC_RATE", "-1", "from 0.001 to 1000000"),
        ("LLM_MODE", "gpt", "offline, openai"),
        ("TOPIC_PARTITIONS", "0", "1..=1000"),
        ("BATCH_WAIT", "2days", "from 0s to 1h is allowed"),
        ("STATE_TTL", "999999999d", "no longer than 100 years"),
        ("TOPIC_RETENTION", "1s", "from 1h to 100years"),
        (
            "RESULTS_RETENTION",
            "never",
            "from 1h to 100years is allowed, in words such as 500ms, 60s or 1h 30m, or forever",
        ),
        ("KAFKA_SSL_CA_LOCATION", "/none/ca.pem", "no such file or folder"),
        ("KAFKA_SSL_KEYSTORE_LOCATION", "/none/key.pem", "no such file or folder"),
        ("TOPIC_PREFIX", "my topics", "letters, digits, dots"),
        ("TOPIC_MIN_INSYNC", "2", "TOPIC_REPLICATION 1"),
        ("DRAIN_DEADLINE", "soon", "from 0s to 1h is allowed"),
        ("DRAIN_DEADLINE", "2h", "from 0s to 1h is allowed"),
    ],
)
def test_a_setting_that_cannot_be_used_starts_nothing(name: str, value: str, allowed: str, tmp_path: Path) -> None:
    result = up(tmp_path, **{name: value})
    assert result.returncode == 1
    for part in (name, f"'{value}'", allowed):
        assert part in result.stderr
    assert list(tmp_path.glob("logs/*")) == []


@pytest.mark.parametrize(
    ("results", "name", "value", "allowed"),
    [
        ("7days", "TOPIC_RETENTION", "168h", "what is longer than that, or forever"),
        ("3days", "TOPIC_RETENTION", "7days", "what is longer than that, or forever"),
        ("100years", "TOPIC_RETENTION", "forever", "allowed is forever"),
        ("8days", "STATE_TTL", "192h", "what is longer than that, or forever"),
    ],
)
def test_results_are_kept_longer_than_anything_can_be_read_again(
    results: str, name: str, value: str, allowed: str, tmp_path: Path
) -> None:
    result = up(tmp_path, **{"RESULTS_RETENTION": results, name: value})
    assert result.returncode == 1
    assert f"RESULTS_RETENTION={results} is not longer than {name}={value}" in result.stderr
    assert allowed in result.stderr
    assert list(tmp_path.glob("logs/*")) == []


def test_the_kafka_that_comes_along_has_no_accounts_and_says_so(tmp_path: Path) -> None:
    result = up(tmp_path, KAFKA_SECURITY_PROTOCOL="sasl_ssl")
    assert result.returncode == 1
    assert "KAFKA_SECURITY_PROTOCOL=sasl_ssl is for a Kafka of your own" in result.stderr


def print_settings(program: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    command = [str(ROOT / "target/release" / program), "--print-settings"]
    return subprocess.run(command, env=settings, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_variable_that_is_set_to_nothing_is_not_set(program: str) -> None:
    names = [setting["name"] for setting in json.loads(print_settings(program).stdout)]
    result = print_settings(program, **dict.fromkeys(names, ""))
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("program", [program for program in PROGRAMS if program != "create-topics"])
def test_an_address_that_is_none_ends_the_program_and_is_not_shown_for_it_may_hold_a_password(program: str) -> None:
    environment = {"MONGODB_URI": "nonsense with a s3cret"}
    result = subprocess.run(
        [ROOT / "target/release" / program], env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    assert "MONGODB_URI" in result.stderr
    assert "mongodb://host:27017" in result.stderr
    assert "s3cret" not in result.stderr + result.stdout


def test_a_port_in_use_starts_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = up(tmp_path, KAFKA_PORT=port)
    assert result.returncode == 1
    assert f"KAFKA_PORT: {port} is in use; free port {port}, or choose another: KAFKA_PORT=…" in result.stderr


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_whose_port_is_in_use_ends_and_names_it(service: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        result = subprocess.run(
            [ROOT / "target/release" / service],
            env={"HTTP_ADDRESS": address, "EXPLORER_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert result.returncode == 1
    assert f"HTTP_ADDRESS={address}" in result.stderr
    assert "choose an address of this machine with a free port" in result.stderr


@pytest.mark.skipif(subprocess.run([*OWN_MOUNTS, "true"], check=False).returncode != 0, reason="no mounts of its own")
def test_a_run_folder_without_room_starts_nothing(tmp_path: Path) -> None:
    small_disk = (
        "unshare",
        "--map-root-user",
        "--mount",
        "sh",
        "-c",
        f'mount -t tmpfs -o size=1m none {tmp_path}; "$@"',
        "",
    )
    result = up(tmp_path, *small_disk)
    assert result.returncode == 1
    assert f"0.0 GiB free at {tmp_path}; free some space, or set COTEJO_RUN_DIR" in result.stderr


def test_what_is_kept_of_the_settings_beside_a_run_has_no_secret_and_no_place() -> None:
    environment = {
        "MAX_ATTEMPTS": "1",
        "OFFLINE_MIX": "30/30/40",
        "SCALE_LLM_CONSUMER": "2",
        "CACHE_SIZE": "",
        "HOME": "/root",
        "OPENAI_API_KEY": "s3cret",
        "MONGODB_URI": "mongodb://u:s3cret@h",
        "KAFKA_SASL_PASSWORD": "s3cret",
        "LLM_EXTRA_HEADERS": "x: s3cret",
        "KAFKA_PORT": "1",
        "TRAFFIC_RATE": "7",
    }
    kept = {"MAX_ATTEMPTS": "1", "OFFLINE_MIX": "30/30/40", "SCALE_LLM_CONSUMER": "2"}
    assert told(environment) == kept
    # Later commands have to find the places; what a run is called and how fast it is, each says anew.
    assert lasting(environment) == {**kept, "KAFKA_PORT": "1"}


@pytest.mark.parametrize(
    ("command", "name", "allowed"),
    [("traffic", "TOTL", "TOTAL DURATION RATE"), ("report", "SEED", "RUN"), ("up", "TRAFFIC_TOTL", "settings")],
)
def test_what_a_command_of_make_does_not_know_is_refused_and_what_it_knows_is_named(
    command: str, name: str, allowed: str
) -> None:
    refused = _make(command, f"{name}=5")
    assert refused.returncode != 0
    assert f"{name} is unknown to make {command}; allowed are" in refused.stderr
    assert allowed in refused.stderr


@pytest.mark.parametrize("told", [("traffic", "TOTAL=5"), ("report", "RUN=a"), ("up", "TRAFFIC_TOTAL=5"), ("status",)])
def test_what_a_command_of_make_knows_and_every_setting_is_taken(told: tuple[str, ...]) -> None:
    assert _make(*told, "KAFKA_PORT=9093", "RUNTIME=native").returncode == 0


def _make(*told: str) -> "subprocess.CompletedProcess[str]":
    """What make would do."""
    return subprocess.run(["make", "--dry-run", *told], cwd=ROOT, capture_output=True, text=True, check=False)
