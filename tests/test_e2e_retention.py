"""Old results are removed, and the metrics go on saying what all of them came to."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stack.api import Stack
from tests.support import Document, Probe, command, eventually

SETTINGS = {"TOPIC_RETENTION": "1h", "STATE_TTL": "1h", "RESULTS_RETENTION": "2h"}


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with Stack(env=SETTINGS) as stack:
        yield stack
    stack.clean()


def age(probe: Probe, wanted: Document, stored_at: datetime) -> list[Document]:
    """Makes results older than any may be, and returns them."""
    results = probe.database["results"]
    results.update_many(wanted, {"$set": {"stored_at": stored_at}})
    return list(results.find(wanted))


def look(stack: Stack, probe: Probe, left: int) -> None:
    """Lets storage-service look for old results, as each start does, until so many results are left."""
    # Not killed: then its group would wait for it.
    stack.runtime.stop_part("storage-service")
    stack.wait_ready()
    eventually(lambda: probe.database["results"].count_documents({}) == left, f"{left} results")


def tallies(probe: Probe) -> dict[str, Document]:
    """The metrics, without what is known less exactly once documents were lost: which records they count, and when."""
    less = dict.fromkeys(("watermarks", "began_at", "updated_at"))
    return {name: document | less for name, document in probe.metrics().items()}


def test_old_results_are_removed_and_the_metrics_stay_exact_whatever_is_lost(
    stack: Stack, probe: Probe, tmp_path: Path
) -> None:
    stack.send(TRAFFIC_TOTAL="40", TRAFFIC_RATE="100", TRAFFIC_RUN="old")
    stack.send(TRAFFIC_TOTAL="20", TRAFFIC_RATE="100", TRAFFIC_RUN="new")
    probe.settle()
    half = [outcome["_id"] for outcome in probe.database["results"].find({"run": "new"}).limit(10)]
    old = age(probe, {"$or": [{"run": "old"}, {"_id": {"$in": half}}]}, datetime.now(UTC) - timedelta(hours=3))
    before = probe.metrics()
    assert len(old) == 50

    look(stack, probe, left=10)
    assert {name: expired["decided"] for name, expired in probe.expired().items()} == {
        "global": 50,
        "run:old": 40,
        "run:new": 10,
    }
    assert probe.metrics() == before
    assert probe.metrics_equal_the_results()

    # As after a crash in between: what expired is not removed yet, and does not count twice.
    probe.database["results"].insert_many(old)
    command(stack, "metrics-rebuild")
    assert probe.metrics() == before
    look(stack, probe, left=10)

    stack.runtime.stop_part("storage-service")
    probe.read_again("storage-service")
    stack.wait_ready()
    probe.settle()
    assert len(probe.results()) == 10, "no record is stored again"
    assert probe.metrics() == before

    command(stack, "backup", f"BACKUP={tmp_path / 'backup'}")
    saved = json.loads((tmp_path / "backup/backup.json").read_text())["documents"]
    assert (saved["results"], saved["expired"], list(saved)[-1]) == (10, 3, "expired")

    exact = tallies(probe)
    probe.database["metrics"].delete_many({})
    stack.send(TRAFFIC_TOTAL="10", TRAFFIC_RATE="100", TRAFFIC_RUN="later")
    healed = tallies(probe)
    assert {name: healed[name] for name in ("run:old", "run:new")} == {
        name: exact[name] for name in ("run:old", "run:new")
    }
    assert healed["global"]["decided"] == 70
    assert probe.metrics_equal_the_results()


def test_what_expires_later_is_added_to_what_expired(stack: Stack, probe: Probe) -> None:
    stack.send(TRAFFIC_TOTAL="10", TRAFFIC_RATE="100", TRAFFIC_RUN="last")
    probe.settle()
    expired = probe.expired()["global"]
    left = len(probe.results())
    before = probe.metrics()
    # What was stored before that is taken for expired already.
    aged = len(age(probe, {"run": "last"}, expired["before"]))
    look(stack, probe, left=left - aged)
    assert probe.expired()["global"]["decided"] == expired["decided"] + aged
    assert probe.metrics() == before
    assert probe.metrics_equal_the_results()
