"""Tables of what was measured: for a terminal, and for the papers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rich.table import Table as RichTable

from benchmarks.figures import Figures, Rounds, median, spread

PARTS = {
    "our services": ("cache-service", "llm-consumer", "storage-service", "explorer"),
    "Flink": ("jobmanager", "taskmanager"),
    "Kafka": ("kafka", "zookeeper"),
    "MongoDB": ("mongo",),
}
"""Which parts are shown together. A second copy of a part is called by its name and `-2`."""


@dataclass(frozen=True)
class Table:
    """Headings and rows; the first column is text, the others are figures."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]

    def rich(self) -> RichTable:
        """For a terminal."""
        table = RichTable(box=None)
        for number, heading in enumerate(self.headings):
            table.add_column(heading, justify="right" if number else "left", no_wrap=number == 0, overflow="fold")
        for row in self.rows:
            table.add_row(*row)
        return table

    def markdown(self) -> str:
        """For a paper."""
        lines = [self.headings, ["---"] + ["---:"] * (len(self.headings) - 1), *self.rows]
        return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def speed(measured: Mapping[str, Rounds]) -> Table:
    """How fast and how soon, and how the machine was meanwhile; medians, with the smallest and the largest."""
    headings = ("scenario", "questions/s", "decided p50/p99", "stored p50/p99", "results before", "hash, steal")
    return Table(headings, [_speed(name, rounds) for name, rounds in measured.items() if name != "floor"])


def _speed(name: str, rounds: Rounds) -> list[str]:
    steal = max(figures.machine.steal_percent for figures in rounds)
    return [
        name,
        spread(rounds, lambda f: f.questions_a_second),
        _latency(rounds, lambda f: f.decided_ms),
        _latency(rounds, lambda f: f.stored_ms),
        f"{rounds[0].stored_before:,}",
        f"{median(rounds, lambda f: f.machine.reference_ms):.0f} ms, {steal:.0f} %",
    ]


def _latency(rounds: Rounds, figure: Callable[[Figures], dict[str, float]]) -> str:
    p50, p99 = (median(rounds, lambda f, share=share: figure(f)[share]) for share in ("p50", "p99"))  # type: ignore[misc]
    return f"{p50:,.0f} / {p99:,.0f} ms"


def cost(measured: Mapping[str, Rounds]) -> Table:
    """CPU milliseconds a question, and memory at the end, by part."""
    headings = ("CPU ms a question", *PARTS, "together", "memory MiB")
    return Table(headings, [_cost(name, rounds) for name, rounds in measured.items()])


def _cost(name: str, rounds: Rounds) -> list[str]:
    memory = median(rounds, lambda f: sum(f.memory_mib.values()))
    parts = [f"{median(rounds, lambda f, parts=parts: cpu_of(f, parts)):.2f}" for parts in PARTS.values()]  # type: ignore[misc]
    return [name, *parts, spread(rounds, lambda f: f.cpu_ms, ".2f"), f"{memory:,.0f}"]


def cpu_of(figures: Figures, parts: Sequence[str]) -> float:
    """CPU milliseconds a question, of these parts and their copies."""
    return sum(cpu for part, cpu in figures.cpu_ms_a_question.items() if part.startswith(tuple(parts)))
