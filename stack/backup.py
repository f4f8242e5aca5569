"""The commands that keep a copy of what the stack knows, in one folder, and that give it to another stack.

A folder has `backup.json` and the collections of MongoDB as `mongodb/NAME.bson.gz`. The metrics are not in it: they are
made from the results, and from what is known of those that were removed, exactly. Nor are the topics and the job's
state (docs/adr/0013-backup.md).
"""

import argparse
import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any, cast

import bson
from bson.codec_options import CodecOptions
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.database import Database
from rich.console import Console
from rich.progress import Progress

from flink_job.database import FORMAT_IS_IN, check_format
from stack.backlog import backlogs
from stack.kafka import Kafka
from stack.options import options
from stack.runtime import SERVICES, SUBMIT, Runtime, need_running
from stack.settings import ROOT, SettingError, Settings, StackError
from stack.steps import Steps

OPTIONS = {"backup": ("BACKUP",), "restore": ("BACKUP",)}
"""What the commands can be told, as NAME=value."""

FORMAT = 1
MANIFEST, COLLECTIONS = "backup.json", "mongodb"
METRICS = "metrics"
EXPIRED = "expired"
"""What the metrics know of results that were removed: copied after the results, of which more may expire meanwhile."""
OF_PEOPLE_AND_MODELS = ("results", EXPIRED, "answers", "budget", "labels", "calibrations")
"""The collections that hold what nobody can give again: none may be overwritten."""
CHUNK = 500
RAW = CodecOptions(document_class=RawBSONDocument)

console = Console(highlight=False, markup=False)


def backup(runtime: Runtime, settings: Settings, arguments: argparse.Namespace) -> None:
    """Copy MongoDB to a folder, while everything runs: BACKUP=folder."""
    given = options(arguments, OPTIONS["backup"])
    need_running(runtime)
    folder = ROOT / (given.get("BACKUP") or f"backups/{datetime.now(UTC):%Y-%m-%dT%H-%M-%S}")
    if folder.exists() and any(folder.iterdir()):
        raise SettingError(f"BACKUP={folder} has something in it; allowed is a folder that is new or empty")
    waiting = sum(backlog.records for backlog in backlogs(Kafka.of(settings)))
    try:
        with _client(settings) as client:
            saved = save(_database(client, settings), folder)
    except OSError as error:
        raise StackError(f"The backup in {folder} broke off: {error}") from error
    console.print(f"{sum(saved.values()):,} documents are in {folder}")
    if waiting:
        console.print(f"What was under way in the topics is not: {waiting:,} records.")


def restore(runtime: Runtime, settings: Settings, arguments: argparse.Namespace) -> None:
    """Fill an empty stack, started if it does not run, with a backup: BACKUP=folder."""
    given = options(arguments, OPTIONS["restore"])
    if not given.get("BACKUP"):
        raise SettingError("BACKUP is not set; allowed is a folder that `make backup` made")
    folder = ROOT / given["BACKUP"]
    documents = check(folder)
    if FORMAT_IS_IN in documents:
        check_format(next(_documents(folder, FORMAT_IS_IN), None), f"The data of BACKUP={folder}")
    with Steps() as steps:
        if not runtime.is_up():
            runtime.start(steps)
    need_running(runtime)
    with _client(settings) as client:
        database = _database(client, settings)
        if full := [name for name in OF_PEOPLE_AND_MODELS if database[name].find_one()]:
            own = settings.runs("mongo")
            remedy = "`make down-and-delete-data` empties it" if own else "MONGODB_DATABASE may name an empty one"
            raise StackError(f"This stack has {', '.join(full)} already; {remedy}.")
        for part in runtime.parts():
            if part.service in (*SERVICES, SUBMIT):
                runtime.stop_part(part.name)
        # They are made from the results, and from what expired.
        database.drop_collection(METRICS)
        load(database, folder, documents)
    with Steps() as steps:
        runtime.start(steps)
    console.print(f"{sum(documents.values()):,} documents are restored from {folder}")


def save(database: Database[RawBSONDocument], folder: Path) -> dict[str, int]:
    """Writes every collection to a folder, and gives how many documents each has."""
    (folder / COLLECTIONS).mkdir(parents=True, exist_ok=True)
    saved = dict(_dump(database, folder))
    manifest = {"format": FORMAT, "made_at": datetime.now(UTC).isoformat(timespec="seconds"), "documents": saved}
    # Written last: a folder without it is a backup that broke off.
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
    return saved


def check(folder: Path) -> dict[str, int]:
    """Reads a backup to its end, and gives how many documents each collection has.

    Raises SettingError for a folder that is no finished backup, or is damaged, or one of another version.
    """
    try:
        manifest: Mapping[str, Any] = json.loads((folder / MANIFEST).read_text())
        if manifest.get("format") != FORMAT:
            raise SettingError(f"BACKUP={folder} has format {manifest.get('format')}; allowed is {FORMAT}")
        documents = {str(name): int(number) for name, number in manifest["documents"].items()}
        found = {name: sum(1 for _ in _documents(folder, name)) for name in documents}
    except (OSError, EOFError, ValueError, LookupError, AttributeError, TypeError, BSONError, zlib.error) as error:
        raise SettingError(f"BACKUP={folder} is no finished backup: {error}") from error
    if found != documents:
        raise SettingError(f"BACKUP={folder} is damaged: it has {found}, and should have {documents}")
    return documents


def _client(settings: Settings) -> MongoClient[RawBSONDocument]:
    uri = settings.endpoints()["MONGODB_URI"]
    return MongoClient(uri, document_class=RawBSONDocument, readPreference="primary", serverSelectionTimeoutMS=5000)


def _database(client: MongoClient[RawBSONDocument], settings: Settings) -> Database[RawBSONDocument]:
    database = client.get_database(settings.endpoints()["MONGODB_DATABASE"])
    check_format(database[FORMAT_IS_IN].find_one({"_id": FORMAT_IS_IN}))
    return database


def _dump(database: Database[RawBSONDocument], folder: Path) -> Iterator[tuple[str, int]]:
    names = [name for name in database.list_collection_names() if name != METRICS]
    names.sort(key=lambda name: (name == EXPIRED, name))
    with Progress(console=console) as progress:
        for name in names:
            collection: Collection[RawBSONDocument] = database[name]
            bar = progress.add_task(name, total=collection.estimated_document_count())
            written = 0
            with gzip.open(_file(folder, name), "wb", compresslevel=1) as file:
                for document in collection.find():
                    file.write(document.raw)
                    written += 1
                    if written % CHUNK == 0:
                        progress.update(bar, completed=written)
            progress.update(bar, total=written, completed=written)
            yield name, written


def load(database: Database[RawBSONDocument], folder: Path, documents: Mapping[str, int]) -> None:
    """Puts every collection in the place of what is there."""
    with Progress(console=console) as progress:
        for name, number in documents.items():
            bar = progress.add_task(name, total=number)
            database.drop_collection(name)
            left = _documents(folder, name)
            while chunk := list(islice(left, CHUNK)):
                database[name].insert_many(chunk, ordered=False)
                progress.advance(bar, len(chunk))


def _documents(folder: Path, name: str) -> Iterator[RawBSONDocument]:
    with gzip.open(_file(folder, name), "rb") as file:
        yield from bson.decode_file_iter(cast(IO[bytes], file), RAW)


def _file(folder: Path, name: str) -> Path:
    return folder / COLLECTIONS / f"{name}.bson.gz"
