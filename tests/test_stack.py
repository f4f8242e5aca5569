"""The stack command, as far as it needs no servers."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from stack import doctor
from stack.logs import open_to_append
from stack.outcomes import EventLog, percentile
from stack.runtime import choose_runtime
from stack.settings import PORTS, ROOT, SettingError, Settings
from stack.setup import JARS


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("KAFKA_PORT", "abc", "1 to 65535"),
        ("FLINK_PORT", "0", "1 to 65535"),
        ("STORAGE_PORT", "65536", "1 to 65535"),
        ("COTEJO_RUN_DIR", "/a folder", "without spaces"),
        ("COTEJO_RUN_DIR", "/" + "x" * 90, "at most 80 bytes"),
        ("COTEJO_PATIENCE_S", "-1", "1 to 86400"),
        ("SCALE_LLM_CONSUMER", "0", "1 to 10"),
        ("RUNTIME", "podman", "compose and native"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named_with_its_value_and_what_is_allowed(
    name: str, value: str, allowed: str
) -> None:
    with pytest.raises(SettingError) as error:
        choose_runtime(Settings.from_environment({name: value}))
    assert f"{name}={value}" in str(error.value)
    assert allowed in str(error.value)


def test_the_set_up_needs_no_package() -> None:
    subprocess.run([sys.executable, "-S", "-c", "import stack.doctor, stack.setup"], cwd=ROOT, check=True)


def test_a_port_in_use_is_found_and_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = Settings(tmp_path, PORTS | {"KAFKA_PORT": port})
        problems = [problem for problem in doctor.missing(doctor.ports(settings)) if "KAFKA_PORT" in problem]
    assert problems == [f"KAFKA_PORT: {port} is in use; free port {port}, or choose another: KAFKA_PORT=…"]


def test_a_run_folder_that_cannot_be_written_is_found_and_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    finding = doctor.writable(Settings(tmp_path / "file" / "run"))
    assert "COTEJO_RUN_DIR=" in finding.remedy


def test_the_password_of_a_database_is_not_for_every_eye(tmp_path: Path) -> None:
    settings = Settings(tmp_path, environment={"MONGODB_URI": "mongodb://user:secret@host"})
    settings.write_endpoints()
    file = tmp_path / "endpoints.env"
    assert "MONGODB_URI=mongodb://user:secret@host\n" in file.read_text()
    assert file.stat().st_mode & 0o077 == 0


def test_the_log_of_a_command_does_not_grow_for_ever(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    for number in range(5):
        with open_to_append(log, max_bytes=10) as file:
            file.write(b"line %d\n" % number)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "a.log": "line 4\n",
        "a.log.1": "line 2\nline 3\n",
    }


@pytest.mark.parametrize("value", ["lots", "1.5g", "0m", "1024", "831m"])
def test_memory_that_flink_cannot_use_ends_it_at_start(value: str) -> None:
    environment = os.environ | {"TASKMANAGER_MEMORY": value}
    start = [str(ROOT / "jobmanager/start.sh"), "check"]
    ran = subprocess.run(start, env=environment, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (
        2,
        f"start.sh: TASKMANAGER_MEMORY is '{value}'; allowed: a size from 832m, such as 1024m or 2g\n",
    )


def test_a_growing_log_is_read_row_by_row_and_no_half_row_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    log = EventLog(path)
    assert list(log.new_rows()) == []
    path.write_text('message_id,partition\n"a,1",0\nb')
    assert [row["message_id"] for row in log.new_rows()] == ["a,1"]
    assert list(log.new_rows()) == []
    path.write_text('message_id,partition\n"a,1",0\nb,2\nc,1\n')
    assert [row["message_id"] for row in log.new_rows(1)] == ["b"]
    assert [row["message_id"] for row in log.new_rows(1)] == ["c"]


@pytest.mark.parametrize(("share", "expected"), [(50, 50), (95, 95), (99, 99), (100, 100)])
def test_a_percentile_is_a_value_that_occurred(share: int, expected: int) -> None:
    assert percentile(list(range(100, 0, -1)), share) == expected


def test_what_was_set_up_from_other_inputs_is_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stack.setup.TOOLS", tmp_path)
    (tmp_path / JARS.product).mkdir()
    assert not JARS.is_fresh()
    JARS.finish()
    assert JARS.is_fresh()
    (tmp_path / JARS.product / ".made-from").write_text(json.dumps("other inputs"))
    assert not JARS.is_fresh()


def test_a_set_up_that_broke_off_is_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stack.setup.TOOLS", tmp_path)
    (tmp_path / JARS.product).mkdir()
    JARS.finish()
    JARS.begin()
    assert not JARS.is_fresh()
