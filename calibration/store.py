"""Labels and calibrations in MongoDB."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from pymongo.collection import Collection

from calibration.cases import CHOSEN, Case, Chosen, Document, draw
from flink_job.database import APPLIED, ON_DISK, Database

Documents = Collection[dict[str, Any]]
Reader = Callable[[Iterable[Document]], Iterable[Document]]


class Store(Database):
    """What people say, and what follows from it. Every method can fail as `pymongo` does."""

    @cached_property
    def _labels(self) -> Documents:
        # A label is somebody's work: it is stored when it is on disk.
        return self._database.get_collection("labels", write_concern=ON_DISK)

    @cached_property
    def _calibrations(self) -> Documents:
        return self._database.get_collection("calibrations", write_concern=ON_DISK)

    def draw(
        self, chosen: Chosen, count: int, seed: int, run: str | None = None, read: Reader = lambda found: found
    ) -> list[Case]:
        """Cases that have no label of this draw yet.

        Parameters
        ----------
        chosen : str
            From which answers.
        count : int
            How many, at most.
        seed : int
            Another seed is another draw.
        run : str, optional
            Only answers of that run of the generator.
        read : callable, optional
            Hands the outcomes on as they are read, which with many takes a while.
        """
        results = self._database["results"]
        labelled = {label["_id"].partition(":")[0] for label in self._labels.find({"chosen": chosen}, {"_id": 1})}
        outcomes = results.find(_wanted(chosen, run), {"question_id": 1, "llm_answer": 1})
        drawn = draw(read(outcomes), labelled, count, seed)
        found = {outcome["_id"]: Case.of(outcome) for outcome in results.find({"_id": {"$in": drawn}})}
        return [found[message_id] for message_id in drawn if message_id in found]

    def has_answers(self, chosen: Chosen, run: str | None = None) -> bool:
        """Whether there is anything to draw from, with a label or without."""
        return self._database["results"].find_one(_wanted(chosen, run), {"_id": 1}) is not None

    def has_run(self, run: str) -> bool:
        """Whether any outcome is of that run of the generator."""
        return self._database["results"].find_one({"run": run}, {"_id": 1}) is not None

    def save(self, case: Case, chosen: Chosen, accepted: bool, revised: bool) -> None:
        """Stores what a person said of a case; said twice, the later holds.

        It is `revised` where the judge's verdict had been shown before: in this sitting, or for another label.
        """
        others = [_label_id(case, other) for other in CHOSEN if other != chosen]
        seen_before = revised or self._labels.find_one({"_id": {"$in": others}}, {"_id": 1}) is not None
        label = {
            "question": case.question,
            "references": list(case.references),
            "answer": case.answer,
            "score": case.score,
            "signals": case.signals,
            "scorer": case.scorer,
            "accepted": accepted,
            "chosen": chosen,
            "revised": seen_before,
            "message_id": case.message_id,
            "labelled_at": datetime.now(UTC),
        }
        self._labels.replace_one({"_id": _label_id(case, chosen)}, label, upsert=True)
        # Whoever forgets an outcome clears that first, and then the labels: one of the two is seen.
        if self._database["results"].find_one({"_id": case.message_id, "forgotten_at": {"$ne": None}}, {"_id": 1}):
            self.remove(case, chosen)

    def remove(self, case: Case, chosen: Chosen) -> None:
        """Takes a label back."""
        self._labels.delete_one({"_id": _label_id(case, chosen)})

    def labels(self) -> list[Document]:
        """Every label, one an answer: of several, the most telling."""
        by_answer: dict[str, list[Document]] = {}
        for label in self._labels.find().sort("_id"):
            by_answer.setdefault(label["_id"].partition(":")[0], []).append(label)
        return [min(labels, key=lambda label: CHOSEN.index(label["chosen"])) for labels in by_answer.values()]

    def save_calibration(self, calibration: Mapping[str, Any]) -> None:
        """Keeps a calibration under the hash of its model, as the newest."""
        self._calibrations.replace_one({"_id": calibration["_id"]}, dict(calibration), upsert=True)

    def newest_calibration(self) -> Document | None:
        """The calibration that was made last."""
        return next(self._calibrations.find({"_id": {"$ne": APPLIED}}).sort("made_at", -1).limit(1), None)

    def apply(self, model: str) -> None:
        """Marks a calibration as the one that flink-submit takes."""
        self._calibrations.replace_one({"_id": APPLIED}, {"model": model}, upsert=True)

    def reset(self) -> None:
        """Goes back to the shipped model."""
        self._calibrations.delete_one({"_id": APPLIED})


def _wanted(chosen: Chosen, run: str | None) -> dict[str, Any]:
    """Which outcomes can be drawn."""
    judged = {"score": {"$ne": None}, "llm_answer": {"$ne": None}}
    return judged | ({"confidence": "unsure"} if chosen == "unsure" else {}) | ({"run": run} if run else {})


def _label_id(case: Case, chosen: str) -> str:
    return f"{case.id}:{chosen}"
