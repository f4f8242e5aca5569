"""What a report reads of MongoDB; it writes nothing."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from calibration.cases import answer_id
from flink_job.database import Database
from report.outcomes import FIELDS, Outcomes, gather

Document = Mapping[str, Any]
Told = Callable[[int], None]


class Distinct(NamedTuple):
    """One of the distinct answers to a question: its name, an outcome that has it, and how many do."""

    name: str
    message_id: str
    times: int


TEXTS = (
    *("question_id", "title", "content", "llm_answer", "best_answer", "other_answers"),
    *("score", "verdict", "attempts", "scorer", "threshold", "model", "source", "forgotten_at"),
)
BATCH = 2000
MOST_IDS = 500


class Store(Database):
    """Runs, their outcomes and what people said of them. Every method can fail as `pymongo` does."""

    def removed(self, run: str) -> int:
        """How many outcomes of a run RESULTS_RETENTION has had removed."""
        tally = self._database["expired"].find_one({"_id": f"run:{run}"}, {"decided": 1})
        return int(tally["decided"]) if tally else 0

    def outcomes(self, run: str, tell: Told) -> Outcomes:
        """All outcomes of a run, without texts; tells how many are read."""
        found = self._database["results"].find({"run": run}, dict.fromkeys(FIELDS, 1)).batch_size(BATCH)
        return gather(_counted(found, tell))

    def texts(self, ids: Sequence[str]) -> dict[str, Document]:
        """Outcomes with their texts, by id."""
        return {str(found["_id"]): found for found in self._of(ids, TEXTS)}

    def answers(self, run: str, tell: Told) -> Iterator[Document]:
        """The scored outcomes of a run with their texts, one after the other; tells how many are read."""
        fields = dict.fromkeys((*TEXTS, "finish_reason"), 1)
        found = self._database["results"].find({"run": run, "score": {"$ne": None}}, fields).batch_size(MOST_IDS)
        return _counted(found, tell)

    def distinct(self, run: str, question: str, score: float | None = None) -> list[Distinct]:
        """The distinct answers that a run gave to a question, the most frequent first; with a score, those with it.

        MongoDB counts them, so that an answer that was given ten thousand times is read once.
        """
        wanted = {"question_id": question, "run": run, "score": {"$ne": None} if score is None else score}
        counted = {"_id": "$llm_answer", "first": {"$min": "$_id"}, "times": {"$sum": 1}}
        groups = self._database["results"].aggregate([{"$match": wanted}, {"$group": counted}])
        found = [
            Distinct(
                answer_id({"question_id": question, "llm_answer": group["_id"]}),
                str(group["first"]),
                int(group["times"]),
            )
            for group in groups
        ]
        return sorted(found, key=lambda answer: (-answer.times, answer.message_id))

    def labels(self) -> list[Document]:
        """What people said, without texts; of labels of one answer, the random one is first."""
        fields = dict.fromkeys(("accepted", "chosen", "revised", "message_id"), 1)
        found = list(self._database["labels"].find({}, fields))
        return sorted(found, key=lambda label: (label["chosen"] != "random", str(label["_id"])))

    def question_of(self, ids: Sequence[str]) -> dict[str, str]:
        """Of which question outcomes are, by id, of whatever run."""
        return {str(found["_id"]): str(found["question_id"]) for found in self._of(ids, ("question_id",))}

    def model_settings(self, hashes: Iterable[str]) -> dict[str, Document]:
        """By which settings the model answered, by the hash that outcomes name."""
        return self._by_id("model_settings", hashes, {})

    def scorers(self, hashes: Iterable[str]) -> dict[str, Document]:
        """When scorers were made, by hash."""
        return self._by_id("scorers", hashes, {"made_at": 1})

    def _of(self, ids: Sequence[str], fields: Sequence[str]) -> Iterator[Document]:
        results = self._database["results"]
        for start in range(0, len(ids), MOST_IDS):
            chosen = {"_id": {"$in": list(ids[start : start + MOST_IDS])}}
            yield from results.find(chosen, dict.fromkeys(fields, 1))

    def _by_id(self, collection: str, ids: Iterable[str], fields: Mapping[str, int]) -> dict[str, Document]:
        found = self._database[collection].find({"_id": {"$in": list(ids)}}, fields or None)
        return {str(document["_id"]): document for document in found}


def _counted(documents: Iterable[Document], tell: Told) -> Iterator[Document]:
    number = 0
    for number, document in enumerate(documents, 1):
        if number % BATCH == 0:
            tell(number)
        yield document
    tell(number)
