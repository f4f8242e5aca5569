"""What `make status` says of the disk."""

from pathlib import Path

from stack.disk import lines, used
from stack.settings import Settings


def test_a_file_counts_with_what_it_takes_and_not_with_its_holes(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "full").write_bytes(b"x" * 1_000_000)
    with (tmp_path / "data" / "holes").open("wb") as file:
        file.truncate(1 << 30)
    assert 1_000_000 <= used(tmp_path) < 2_000_000


def test_the_index_is_told_apart_where_there_is_one(tmp_path: Path) -> None:
    settings = Settings(tmp_path, environment={"DATA_COLLECTED_DIR": str(tmp_path / "collected")})
    assert not any("explorer's index" in line for line in lines(settings))
    index = tmp_path / "data" / "explorer"
    index.mkdir(parents=True)
    (index / "index.sqlite").write_bytes(b"x" * 1_000_000)
    assert f"1.0 MB of that in {index} (explorer's index)" in lines(settings)


def test_runs_that_were_collected_are_counted(tmp_path: Path) -> None:
    collected = tmp_path / "collected"
    settings = Settings(tmp_path, environment={"DATA_COLLECTED_DIR": str(collected)})
    assert any(line.endswith("(0 runs)") for line in lines(settings))
    (collected / "one").mkdir(parents=True)
    assert any(line.endswith("(1 run)") for line in lines(settings))
