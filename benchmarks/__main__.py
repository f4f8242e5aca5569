"""Runs every scenario, prints a table, and writes the figures as JSON: `make bench`."""

import json
import os
import platform
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import dataset
from benchmarks.scenarios import QUESTIONS, Figures, accepted_questions, burst, fill, questions, steady
from stack.api import Stack

console = Console(highlight=False)


def main() -> None:
    """Measures two stacks of its own: one with the usual model, one whose model always fails."""
    folder = Path("benchmarks/results")
    folder.mkdir(exist_ok=True)
    corpus = dataset.write(folder / "corpus.jsonl", QUESTIONS, seed=0).resolve()
    figures = _usual(corpus) | _failing(corpus)
    corpus.unlink()
    _show(figures)
    file = folder / time.strftime("%Y%m%d-%H%M%S.json")
    machine = {"cores": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
    file.write_text(json.dumps({"machine": machine} | {name: f.as_json() for name, f in figures.items()}, indent=2))
    console.print(f"Written to {file}")


def _usual(corpus: Path) -> dict[str, Figures]:
    figures: dict[str, Figures] = {}
    with Stack(env={"QUESTIONS_FILE": str(corpus), "OFFLINE_TRAPS": "0"}) as stack:
        _warm_up(stack)
        first = questions(stack, seed=1)
        figures["distinct questions"] = _said("distinct questions", burst(stack, first))
        zipf = questions(stack, seed=2)
        figures["zipf repeats"] = _said("zipf repeats", burst(stack, zipf, popularity="zipf"))
        stored = accepted_questions(stack, first, stack.run_dir / "stored.jsonl")
        figures["all answers stored"] = _said("all answers stored", burst(stack, stored, total=4 * QUESTIONS))
        for rate, seed in ((10, 3), (50, 4)):
            name = f"steady, {rate}/s"
            figures[name] = _said(name, steady(stack, questions(stack, seed), rate, seconds=20))
        for stored_results, seed in ((10_000, 6), (1_000_000, 7)):
            fill(stack, stored_results)
            name = f"with {stored_results:,} results stored"
            figures[name] = _said(name, burst(stack, questions(stack, seed)))
        stack.clean()
    return figures


def _failing(corpus: Path) -> dict[str, Figures]:
    with Stack(env={"QUESTIONS_FILE": str(corpus), "OFFLINE_MIX": "0/0/100", "OFFLINE_TRAPS": "0"}) as stack:
        _warm_up(stack)
        name = "every answer fails"
        figures = _said(name, burst(stack, questions(stack, seed=5), total=QUESTIONS // 2))
        stack.clean()
    return {name: figures}


def _warm_up(stack: Stack) -> None:
    """The first questions pay for compilers and caches that later ones find warm."""
    burst(stack, questions(stack, seed=9, count=1000), total=1000)


def _said(name: str, figures: Figures) -> Figures:
    console.print(f"{name}: {figures.questions_a_second:,.0f} questions/s")
    return figures


def _show(figures: dict[str, Figures]) -> None:
    speed = _table("scenario", "questions", "questions/s", "model calls/s", "p50 ms", "p95 ms", "p99 ms")
    for name, f in figures.items():
        calls = f.model_calls / f.seconds
        latency = [f"{f.latency_ms[share]:,.0f}" for share in ("p50", "p95", "p99")]
        speed.add_row(name, f"{f.questions:,}", f"{f.questions_a_second:,.0f}", f"{calls:,.0f}", *latency)
    console.print(speed, "\nCPU milliseconds a question, and memory after the distinct ones:")
    shown = {"distinct": "distinct questions", "zipf": "zipf repeats", "stored": "all answers stored"}
    first = figures[shown["distinct"]]
    costs = _table("part", *shown, "memory MiB")
    for part, memory in first.memory_mib.items():
        cpu = [f"{figures[name].cpu_ms_a_question.get(part, 0):.2f}" for name in shown.values()]
        costs.add_row(part, *cpu, f"{memory:,.0f}")
    console.print(costs)


def _table(name: str, *numbers: str) -> Table:
    table = Table(name, box=None)
    table.columns[0].no_wrap = True
    for number in numbers:
        table.add_column(number, justify="right")
    return table


if __name__ == "__main__":
    main()
