"""Labels and calibrations as they are kept."""

from collections.abc import Iterator
from typing import Any

import pytest

from calibration.store import Store
from calibration.tests.test_sitting import case


class Collection:
    """As much of MongoDB's as is needed."""

    def __init__(self) -> None:
        self.documents: dict[str, dict[str, Any]] = {}

    def find_one(self, wanted: dict[str, Any], _fields: object = None) -> dict[str, Any] | None:
        return self.documents.get(wanted["_id"])

    def replace_one(self, wanted: dict[str, Any], document: dict[str, Any], upsert: bool) -> None:
        assert upsert
        self.documents[wanted["_id"]] = document


@pytest.fixture
def labels() -> Collection:
    return Collection()


@pytest.fixture
def store(labels: Collection, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    with Store("mongodb://127.0.0.1:1", "cotejo") as store:
        monkeypatch.setitem(vars(store), "_labels", labels)
        yield store


def revised(labels: Collection) -> dict[str, bool]:
    return {name: label["revised"] for name, label in labels.documents.items()}


def test_an_answer_that_was_judged_under_the_other_draw_has_been_seen_before(store: Store, labels: Collection) -> None:
    one, other = case(1), case(2)
    store.save(one, "unsure", accepted=True, revised=False)
    store.save(one, "random", accepted=False, revised=False)
    store.save(other, "random", accepted=True, revised=False)
    assert revised(labels) == {"c1:unsure": False, "c1:random": True, "c2:random": False}


def test_a_label_said_twice_in_its_own_draw_is_seen_before_only_if_the_sitting_says_so(
    store: Store, labels: Collection
) -> None:
    one = case(1)
    store.save(one, "random", accepted=True, revised=False)
    store.save(one, "random", accepted=False, revised=False)
    assert revised(labels) == {"c1:random": False}
    store.save(one, "random", accepted=False, revised=True)
    assert revised(labels) == {"c1:random": True}
