"""Labels and calibrations as they are kept."""

from collections.abc import Iterator
from typing import Any

import pytest

from calibration.labels import Label, of_stored
from calibration.store import Store
from calibration.tests.test_sitting import case
from calibration.work import Worked, work


class Collection:
    """As much of MongoDB's as is needed."""

    def __init__(self) -> None:
        self.documents: dict[str, dict[str, Any]] = {}

    def find(self) -> "Collection":
        return self

    def sort(self, _by: str) -> list[dict[str, Any]]:
        return [self.documents[name] for name in sorted(self.documents)]

    def find_one(self, wanted: dict[str, Any], _fields: object = None) -> dict[str, Any] | None:
        return next((self.documents[name] for name in wanted["_id"]["$in"] if name in self.documents), None)

    def replace_one(self, wanted: dict[str, Any], document: dict[str, Any], upsert: bool) -> None:
        assert upsert
        self.documents[wanted["_id"]] = document | wanted

    def delete_one(self, wanted: dict[str, Any]) -> None:
        self.documents.pop(wanted["_id"], None)


class Results:
    """Outcomes, of which some were forgotten."""

    def __init__(self) -> None:
        self.forgotten: set[str] = set()

    def find_one(self, wanted: dict[str, Any], _fields: object = None) -> dict[str, Any] | None:
        assert wanted["forgotten_at"] == {"$ne": None}
        return wanted if wanted["_id"] in self.forgotten else None


@pytest.fixture
def results() -> Results:
    return Results()


@pytest.fixture
def labels() -> Collection:
    return Collection()


@pytest.fixture
def store(labels: Collection, results: Results, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    with Store("mongodb://127.0.0.1:1", "cotejo") as store:
        monkeypatch.setitem(vars(store), "_labels", labels)
        monkeypatch.setitem(vars(store), "_database", {"results": results})
        yield store


def revised(labels: Collection) -> dict[str, bool]:
    return {name: label["revised"] for name, label in labels.documents.items()}


def test_no_label_is_kept_of_what_was_forgotten_while_it_was_looked_at(
    store: Store, labels: Collection, results: Results
) -> None:
    results.forgotten.add(case(1).message_id)
    store.save(case(1), "random", True, False)
    assert labels.documents == {}


def test_an_answer_that_was_judged_under_the_other_draw_has_been_seen_before(store: Store, labels: Collection) -> None:
    one, other = case(1), case(2)
    store.save(one, "unsure", accepted=True, revised=False)
    store.save(one, "random", accepted=False, revised=False)
    store.save(other, "random", accepted=True, revised=False)
    assert revised(labels) == {"c1:unsure": False, "c1:random": True, "c2:random": False}


def seen(labels: Collection, number: int, *, accepted: bool) -> None:
    """What explorer stores of who has seen the verdict."""
    known = case(number)
    document = {"question": known.question, "references": list(known.references), "answer": known.answer}
    labels.documents[f"c{number}:seen"] = {
        "_id": f"c{number}:seen", **document, "accepted": accepted, "chosen": "seen", "revised": True
    }  # fmt: skip


def test_a_label_of_who_has_seen_the_verdict_gives_way_to_any_other_and_makes_it_revised(
    store: Store, labels: Collection
) -> None:
    for number in (1, 2, 3):
        seen(labels, number, accepted=True)
    store.save(case(1), "random", accepted=False, revised=False)
    store.save(case(2), "unsure", accepted=False, revised=False)
    assert [(label["chosen"], label["revised"]) for label in store.labels()] == [
        ("random", True),
        ("unsure", True),
        ("seen", True),
    ]


def test_a_label_of_who_has_seen_the_verdict_fits_and_is_neither_agreement_nor_bound(
    store: Store, labels: Collection
) -> None:
    for number in range(40):
        store.save(case(number), "random", accepted=number >= 10, revised=False)
    blind = [of_stored(label) for label in store.labels()]
    scores = {label.question: 0.2 + 0.015 * number for number, label in enumerate(blind)}

    def worked(of: list[Label]) -> Worked:
        return work(of, [scores.get(label.question, 0.9) for label in of], 0.65, 0.9)

    alone = worked(blind)
    for number in range(40, 200):
        seen(labels, number, accepted=False)
    both = worked([of_stored(label) for label in store.labels()])
    assert (len(both.labels), both.blind) == (200, 40)
    assert both.today is not None
    assert alone.today is not None
    assert both.today.agreement == alone.today.agreement
    assert (both.now, both.refit.brier_before) == (alone.now, alone.refit.brier_before)
    # The thresholds are tried on the blind ones alone; the last step, which moves scores, is fitted to all.
    assert both.threshold.precision.of == alone.threshold.precision.of
    assert both.refit.step.intercept < alone.refit.step.intercept


def test_a_label_said_twice_in_its_own_draw_is_seen_before_only_if_the_sitting_says_so(
    store: Store, labels: Collection
) -> None:
    one = case(1)
    store.save(one, "random", accepted=True, revised=False)
    store.save(one, "random", accepted=False, revised=False)
    assert revised(labels) == {"c1:random": False}
    store.save(one, "random", accepted=False, revised=True)
    assert revised(labels) == {"c1:random": True}
