"""The command that takes a person's texts out of everything that can be changed, and says what cannot."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console

from flink_job.database import Database
from stack.backlog import READERS, retention_s
from stack.dead_letters import TOPIC as DEAD_LETTERS
from stack.kafka import Kafka
from stack.options import options
from stack.runtime import Runtime, need_running
from stack.settings import SettingError, Settings, StackError
from stack.steps import Steps

OPTIONS = {"forget": ("QUESTION", "MESSAGE")}
"""What the command can be told, as NAME=value."""

NO_TEXTS: dict[str, Any] = {
    **dict.fromkeys(("title", "content", "best_answer", "llm_answer", "previous")),
    "other_answers": [],
}
"""What an outcome has in the place of its texts."""

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
        """Takes the texts of a question, or of one request, out; the outcomes stay, as the metrics are their sum."""
        results = self._database["results"]
        chosen = {"question_id": question_id} if question_id else {"_id": message_id}
        found = {outcome["_id"]: outcome["stored_at"] for outcome in results.find(chosen, {"stored_at": 1})}
        now, requests = datetime.now(UTC), {"message_id": {"$in": list(found)}}
        # First what others could copy from; cache-service reads these as it starts.
        for request in found:
            self._database["forgotten"].replace_one({"_id": request}, {"at": now}, upsert=True)
        questions = self._database["questions"].delete_many({"_id": question_id}) if question_id else None
        results.update_many(chosen, {"$set": NO_TEXTS | {"forgotten_at": now}, "$unset": {"thinking": ""}})
        results.update_many({**chosen, "error": {"$ne": None}}, {"$set": {"error.detail": "forgotten"}})
        return Forgotten(
            outcomes=len(found),
            kept_answers=self._database["answers"].delete_many(requests).deleted_count,
            labels=self._database["labels"].delete_many(requests).deleted_count,
            questions=questions.deleted_count if questions else 0,
            newest=max(found.values(), default=None),
        )


def forget(runtime: Runtime, settings: Settings, arguments: argparse.Namespace) -> None:
    """Take the texts of a question out of MongoDB, caches and labels: QUESTION=question_id or MESSAGE=message_id."""
    given = {name: value for name, value in options(arguments, OPTIONS["forget"]).items() if value}
    if len(given) != 1:
        raise SettingError("Forget what? QUESTION=question_id or MESSAGE=message_id, one of the two")
    need_running(runtime)
    endpoints = settings.endpoints()
    with Texts(endpoints["MONGODB_URI"], endpoints["MONGODB_DATABASE"]) as texts:
        done = texts.forget(given.get("QUESTION"), given.get("MESSAGE"))
    if not (done.outcomes or done.questions):
        [(name, value)] = given.items()
        raise StackError(f"Nothing is stored of {name}={value}. What is under way can be forgotten once it is decided.")
    _restart_caches(runtime)
    console.print(f"outcomes without texts now   {done.outcomes:,}")
    console.print(f"kept answers deleted         {done.kept_answers:,}")
    console.print(f"labels deleted               {done.labels:,}")
    console.print(f"questions of the dataset     {done.questions:,}")
    console.print("Not reached by this: backups, the file that the dataset came from, and what is under way.")
    console.print(_topics(Kafka.of(settings), [*READERS, DEAD_LETTERS], done.newest))


def _restart_caches(runtime: Runtime) -> None:
    """Has cache-service forget what it holds in memory."""
    for part in runtime.parts():
        if part.service == CACHE:
            runtime.stop_part(part.name)
    with Steps() as steps:
        runtime.start(steps)


def _topics(kafka: Kafka, topics: Sequence[str], newest: datetime | None) -> str:
    """Until when Kafka may hold the texts."""
    kept = retention_s(kafka, topics).values()
    if newest is None:
        return "No topic holds it: it was never asked."
    longest = [seconds for seconds in kept if seconds is not None]
    if len(longest) < len(kept):
        return "The topics hold it for ever (TOPIC_RETENTION=forever)."
    until = newest.astimezone(UTC) + timedelta(seconds=max(longest))
    return f"The topics hold it until {until:%Y-%m-%d %H:%M} UTC (TOPIC_RETENTION), and up to one segment longer."
