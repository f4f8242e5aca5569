"""The command that asks questions again that ended in an error."""

import argparse
import csv
import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Self
from uuid import NAMESPACE_URL, uuid5

from confluent_kafka import KafkaException, Message, Producer
from pymongo.errors import PyMongoError
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from flink_job.database import Database
from stack.kafka import Kafka
from stack.model import Explainer, complaints
from stack.options import options
from stack.outcomes import DeadLetters, EventLog, Follower, results
from stack.runtime import Runtime, need_running
from stack.settings import Settings, StackError
from stack.traffic import ASK_WHY_AFTER_S, LOOK_EVERY_S

OPTIONS = {"reask": ("ERRORS", "RUN")}
"""What the command can be told, as NAME=value."""

TOPIC = "questions_in"
PREFIX = "reask-"
# The largest record that the topic takes.
MAX_RECORD_BYTES = 4 << 20
ACKNOWLEDGED_WITHIN_S = 60.0
CHUNK = 500
# Later a request may have been lost; asked again under the same id, it still has one outcome.
ON_ITS_WAY_FOR = timedelta(hours=1)
NO_TEXTS = "their texts were too large to be kept beside the error, or were forgotten."
EVENT = ("message_id", "partition", "offset", "asked_at")

Document = Mapping[str, Any]
Event = Mapping[str, str]
# Runs and errors are shown as they are named, whatever brackets are in it.
console = Console(highlight=False, markup=False)


@dataclass(frozen=True)
class Failure:
    """A question without an answer: its last request, why that failed, and the runs of all its requests in order."""

    message_id: str
    error: str
    decided_at: datetime
    retry_at: datetime | None
    runs: tuple[str, ...]

    @property
    def retry_id(self) -> str:
        """The id of the request that asks it again: derived, so that however often it is sent, it is one request."""
        return _derived("message", self.message_id)

    def is_due(self, now: datetime) -> bool:
        """Whether asking again was said to be worth trying by now; results of earlier versions do not say."""
        return self.retry_at is None or self.retry_at <= now


class Store(Database):
    """The results. Every method can fail as `pymongo` does."""

    def outcomes(self) -> list[Document]:
        """All errors, and the outcomes of all retries; without their texts."""
        wanted = {"$or": [{"verdict": "error", "forgotten_at": None}, {"retry_of": {"$ne": None}}]}
        fields = dict.fromkeys(("verdict", "retry_of", "run", "decided_at", "error.type", "error.retry_at"), 1)
        return list(self._database["results"].find(wanted, fields))

    def without_texts(self) -> set[str]:
        """The ids of the errors that have no texts: they were too large to be kept, or were forgotten."""
        wanted = {"verdict": "error", "$or": [{"title": None}, {"content": None}, {"best_answer": None}]}
        return {outcome["_id"] for outcome in self._database["results"].find(wanted, {"_id": 1})}

    def questions(self, message_ids: Sequence[str]) -> list[Document]:
        """What these requests asked."""
        fields = dict.fromkeys(("question_id", "title", "content", "best_answer", "other_answers", "topic"), 1)
        return list(self._database["results"].find({"_id": {"$in": message_ids}}, fields))

    def verdicts(self, message_ids: Sequence[str]) -> list[Document]:
        """The verdicts on those of these requests that have one."""
        wanted = {"_id": {"$in": message_ids}}
        return list(self._database["results"].find(wanted, {"verdict": 1, "error.type": 1}))


def reask(runtime: Runtime, settings: Settings, arguments: argparse.Namespace) -> None:
    """Ask questions again that ended in an error; without ERRORS: show what errors there are."""
    given = options(arguments, OPTIONS["reask"])
    errors = {error.strip() for error in given.get("ERRORS", "").split(",")} - {""}
    need_running(runtime)
    with _store(settings) as store:
        with console.status("Reading results …"):
            failures, textless = unanswered(store.outcomes()), store.without_texts()
        failures = [failure for failure in failures if not given.get("RUN") or given["RUN"] in failure.runs]
        chosen = [failure for failure in failures if failure.error in errors]
        if not chosen:
            _show(failures, textless, errors, given.get("RUN"))
            return
        askable = [failure for failure in chosen if failure.message_id not in textless]
        events = on_their_way(askable, _events(settings.data_collected()), datetime.now(UTC))
        new = [failure for failure in askable if failure.retry_id not in events]
        _announce(len(chosen) - len(askable), len(events), new)
        if askable:
            _ask(runtime, settings, store, new, events)


def unanswered(outcomes: Iterable[Document]) -> list[Failure]:
    """The last error of each question that no retry has answered, the oldest first."""
    outcomes = list(outcomes)
    earlier = {outcome["_id"]: outcome["retry_of"] for outcome in outcomes if outcome.get("retry_of")}
    chains: defaultdict[str, list[Document]] = defaultdict(list)
    for outcome in outcomes:
        chains[_first(outcome["_id"], earlier)].append(outcome)
    failed = [chain for chain in chains.values() if all(outcome["verdict"] == "error" for outcome in chain)]
    return sorted(map(_failure, failed), key=lambda failure: failure.decided_at)


def _first(message_id: str, earlier: Mapping[str, str]) -> str:
    """The request that a chain of retries begins with; in a circle, which is a mistake, it is any of them."""
    seen = {message_id}
    while (before := earlier.get(message_id)) and before not in seen:
        seen.add(before)
        message_id = before
    return message_id


def _failure(chain: Sequence[Document]) -> Failure:
    chain = sorted(chain, key=lambda outcome: outcome["decided_at"])
    last = chain[-1]
    runs = tuple(outcome.get("run") or "" for outcome in chain)
    return Failure(last["_id"], last["error"]["type"], last["decided_at"], last["error"].get("retry_at"), runs)


def on_their_way(failures: Iterable[Failure], events: Iterable[Event], now: datetime) -> dict[str, Event]:
    """Those of `events` by which these failures were asked again and have no outcome yet, by their ids."""
    failed_at = {failure.retry_id: failure.decided_at for failure in failures}
    return {
        event["message_id"]: event
        for event in events
        if event["message_id"] in failed_at
        # A run that is repeated to the letter after its data was deleted has the ids that it had before.
        and max(failed_at[event["message_id"]], now - ON_ITS_WAY_FOR) < datetime.fromisoformat(event["asked_at"])
    }


def message(outcome: Document, run: str, now: datetime) -> dict[str, Any]:
    """The message that asks anew what a request asked."""
    optional = {name: outcome[name] for name in ("topic", "other_answers") if outcome.get(name)}
    return {
        "message_id": _derived("message", outcome["_id"]),
        "trace_id": _derived("trace", outcome["_id"]),
        "retry_of": outcome["_id"],
        "run": run,
        "asked_at": now.isoformat(),
        "created_at": now.isoformat(),
        "source": "reask",
        "attempts": 0,
        **{name: outcome[name] for name in ("question_id", "title", "content", "best_answer")},
        **optional,
    }


def _derived(kind: str, message_id: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"cotejo/reask/{kind}/{message_id}"))


class Asker:
    """Asks questions again, and records in the folder of the run which requests Kafka has. Use it as a context.

    Parameters
    ----------
    kafka : Kafka
        How to reach Kafka.
    folder : Path
        The folder of the run, which is named after it.
    """

    def __init__(self, kafka: Kafka, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._run = folder.name
        self._file = (folder / "events.csv").open("w", newline="", encoding="utf-8")
        self._events = csv.DictWriter(self._file, EVENT, lineterminator="\n")
        self._events.writeheader()
        self._topic = kafka.topic(TOPIC)
        self._producer = Producer(
            {
                **kafka.client,
                "acks": "all",
                "enable.idempotence": True,
                "message.max.bytes": MAX_RECORD_BYTES,
                # That of the services, so that a key has the partition that they give it.
                "partitioner": "murmur2_random",
            }
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def note(self, events: Iterable[Event]) -> None:
        """Records what was asked before, as if it were asked now."""
        self._events.writerows(events)
        self._file.flush()

    def ask(self, outcomes: Iterable[Document]) -> None:
        """Asks again what these requests asked, and returns when Kafka has it.

        Raises StackError or KafkaException where it does not take it.
        """
        for outcome in outcomes:
            asked = message(outcome, self._run, datetime.now(UTC))
            value = json.dumps(asked, ensure_ascii=False).encode()
            self._producer.produce(
                self._topic, value, asked["question_id"], on_delivery=partial(self._delivered, asked)
            )
        if missing := self._producer.flush(ACKNOWLEDGED_WITHIN_S):
            raise StackError(f"Kafka has not taken {missing:,} questions. Give the command again once it is well.")
        self._file.flush()

    def _delivered(self, asked: Document, error: Any, record: Message) -> None:  # noqa: ANN401 - the library's own
        if error:
            raise KafkaException(error)
        place = {"partition": record.partition(), "offset": record.offset()}
        self._events.writerow({**{name: asked[name] for name in ("message_id", "asked_at")}, **place})


def _events(folder: Path) -> Iterator[Event]:
    """What earlier commands have asked again, the oldest first."""
    for file in sorted(folder.glob(f"{PREFIX}*/events.csv")):
        log = EventLog(file)
        while rows := list(log.new_rows()):
            # One of the generator's runs may be named like ours.
            yield from (row for row in rows if row.keys() == set(EVENT))


def _ask(
    runtime: Runtime, settings: Settings, store: Store, new: Sequence[Failure], events: Mapping[str, Event]
) -> None:
    """Asks what is new, and follows it and what is on its way."""
    endpoints = settings.endpoints()
    folder = settings.data_collected() / f"{PREFIX}{datetime.now().astimezone():%Y%m%d-%H%M%S-%f}"
    kafka = Kafka.of(settings)
    with DeadLetters(kafka) as letters, _progress(len(new) + len(events)) as progress:
        follower = Follower(EventLog(folder / "events.csv"), results(endpoints), letters)
        with Asker(kafka, folder) as asker:
            asker.note(events.values())
            for chunk in _chunks([failure.message_id for failure in new]):
                asker.ask(store.questions(chunk))
                follower.look()
                _advance(progress, follower)
        is_over = _follow(follower, progress, runtime, settings.patience_s)
    ids = [*events, *(failure.retry_id for failure in new)]
    outcomes = [outcome for chunk in _chunks(ids) for outcome in store.verdicts(chunk)]
    console.print(_table(tally(outcomes, len(new), len(events), follower.dead)))
    console.print(f"Record   {folder}", soft_wrap=True)
    if not is_over:
        reasons = "".join(f"{line}\n" for line in complaints(runtime))
        raise StackError(
            f"{reasons}No outcome for {settings.patience_s} s. Questions on their way are kept, and the same command "
            "follows them."
        )


def _follow(follower: Follower, progress: Progress, runtime: Runtime, patience_s: float) -> bool:
    """Returns when every question has its outcome, or patience has run out: whether all have."""
    moved, before, explainer = time.monotonic(), -1, Explainer(runtime, console)
    while follower.pending or not follower.has_read_all():
        # A server that is away comes back, or patience runs out.
        with suppress(PyMongoError):
            follower.look()
        _advance(progress, follower)
        ended = follower.decided + follower.dead
        if ended != before:
            moved, before = time.monotonic(), ended
        waited = time.monotonic() - moved
        if waited > patience_s:
            return False
        if waited > ASK_WHY_AFTER_S:
            explainer.look()
        time.sleep(LOOK_EVERY_S)
    return True


def tally(outcomes: Iterable[Document], asked: int, followed: int, dead: int) -> list[tuple[str, int]]:
    """What has become of what was asked again, line by line."""
    verdicts: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    for outcome in outcomes:
        verdicts[outcome["verdict"]] += 1
        if outcome["verdict"] == "error":
            errors[outcome["error"]["type"]] += 1
    recovered = verdicts.total() - verdicts["error"]
    still_open = asked + followed - verdicts.total() - dead
    return [
        ("asked again", asked),
        *([("asked before", followed)] if followed else []),
        ("recovered", recovered),
        *((f"  {verdict}", number) for verdict, number in sorted(verdicts.items()) if verdict != "error"),
        ("failed again", errors.total()),
        *((f"  {error}", number) for error, number in sorted(errors.items())),
        *([("dead letters", dead)] if dead else []),
        ("still open", still_open),
    ]


def overview(failures: Iterable[Failure], now: datetime) -> list[tuple[str, str, int, int, datetime | None]]:
    """By error and first run: how many questions, how many of them are due, and when the next of the others is."""
    groups: defaultdict[tuple[str, str], list[Failure]] = defaultdict(list)
    for failure in failures:
        groups[failure.error, failure.runs[0]].append(failure)
    rows = []
    for (error, run), group in sorted(groups.items()):
        later = [failure.retry_at for failure in group if failure.retry_at and not failure.is_due(now)]
        rows.append((error, run, len(group), len(group) - len(later), min(later, default=None)))
    return rows


def _show(failures: Sequence[Failure], textless: set[str], wanted: set[str], run: str | None) -> None:
    """What errors there are, where none of them is asked again."""
    of_run = f" of RUN={run}" if run else ""
    if not failures:
        console.print(f"Nothing to ask again: no question{of_run} is left with an error.")
        return
    if wanted:
        console.print(f"Nothing to ask again: no question{of_run} is left with {' or '.join(sorted(wanted))}.")
    numbers = (Column(name, justify="right") for name in ("questions", "due"))
    table = Table("error", "first run", *numbers, "next due", box=None, header_style="bold")
    for error, first_run, number, due, later in overview(failures, datetime.now(UTC)):
        table.add_row(error, first_run, f"{number:,}", f"{due:,}", _time(later) if later else "")
    console.print(table)
    if lost := sum(failure.message_id in textless for failure in failures):
        console.print(f"{lost:,} of them cannot be asked again: {NO_TEXTS}")
    errors = ",".join(sorted({failure.error for failure in failures}))
    console.print(f"To ask those again whose cause is mended: make reask ERRORS={errors}", soft_wrap=True)


def _announce(lost: int, followed: int, new: Sequence[Failure]) -> None:
    """What is about to happen, where that is not plain from what was asked for."""
    now = datetime.now(UTC)
    later = [failure.retry_at for failure in new if failure.retry_at and not failure.is_due(now)]
    if lost:
        console.print(f"{lost:,} cannot be asked again: {NO_TEXTS}")
    if followed:
        console.print(f"{followed:,} are on their way already, and are followed.")
    if later:
        # Who names an error says that its cause is mended.
        console.print(f"{len(later):,} are not due before {_time(min(later))}; named, they are asked all the same.")


def _progress(total: int) -> Progress:
    columns = (SpinnerColumn(), BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    progress = Progress(*columns, console=console, disable=not console.is_terminal)
    progress.add_task("asked 0", total=total)
    return progress


def _advance(progress: Progress, follower: Follower) -> None:
    text = f"asked {follower.asked:,} · decided {follower.decided:,} · dead letters {follower.dead:,}"
    [task] = progress.task_ids
    progress.update(task, description=text, completed=follower.decided + follower.dead)


def _table(rows: Iterable[tuple[str, int]]) -> Table:
    table = Table("", Column("", justify="right"), box=None, show_header=False)
    for name, number in rows:
        table.add_row(name, f"{number:,}")
    return table


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK))


def _time(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


def _store(settings: Settings) -> Store:
    endpoints = settings.endpoints()
    return Store(endpoints["MONGODB_URI"], endpoints["MONGODB_DATABASE"])
