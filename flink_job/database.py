"""What the job's submission and its tools read from MongoDB and write to it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, Self

from pymongo import MongoClient, WriteConcern
from pymongo.database import Database as MongoDatabase
from pymongo.errors import PyMongoError

if TYPE_CHECKING:  # it calls for packages that not every tool has
    from flink_job.fit_scorer import Artefact

APPLIED = "applied"
"""Among the calibrations, the one that names another: that is applied."""


ON_DISK = WriteConcern("majority", j=True)
"""For what must not be lost once it is said to be stored."""

FORMAT = 1
"""The form of what is stored; the services in Rust have the same number."""

FORMAT_IS_IN = "format"
"""The collection, and in it the document, that says in which form everything is."""


class NewerDataError(PyMongoError):
    """A newer version has written: nothing is read or written. Whoever calls handles it as a server that refuses."""


def check_format(said: Mapping[str, Any] | None, whose: str = "MongoDB's data") -> None:
    """Looks whether the document that says the form of `whose` data names one that is known here.

    Raises
    ------
    NewerDataError
        It is of a newer version.
    """
    if said and said["version"] > FORMAT:
        raise NewerDataError(
            f"{whose} are of a newer version of Cotejo (format {said['version']}, and this one reads up to {FORMAT}); "
            "nothing was done. That version can handle them."
        )


class Database:
    """The database that has the questions. Every method can fail as `pymongo` does.

    So it does before anything else, where the data are of a newer version.

    Parameters
    ----------
    uri : str
        Where MongoDB is.
    name : str
        The database.
    patience_ms : int
        How long to look for a server.
    """

    def __init__(self, uri: str, name: str, patience_ms: int = 5000) -> None:
        # Whatever the address says: what was written must be seen.
        self._client: MongoClient[dict[str, Any]] = MongoClient(
            uri, serverSelectionTimeoutMS=patience_ms, tz_aware=True, readPreference="primary"
        )
        self._name = name

    @cached_property
    def _database(self) -> MongoDatabase[dict[str, Any]]:
        database = self._client[self._name]
        check_format(database[FORMAT_IS_IN].find_one({"_id": FORMAT_IS_IN}))
        return database

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self._client.close()

    def check(self) -> None:
        """Fails as any other method would: for those who do something else before."""
        _ = self._database

    def references(self, most: int) -> list[str]:
        """So many reference answers; none while there are no questions.

        Ids are hashes, so the first ones in their order are a random sample, and always the same.
        """
        questions = self._database["questions"].find({}, {"best_answer": 1, "other_answers": 1}).sort("_id").limit(most)
        answers = (answer for question in questions for answer in references_of(question))
        return list(islice(answers, most))

    def applied_calibration(self) -> Mapping[str, Any] | None:
        """The calibration that is applied; None: the shipped model is."""
        calibrations = self._database["calibrations"]
        applied = calibrations.find_one({"_id": APPLIED})
        return calibrations.find_one({"_id": applied["model"]}) if applied else None

    def save_scorer(self, artefact: "Artefact") -> bool:
        """Keeps an artefact under its hash, for whoever has to apply or explain a verdict that names it."""
        scorers = self._database.get_collection("scorers", write_concern=ON_DISK)
        fields = {"artefact": artefact.text, "made_at": datetime.now(UTC)}
        return scorers.update_one({"_id": artefact.hash}, {"$set": fields}, upsert=True).acknowledged

    def scorer(self, scorer: str | None = None) -> str | None:
        """The text of an artefact: that of a hash, or the one that was made last."""
        wanted = {"_id": scorer} if scorer else {}
        found = self._database["scorers"].find(wanted).sort("made_at", -1).limit(1)
        return next((str(document["artefact"]) for document in found), None)

    def result(self, message_id: str) -> dict[str, Any] | None:
        """The outcome of a request."""
        return self._database["results"].find_one({"_id": message_id})


def references_of(document: Mapping[str, Any]) -> list[str]:
    """All reference answers of a question or of an outcome, `best_answer` first."""
    return [document["best_answer"], *(document.get("other_answers") or [])]
