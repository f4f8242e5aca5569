"""The commands: `python -m stack --help`."""

import argparse
import os
import sys
import time
from collections.abc import Callable

from confluent_kafka import KafkaException
from pymongo.errors import PyMongoError
from rich.console import Console
from rich.table import Table

from stack import backlog, backup, budget, dead_letters, disk, estimate, forget, judging, reask, report, runs
from stack.bring_up import submit_again
from stack.model import complaints
from stack.outcomes import Summary
from stack.runtime import NOTHING_RUNS, Part, Runtime, as_started, choose_runtime, in_order, need_running, run_once
from stack.runtimes import runtime_of
from stack.settings import ELSEWHERE, Settings, StackError
from stack.steps import Steps
from stack.traffic import send

console = Console(highlight=False)


def up(runtime: Runtime, settings: Settings, _: argparse.Namespace) -> None:
    """Start the stack, or what is missing of it, and send the default traffic."""
    outdated = runtime.is_outdated()
    if outdated:
        console.print("Cotejo runs already, from another build: replacing it.")
    else:
        console.print("Cotejo runs already." if runtime.is_up() else f"Starting Cotejo ({choose_runtime(settings)}) …")
    with Steps() as steps:
        if outdated:
            runtime.make_way(steps)
        runtime.start(steps)
    _send(runtime, settings)
    _show_addresses(settings)


def traffic(runtime: Runtime, settings: Settings, _: argparse.Namespace) -> None:
    """Send questions to the running stack, as the TRAFFIC_… variables say."""
    need_running(runtime)
    _send(runtime, settings)


def down(runtime: Runtime, _: Settings, __: argparse.Namespace) -> None:
    """Stop the stack; its data stays."""
    with Steps() as steps:
        steps.begin("stopping")
        steps.tick()
        runtime.stop()
        steps.done("stopping")


def clean(runtime: Runtime, settings: Settings, _: argparse.Namespace) -> None:
    """Stop the stack and delete its data and logs."""
    runtime.clean()
    console.print("Stopped; data and logs are deleted.")
    for part, variable in ELSEWHERE.items():
        if not settings.runs(part):
            console.print(f"What is in the {part} of {variable} stays.")


def status(runtime: Runtime, settings: Settings, _: argparse.Namespace) -> None:
    """Show every part."""
    if not runtime.is_up():
        raise StackError(NOTHING_RUNS)
    table = Table("part", "state", "pid", "since", "port", box=None, header_style="bold")
    for part in in_order(runtime.parts()):
        since = _age(time.time() - part.started) if part.running else ""
        table.add_row(part.name, _state(runtime, part), str(part.pid or ""), since, str(part.port or ""))
    console.print(table)
    _show_complaints(runtime)
    backlog.show(settings, console)
    _show_addresses(settings)
    console.print("Logs     make logs, or make logs SERVICE=part")
    for line in disk.lines(settings):
        console.print(f"Disk     {line}", soft_wrap=True, markup=False)


def logs(runtime: Runtime, _: Settings, arguments: argparse.Namespace) -> None:
    """Show the log of one part, or the end of all."""
    runtime.show_logs(arguments.part, arguments.follow)


def import_questions(runtime: Runtime, _: Settings, arguments: argparse.Namespace) -> None:
    """Import questions from a file, and fit the scorer on them."""
    need_running(runtime)
    run_once(runtime, "questions-import", environment={"QUESTIONS_FILE": arguments.file})
    with Steps() as steps:
        submit_again(runtime, steps)


def metrics_rebuild(runtime: Runtime, _: Settings, __: argparse.Namespace) -> None:
    """Compute the metrics from the stored results."""
    need_running(runtime)
    run_once(runtime, "storage-service", "rebuild-metrics")


COMMANDS: dict[str, Callable[[Runtime, Settings, argparse.Namespace], None]] = {
    "up": up,
    "traffic": traffic,
    "down": down,
    "clean": clean,
    "status": status,
    "logs": logs,
    "import": import_questions,
    "metrics-rebuild": metrics_rebuild,
    "runs": runs.runs,
    "report": report.report,
    "explain": judging.explain,
    "label": judging.label,
    "calibrate": judging.calibrate,
    "apply-calibration": judging.apply_calibration,
    "budget": budget.budget,
    "budget-reset": budget.budget_reset,
    "estimate": estimate.estimate,
    "reask": reask.reask,
    "dead-letters": dead_letters.dead_letters,
    "backup": backup.backup,
    "restore": backup.restore,
    "forget": forget.forget,
}


def main() -> None:
    """Runs one command; what goes wrong is told in words, and the exit code is not 0."""
    parser = argparse.ArgumentParser(prog="stack", description="Starts, shows and stops Cotejo.")
    commands = parser.add_subparsers(dest="command", required=True)
    parsers = {name: commands.add_parser(name, help=run.__doc__) for name, run in COMMANDS.items()}
    parsers["logs"].add_argument("part", nargs="?")
    parsers["logs"].add_argument("--follow", action="store_true")
    parsers["import"].add_argument("file")
    for told in (judging, budget, estimate, reask, dead_letters, backup, forget, report):
        for name, allowed in told.OPTIONS.items():
            parsers[name].add_argument("options", nargs="*", metavar="NAME=value", help=", ".join(allowed))
    arguments = parser.parse_args()
    try:
        settings = Settings.from_environment(os.environ)
        name = choose_runtime(settings)
        settings = as_started(runtime_of(name, settings))
        COMMANDS[arguments.command](runtime_of(name, settings), settings, arguments)
    except (StackError, PyMongoError, KafkaException) as error:
        sys.exit(f"\n{error}")
    except KeyboardInterrupt:
        sys.exit(130)


def _send(runtime: Runtime, settings: Settings) -> None:
    summary: Summary = send(runtime, settings, {}, console)
    table = Table(box=None, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for row in summary.rows():
        table.add_row(*row)
    console.print(table)
    _show_complaints(runtime)
    backlog.show(settings, console, only_dangers=True)
    console.print(f"Record   {summary.folder}")


def _state(runtime: Runtime, part: Part) -> str:
    if part.exit_code is not None:
        return f"{part.state} ({part.exit_code})"
    return f"{part.state}, not ready" if part.running and not runtime.is_ready(part) else part.state


def _show_complaints(runtime: Runtime) -> None:
    for line in complaints(runtime):
        console.print(f"Model    {line}", soft_wrap=True, markup=False)


def _show_addresses(settings: Settings) -> None:
    console.print(f"Look     {settings.url('EXPLORER_PORT')}\nFlink    {settings.url('FLINK_PORT')}")


def _age(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min {rest} s"


if __name__ == "__main__":
    main()
