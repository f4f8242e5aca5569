"""Labels and calibrations in MongoDB."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pymongo import MongoClient, WriteConcern

from calibration.cases import Case, Chosen, Document, draw

APPLIED = "applied"


class Store:
    """What people say, and what follows from it. Every method can fail as `pymongo` does.

    Parameters
    ----------
    uri : str
        Where MongoDB is.
    name : str
        The database.
    """

    def __init__(self, uri: str, name: str) -> None:
        self._client: MongoClient[dict[str, Any]] = MongoClient(uri, serverSelectionTimeoutMS=5000, tz_aware=True)
        # A label is somebody's work: it is stored when it is on disk.
        self._database = self._client.get_database(name, write_concern=WriteConcern("majority", j=True))
        self._labels, self._calibrations = self._database["labels"], self._database["calibrations"]

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *details: object) -> None:
        self._client.close()

    def draw(self, chosen: Chosen, count: int, seed: int, run: str | None = None) -> list[Case]:
        """Cases that have no label of this draw yet; with `run`, of that run of the generator alone."""
        results = self._database["results"]
        wanted: dict[str, Any] = {"score": {"$ne": None}, "llm_answer": {"$ne": None}}
        wanted |= {"confidence": "unsure"} if chosen == "unsure" else {}
        wanted |= {"run": run} if run else {}
        labelled = {label["_id"].partition(":")[0] for label in self._labels.find({"chosen": chosen}, {"_id": 1})}
        outcomes = results.find(wanted, {"question_id": 1, "llm_answer": 1})
        drawn = draw(outcomes, labelled, count, seed)
        found = {outcome["_id"]: Case.of(outcome) for outcome in results.find({"_id": {"$in": drawn}})}
        return [found[message_id] for message_id in drawn if message_id in found]

    def save(self, case: Case, chosen: Chosen, accepted: bool, revised: bool) -> None:
        """Stores what a person said of a case; said twice, the later holds.

        It is `revised` where it was said anew after the judge's verdict had been shown.
        """
        label = {
            "question": case.question,
            "references": list(case.references),
            "answer": case.answer,
            "score": case.score,
            "signals": case.signals,
            "scorer": case.scorer,
            "accepted": accepted,
            "chosen": chosen,
            "revised": revised,
            "message_id": case.message_id,
            "labelled_at": datetime.now(UTC),
        }
        self._labels.replace_one({"_id": _label_id(case, chosen)}, label, upsert=True)

    def remove(self, case: Case, chosen: Chosen) -> None:
        """Takes a label back."""
        self._labels.delete_one({"_id": _label_id(case, chosen)})

    def labels(self) -> list[Document]:
        """Every label, one an answer: of two that were drawn differently, the blind one."""
        by_answer: dict[str, Document] = {}
        for label in self._labels.find().sort("_id"):
            answer = label["_id"].partition(":")[0]
            if answer not in by_answer or label["chosen"] == "random":
                by_answer[answer] = label
        return list(by_answer.values())

    def save_calibration(self, calibration: Mapping[str, Any]) -> None:
        """Keeps a calibration under the hash of its model, as the newest."""
        self._calibrations.replace_one({"_id": calibration["_id"]}, dict(calibration), upsert=True)

    def newest_calibration(self) -> Document | None:
        """The calibration that was made last."""
        return next(self._calibrations.find({"_id": {"$ne": APPLIED}}).sort("made_at", -1).limit(1), None)

    def applied_calibration(self) -> Document | None:
        """The calibration that is applied; None: the shipped model is."""
        applied = self._calibrations.find_one({"_id": APPLIED})
        return self._calibrations.find_one({"_id": applied["model"]}) if applied else None

    def newest_scorer(self) -> str | None:
        """The hash of the scorer that the job was last submitted with."""
        newest = next(self._database["scorers"].find({}, {"_id": 1}).sort("made_at", -1).limit(1), None)
        return str(newest["_id"]) if newest else None

    def apply(self, model: str) -> None:
        """Marks a calibration as the one that flink-submit takes."""
        self._calibrations.replace_one({"_id": APPLIED}, {"model": model}, upsert=True)

    def reset(self) -> None:
        """Goes back to the shipped model."""
        self._calibrations.delete_one({"_id": APPLIED})


def _label_id(case: Case, chosen: Chosen) -> str:
    return f"{case.id}:{chosen}"
