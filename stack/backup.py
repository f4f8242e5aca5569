"""The commands that keep a copy of what the stack knows, in one folder, and that give it to another stack.

A folder has `backup.json`, the collections of MongoDB as `mongodb/NAME.bson.gz`, and the job's savepoint. The metrics
are not in it: they are made from the results, exactly. Nor is what is under way in the topics.
"""

import argparse
import gzip
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any, cast

import bson
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.database import Database
from rich.console import Console
from rich.progress import Progress

from stack.backlog import backlogs
from stack.options import options
from stack.runtime import SERVICES, SUBMIT, Runtime, need_running
from stack.settings import ROOT, SettingError, Settings, StackError
from stack.steps import Steps

OPTIONS = {"backup": ("BACKUP",), "restore": ("BACKUP",)}
"""What the commands can be told, as NAME=value."""

FORMAT = 1
MANIFEST, SAVEPOINT, COLLECTIONS = "backup.json", "savepoint.tar.gz", "mongodb"
DERIVED = "metrics"
"""The collection that follows from the others."""
CHUNK = 500
RAW = CodecOptions(document_class=RawBSONDocument)

console = Console(highlight=False, markup=False)


def backup(runtime: Runtime, settings: Settings, arguments: argparse.Namespace) -> None:
    """Copy MongoDB and the job's state to a folder, while everything runs: BACKUP=folder."""
    given = options(arguments, OPTIONS["backup"])
    need_running(runtime)
    folder = ROOT / (given.get("BACKUP") or f"backups/{datetime.now(UTC):%Y-%m-%dT%H-%M-%S}")
    if folder.exists() and any(folder.iterdir()):
        raise SettingError(f"BACKUP={folder} has something in it; allowed is a folder that is new or empty")
    (folder / COLLECTIONS).mkdir(parents=True, exist_ok=True)
    waiting = sum(backlog.records for backlog in backlogs(settings.endpoints()["KAFKA_BOOTSTRAP_SERVERS"]))
    console.print("Saving the job's state …")
    (folder / SAVEPOINT).write_bytes(runtime.tool("flink_job.savepoint", ["save"]))
    with _client(settings) as client:
        saved = dict(_dump(_database(client, settings), folder / COLLECTIONS))
    manifest = {"format": FORMAT, "made_at": datetime.now(UTC).isoformat(timespec="seconds"), "documents": saved}
    # Written last: a folder without it is a backup that broke off.
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
    console.print(f"{sum(saved.values()):,} documents and the job's state are in {folder}")
    if waiting:
        console.print(
            f"{waiting:,} records are still under way in the topics and not in it; later results are not, either."
        )


def restore(runtime: Runtime, settings: Settings, arguments: argparse.Namespace) -> None:
    """Fill an empty stack, started if it does not run, with a backup: BACKUP=folder."""
    given = options(arguments, OPTIONS["restore"])
    if not given.get("BACKUP"):
        raise SettingError("BACKUP is not set; allowed is a folder that `make backup` made")
    folder = ROOT / given["BACKUP"]
    documents = _manifest(folder)["documents"]
    with Steps() as steps:
        if not runtime.is_up():
            runtime.start(steps)
    need_running(runtime)
    with _client(settings) as client:
        database = _database(client, settings)
        if database["results"].find_one():
            raise StackError("This stack has results already; `make down-and-delete-data` empties it.")
        for part in runtime.parts():
            if part.service in (*SERVICES, SUBMIT):
                runtime.stop_part(part.name)
        runtime.tool("flink_job.savepoint", ["restore"], (folder / SAVEPOINT).read_bytes())
        database.drop_collection(DERIVED)
        _load(database, folder / COLLECTIONS, documents)
    with Steps() as steps:
        runtime.start(steps)
    console.print(f"{sum(documents.values()):,} documents and the job's state are restored from {folder}")


def _manifest(folder: Path) -> Mapping[str, Any]:
    """What a backup says of itself.

    Raises SettingError for a folder that has none, or one of a later version.
    """
    try:
        manifest: Mapping[str, Any] = json.loads((folder / MANIFEST).read_text())
    except (OSError, ValueError) as error:
        raise SettingError(f"BACKUP={folder} is no finished backup: {error}") from error
    if manifest.get("format") != FORMAT:
        raise SettingError(f"BACKUP={folder} has format {manifest.get('format')}; allowed is {FORMAT}")
    return manifest


def _client(settings: Settings) -> MongoClient[RawBSONDocument]:
    uri = settings.endpoints()["MONGODB_URI"]
    return MongoClient(uri, document_class=RawBSONDocument, readPreference="primary", serverSelectionTimeoutMS=5000)


def _database(client: MongoClient[RawBSONDocument], settings: Settings) -> Database[RawBSONDocument]:
    return client.get_database(settings.endpoints()["MONGODB_DATABASE"])


def _dump(database: Database[RawBSONDocument], folder: Path) -> Iterator[tuple[str, int]]:
    """Writes every collection, and tells how many documents each has."""
    names = sorted(name for name in database.list_collection_names() if name != DERIVED)
    with Progress(console=console) as progress:
        for name in names:
            collection: Collection[RawBSONDocument] = database[name]
            bar = progress.add_task(name, total=collection.estimated_document_count())
            written = 0
            with gzip.open(folder / f"{name}.bson.gz", "wb", compresslevel=1) as file:
                for document in collection.find():
                    file.write(document.raw)
                    written += 1
                    if written % CHUNK == 0:
                        progress.update(bar, completed=written)
            progress.update(bar, total=written, completed=written)
            yield name, written


def _load(database: Database[RawBSONDocument], folder: Path, documents: Mapping[str, int]) -> None:
    """Puts every collection in the place of what is there."""
    with Progress(console=console) as progress:
        for name, number in documents.items():
            bar = progress.add_task(name, total=number)
            database.drop_collection(name)
            with gzip.open(folder / f"{name}.bson.gz", "rb") as file:
                for chunk in _chunks(bson.decode_file_iter(cast(IO[bytes], file), RAW)):
                    database[name].insert_many(chunk, ordered=False)
                    progress.advance(bar, len(chunk))
            if (loaded := database[name].estimated_document_count()) != number:
                raise StackError(f"{folder / name}.bson.gz has {loaded:,} documents; there should be {number:,}.")


def _chunks(documents: Iterable[RawBSONDocument]) -> Iterator[list[RawBSONDocument]]:
    left = iter(documents)
    while chunk := list(islice(left, CHUNK)):
        yield chunk
