"""The commands about the judge: why a score is what it is, what people say of it, and what follows."""

import argparse
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from calibration.cases import Chosen, Document
from calibration.sitting import sit
from calibration.store import Store
from flink_job.config import Config, InvalidSettingError
from stack.bring_up import submit_again
from stack.explanation import show
from stack.options import bounded, options
from stack.runtime import NOTHING_RUNS, Runtime, need_running
from stack.settings import SettingError, Settings, StackError
from stack.steps import Steps

OPTIONS = {
    "explain": ("ANSWER", "REFERENCE", "QUESTION_TEXT", "QUESTION"),
    "label": ("FROM", "COUNT", "SEED", "RUN"),
    "calibrate": ("LABELS", "TARGET_PRECISION"),
    "apply-calibration": ("RESET",),
}
"""What each of the commands can be told, as NAME=value."""

console = Console(highlight=False)


def explain(runtime: Runtime, settings: Settings, arguments: argparse.Namespace) -> None:
    """Show why an answer has its score."""
    given = options(arguments, OPTIONS[arguments.command])
    if "QUESTION" in given:
        if len(given) > 1:
            raise SettingError("QUESTION=… stands alone: its question, reference and answer are stored")
        told = runtime.tool("flink_job.explain", [f"--message-id={given['QUESTION']}"])
    elif given.keys() >= {"ANSWER", "REFERENCE"}:
        question, references = given.get("QUESTION_TEXT", ""), [given["REFERENCE"]]
        texts = {"question": question, "references": references, "answer": given["ANSWER"]}
        # Not as arguments, which may not be that long.
        told = runtime.tool("flink_job.explain", given=json.dumps(texts).encode())
    else:
        raise SettingError("Explain which answer? make explain ANSWER=… REFERENCE=…, or QUESTION=message_id")
    show(json.loads(told), _threshold(settings), console)


def label(runtime: Runtime, settings: Settings, arguments: argparse.Namespace) -> None:
    """Say of one answer after the other whether a person would accept it."""
    given = options(arguments, OPTIONS[arguments.command])
    chosen = _choice(given.get("FROM", "random"))
    count = bounded("COUNT", given.get("COUNT", "100"), int, 1, 100_000)
    seed = bounded("SEED", given.get("SEED", "1"), int, 0, 2**63)
    if not runtime.is_up():
        raise StackError(NOTHING_RUNS)
    with _store(settings) as store:
        cases = store.draw(chosen, count, seed, given.get("RUN"), _counted)
        if not cases:
            console.print(_why_none(store, chosen, given.get("RUN")))
            return
        if len(cases) < count:
            console.print(f"There are {len(cases):,} such answers without a label; {count:,} were asked for.")
        sit(cases, chosen, seed, store, console)


def calibrate(runtime: Runtime, settings: Settings, arguments: argparse.Namespace) -> None:
    """Work out from labels how far the score is right, and from where on enough answers are."""
    given = options(arguments, OPTIONS[arguments.command])
    target = bounded("TARGET_PRECISION", given.get("TARGET_PRECISION", "0.9"), float, 0.01, 0.999)
    file = _read(Path(given["LABELS"])) if "LABELS" in given else None
    if file is not None and not runtime.is_up():
        raise StackError(f"A file of labels needs the stack too, whose scorer scores its answers. {NOTHING_RUNS}")
    need_running(runtime)
    tool = [f"--target={target}", *(["--csv"] if file is not None else [])]
    told = json.loads(runtime.tool("calibration", tool, file or b""))
    folder = settings.data_collected() / "calibration" / f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"
    folder.mkdir(parents=True)
    for name, text in told["files"].items():
        (folder / name).write_text(text, "utf-8")
    for number, (title, sentences) in enumerate(told["blocks"]):
        console.print(f"[bold]{title}[/bold]", *sentences, "", sep="\n")
        if number == 0:
            _print_rows(told["summary"])
            console.print()
    if told["commands"]:
        console.print("[bold]What to do, in this order[/bold]")
        for number, command in enumerate(told["commands"], 1):
            console.print(f"{number}. {command}", soft_wrap=True)
    console.print(f"Report   {folder / 'report.html'}", soft_wrap=True)


def apply_calibration(runtime: Runtime, settings: Settings, arguments: argparse.Namespace) -> None:
    """Let the job score by the newest calibration, or with RESET=1 by the shipped model."""
    resets = options(arguments, OPTIONS[arguments.command]).get("RESET", "0") not in ("", "0")
    need_running(runtime)
    with _store(settings) as store:
        calibration = None if resets else store.newest_calibration()
        if calibration is None and not resets:
            raise StackError("There is no calibration; `make calibrate` makes one.")
        before = _scorer(store)
        store.apply(calibration["_id"]) if calibration else store.reset()
        # Always: the last time it may have failed. Where the job runs so already, it changes nothing.
        with Steps() as steps:
            submit_again(runtime, steps)
        after = _scorer(store)
    if before == after:
        console.print(f"Nothing changes: the job scores by {after['hash']} already.")
    else:
        if before:
            _print_rows([(name, _change(before["model"], after["model"], name)) for name in ("slope", "intercept")])
        console.print(f"Later verdicts name the scorer {after['hash']}.")
    if calibration:
        _print_effect(settings, calibration)


def _scorer(store: Store) -> Mapping[str, Any]:
    """What the job was last submitted with; nothing before the first time."""
    scorer: Mapping[str, Any] = json.loads(store.scorer() or "{}")
    return scorer


def _counted(outcomes: Iterable[Document]) -> Iterator[Document]:
    """The same, with a line on a terminal that says how far it is."""
    with console.status("Reading answers …") as status:
        for number, outcome in enumerate(outcomes, 1):
            if number % 1000 == 0:
                status.update(f"Reading answers: {number:,} …")
            yield outcome


def _why_none(store: Store, chosen: Chosen, run: str | None) -> str:
    """Why there is no answer to ask about; raises StackError where that is a mistake."""
    if run and not store.has_run(run):
        raise StackError(f"RUN={run} is unknown: no stored answer is of that run")
    if store.has_answers(chosen, run):
        return "Every such answer has a label already."
    kind = "of which the judge is unsure" if chosen == "unsure" else "with a score"
    return f"There is no answer {kind}{f' in RUN={run}' if run else ''}, with a label or without."


def _print_effect(settings: Settings, calibration: Mapping[str, Any]) -> None:
    """What a calibration that is applied does at a threshold, and which one its labels speak for."""
    if calibration.get("effect"):
        console.print(f"When it was made: {calibration['effect']}")
    today, recommended = _threshold(settings), calibration.get("threshold")
    if recommended is not None and recommended != today:
        command = f"make down && SCORE_THRESHOLD={recommended:g} make up"
        console.print(f"For this score the threshold, {today:g} today, should change: {command}", soft_wrap=True)


def _change(before: Mapping[str, Any], after: Mapping[str, Any], name: str) -> str:
    """Of the last step, with short and with long references."""
    old, new = (model["calibration"][name] for model in (before, after))
    ends = zip(("short", "long"), old, new, strict=True)
    return ", ".join(f"{one:.3f} → {other:.3f} ({end} references)" for end, one, other in ends)


def _print_rows(rows: list[tuple[str, str]]) -> None:
    table = Table(box=None, show_header=False)
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _choice(value: str) -> Chosen:
    if value == "random":
        return "random"
    if value == "unsure":
        return "unsure"
    raise SettingError(f"FROM={value} is unknown; allowed are random and unsure")


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise StackError(f"LABELS={file} cannot be read: {error.strerror}") from error


def _threshold(settings: Settings) -> float:
    try:
        return Config.from_environment(settings.environment).score_threshold
    except InvalidSettingError as error:
        raise SettingError(str(error)) from error


def _store(settings: Settings) -> Store:
    endpoints: Mapping[str, Any] = settings.endpoints()
    return Store(endpoints["MONGODB_URI"], endpoints["MONGODB_DATABASE"])
