"""The command that takes a person's texts out of everything that can be changed, and says what cannot."""

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console

from flink_job.database import Database
from stack.backlog import READERS, retention_s
from stack.bring_up import start_service
from stack.dead_letters import TOPIC as DEAD_LETTERS
from stack.kafka import Kafka
from stack.options import options
from stack.runtime import Runtime, need_running, run_once
from stack.settings import SettingError, Settings, StackError
from stack.steps import Steps

OPTIONS = {"forget": ("QUESTION", "MESSAGE")}
"""What the command can be told, as NAME=value."""

NO_TEXTS: dict[str, Any] = {
    **dict.fromkeys(("title", "content", "best_answer", "llm_answer", "previous")),
    "other_answers": [],
}
"""What an outcome has in the place of its texts."""

NOT_REACHED = """Not reached by this: what is under way, backups, reports, the dataset's file, recorded cassettes, logs,
and the words that scorers know from references. Answers that were kept by earlier versions go with
LLM_ANSWERS_RETENTION."""

CACHE = "cache-service"

console = Console(highlight=False, markup=False)


@dataclass(frozen=True)
class Forgotten:
    """How much was forgotten, and when the newest of it was written."""

    outcomes: int
    kept_answers: int
    labels: int
    questions: int
    newest: datetime | None


class Texts(Database):
    """Every collection that has texts of questions and answers."""

    def forget(self, question_id: str | None, message_id: str | None) -> Forgotten:
        """Takes the texts of a question, or of one request, out; the outcomes stay, as the metrics are their sum.

        Nothing may copy them meanwhile, as cache-service does.
        """
        results, dataset = self._database["results"], self._database["questions"]
        if question_id:
            self._note(question_id)
        questions = dataset.delete_many({"_id": question_id}).deleted_count if question_id else 0
        chosen = {"question_id": question_id} if question_id else {"_id": message_id}
        outcomes = 0
        # What was under way may be stored at any time.
        while found := list(results.find({**chosen, "forgotten_at": None}, {"_id": 1})):
            for outcome in found:
                self._forget(outcome["_id"])
            outcomes += len(found)
        # Those of an earlier command, too, which may have broken off here.
        stored_at = {outcome["_id"]: outcome["stored_at"] for outcome in results.find(chosen, {"stored_at": 1})}
        requests = {"message_id": {"$in": [*stored_at, *([message_id] if message_id else [])]}}
        return Forgotten(
            outcomes=outcomes,
            kept_answers=self._database["answers"].delete_many(requests).deleted_count,
            labels=self._database["labels"].delete_many(requests).deleted_count,
            questions=questions,
            newest=max(stored_at.values(), default=None),
        )

    def _forget(self, message_id: str) -> None:
        results, chosen = self._database["results"], {"_id": message_id}
        self._note(message_id)
        results.update_one({**chosen, "error": {"$ne": None}}, {"$set": {"error.detail": "forgotten"}})
        changes = {"$set": NO_TEXTS | {"forgotten_at": datetime.now(UTC)}, "$unset": {"thinking": ""}}
        results.update_one(chosen, changes)

    def _note(self, name: str) -> None:
        """For those who would bring it back: cache-service from the topics, the import from its file."""
        noted = {"at": datetime.now(UTC)}
        self._database["forgotten"].replace_one({"_id": name}, noted, upsert=True)


def forget(runtime: Runtime, settings: Settings, arguments: argparse.Namespace) -> None:
    """Take a question's texts out of MongoDB, caches, labels and index: QUESTION=question_id or MESSAGE=message_id."""
    given = {name: value for name, value in options(arguments, OPTIONS["forget"]).items() if value}
    if len(given) != 1:
        raise SettingError("Forget what? QUESTION=question_id or MESSAGE=message_id, one of the two")
    need_running(runtime)
    endpoints = settings.endpoints()
    # Asked first: what cannot be answered must not end this half-way.
    kept = retention_s(Kafka.of(settings), [*READERS, DEAD_LETTERS])
    with Texts(endpoints["MONGODB_URI"], endpoints["MONGODB_DATABASE"]) as texts:
        texts.check()
        with _without_caches(runtime):
            done = texts.forget(given.get("QUESTION"), given.get("MESSAGE"))
            run_once(runtime, "explorer", "forget", *given.values())
    if not (done.outcomes or done.questions or done.kept_answers or done.labels):
        [(name, value)] = given.items()
        raise StackError(
            f"Nothing is stored of {name}={value}. QUESTION is a question_id, MESSAGE a message_id; the events.csv of "
            "a run has both. What is under way can be forgotten once it is decided."
        )
    console.print(f"outcomes without texts now   {done.outcomes:,}")
    console.print(f"kept answers deleted         {done.kept_answers:,}")
    console.print(f"labels deleted               {done.labels:,}")
    console.print(f"questions of the dataset     {done.questions:,}")
    console.print(NOT_REACHED)
    console.print(_until_when([*kept.values()], done.newest))


@contextmanager
def _without_caches(runtime: Runtime) -> Iterator[None]:
    """While cache-service is stopped, no answer is copied; started again, it has forgotten what it had in memory."""
    for part in runtime.parts():
        if part.service == CACHE:
            runtime.stop_part(part.name)
    try:
        yield
    finally:
        with Steps() as steps:
            start_service(runtime, steps, CACHE)


def _until_when(kept: Sequence[float | None], newest: datetime | None) -> str:
    """Until when Kafka may hold the texts."""
    if newest is None:
        return "No outcome of it is stored, so when it was asked is not known. If it is under way, forget it once more."
    longest = [seconds for seconds in kept if seconds is not None]
    if len(longest) < len(kept):
        return "The topics hold it for ever (TOPIC_RETENTION=forever)."
    until = newest.astimezone(UTC) + timedelta(seconds=max(longest))
    return f"The topics hold it until {until:%Y-%m-%d %H:%M} UTC (TOPIC_RETENTION), and up to one segment longer."
