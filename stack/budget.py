"""The commands about the budget of llm-consumer: what is spent, what is held by whom, and how to begin anew."""

import argparse
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Any

from pymongo.collection import Collection
from rich.console import Console
from rich.table import Table

from flink_job.database import ON_DISK, Database
from stack.options import options
from stack.runtime import NOTHING_RUNS, Runtime
from stack.settings import SettingError, Settings, StackError

OPTIONS = {"budget": ("RELEASE",), "budget-reset": ()}
"""What each of the commands can be told, as NAME=value."""

ID = "global"
KINDS = ("nanodollars", "tokens")
# A replica says every ten seconds that it lives.
SILENT_AFTER = timedelta(minutes=1)

Document = dict[str, Any]
Amount = Mapping[str, int]
Limits = Mapping[str, int | None]

console = Console(highlight=False)


class Store(Database):
    """The one document about the budget. Every method can fail as `pymongo` does."""

    @cached_property
    def _budget(self) -> Collection[dict[str, Any]]:
        return self._database.get_collection("budget", write_concern=ON_DISK)

    def read(self) -> Document | None:
        """The document; None while nothing was ever reserved."""
        return self._budget.find_one({"_id": ID})

    def replace(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
        """Puts `new` in the place of `old`, unless a replica changed that meanwhile."""
        unchanged = {"_id": ID, "version": old["version"], "started_at": old["started_at"]}
        changed = {**new, "version": old["version"] + 1}
        return self._budget.replace_one(unchanged, changed).matched_count == 1


def budget(runtime: Runtime, settings: Settings, arguments: argparse.Namespace) -> None:
    """Show what the model has cost and who holds how much; release what a killed replica held."""
    given = options(arguments, OPTIONS["budget"])
    limits = _limits(settings.environment)
    with _store(runtime, settings) as store:
        if "RELEASE" in given:
            _release(store, given["RELEASE"])
        _show(store.read(), limits, datetime.now(UTC))


def budget_reset(runtime: Runtime, settings: Settings, arguments: argparse.Namespace) -> None:
    """Begin a new budget at zero."""
    options(arguments, OPTIONS["budget-reset"])
    limits = _limits(settings.environment)
    with _store(runtime, settings) as store:
        old = store.read()
        _show(old, limits, datetime.now(UTC))
        while old and not store.replace(old, fresh(old, datetime.now(UTC))):
            old = store.read()
    if old:
        console.print("This is thrown away: a new budget begins at zero. Calls under way count in it.")


def fresh(document: Mapping[str, Any], now: datetime) -> Document:
    """The same budget with nothing spent and nothing held."""
    return {**document, "started_at": now, "spent": dict.fromkeys(KINDS, 0), "leases": {}}


def without(document: Mapping[str, Any], wanted: str, now: datetime) -> tuple[Document, list[Document]]:
    """The document without the leases of a replica, or without one lease, or without `all`; and those leases.

    Raises SettingError where there is none, or where its replica lives: it would spend what others may spend then.
    """
    held = {key: lease for key, lease in document["leases"].items() if any(lease["held"].values())}
    chosen = {key: lease for key, lease in held.items() if wanted in ("all", lease["replica"], key)}
    if not chosen and wanted != "all":
        names = sorted({lease["replica"] for lease in held.values()})
        raise SettingError(f"RELEASE={wanted} holds nothing; allowed are {', '.join(['all', *names])}")
    silent = {key: lease for key, lease in chosen.items() if now - lease["seen_at"] >= SILENT_AFTER}
    if not silent and chosen:
        seconds = SILENT_AFTER.total_seconds()
        raise SettingError(
            f"RELEASE={wanted} is not possible: its replica was heard from within the last {seconds:.0f} seconds. "
            "A replica that runs gives back by itself what it does not need; one that was killed can be released then."
        )
    left = {key: lease for key, lease in document["leases"].items() if key not in silent}
    return {**document, "leases": left}, list(silent.values())


def dollars(nanodollars: int) -> str:
    """An amount of money as people write it."""
    whole, rest = divmod(nanodollars, 10**9)
    digits = f"{rest:09}".rstrip("0")
    return f"${whole:,}.{digits:0<2}" if digits else f"${whole:,}"


def sums(document: Mapping[str, Any]) -> tuple[Amount, Amount]:
    """What is spent, and what is held."""
    held = {kind: sum(lease["held"][kind] for lease in document["leases"].values()) for kind in KINDS}
    return document["spent"], held


def _release(store: Store, wanted: str) -> None:
    document = store.read()
    while document:
        changed, released = without(document, wanted, datetime.now(UTC))
        if not released or store.replace(document, changed):
            for lease in released:
                console.print(f"Released: {_amount(lease['held'])}, held by {lease['replica']}")
            return
        document = store.read()


def _limits(environment: Mapping[str, str]) -> Limits:
    return {
        "nanodollars": _limit("LLM_BUDGET_USD", environment, 10**9, "5 or 0.25"),
        "tokens": _limit("LLM_BUDGET_TOKENS", environment, 1, "1000000"),
    }


def _limit(name: str, environment: Mapping[str, str], unit: int, example: str) -> int | None:
    text = environment.get(name)
    try:
        return int(Decimal(text) * unit) if text else None
    except (InvalidOperation, OverflowError, ValueError) as error:
        raise SettingError(f"{name}={text} is not a number; allowed are such as {example}") from error


def _show(document: Mapping[str, Any] | None, limits: Limits, now: datetime) -> None:
    if document is None:
        console.print("Nothing was spent yet.")
        return
    spent, held = sums(document)
    table = Table("", "dollars", "tokens", box=None, header_style="bold")
    for name, amount in (("limit", limits), ("spent", spent), ("held", held), ("left", _left(limits, spent, held))):
        table.add_row(name, *_cells(amount))
    console.print(f"Since    {_time(document['started_at'])}")
    console.print(table)
    leases = [lease for lease in document["leases"].values() if any(lease["held"].values())]
    if leases:
        console.print(_held_by(leases, now))
    if any(now - lease["seen_at"] >= SILENT_AFTER for lease in leases):
        console.print("What was not heard of for a minute can be released: make budget RELEASE=all, or its name")


def _held_by(leases: list[Document], now: datetime) -> Table:
    table = Table("held by", "dollars", "tokens", "since", "last heard of", box=None, header_style="bold")
    for lease in sorted(leases, key=lambda lease: lease["since"]):
        silence = now - lease["seen_at"]
        heard = f"{max(timedelta(), silence) // timedelta(seconds=1):,} s ago"
        table.add_row(lease["replica"], *_cells(lease["held"]), _time(lease["since"]), heard)
    return table


def _left(limits: Limits, *taken: Amount) -> Limits:
    return {
        kind: None if limit is None else max(0, limit - sum(amount[kind] for amount in taken))
        for kind, limit in limits.items()
    }


def _cells(amount: Limits) -> tuple[str, str]:
    nanodollars, tokens = (amount[kind] for kind in KINDS)
    return "none" if nanodollars is None else dollars(nanodollars), "none" if tokens is None else f"{tokens:,}"


def _amount(amount: Amount) -> str:
    return f"{dollars(amount['nanodollars'])} and {amount['tokens']:,} tokens"


def _time(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


def _store(runtime: Runtime, settings: Settings) -> Store:
    if settings.runs("mongo") and not runtime.is_up():
        raise StackError(NOTHING_RUNS)
    endpoints = settings.endpoints()
    return Store(endpoints["MONGODB_URI"], endpoints["MONGODB_DATABASE"])
