"""What rounds took, and how to say it in one figure with its spread."""

import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.machine import Machine


@dataclass(frozen=True)
class Figures:
    """What one round of a scenario took.

    Latencies are in milliseconds from the time at which a question was to be asked, by percentile (`p50`, `p99`), and
    of so many `samples`; `stored_before` is how many results MongoDB held when the round began.
    """

    questions: int
    seconds: float
    calls_a_question: float
    stored_before: int
    samples: int
    decided_ms: dict[str, float]
    stored_ms: dict[str, float]
    cpu_ms_a_question: dict[str, float]
    memory_mib: dict[str, float]
    machine: Machine

    @property
    def questions_a_second(self) -> float:
        """Questions decided per second."""
        return self.questions / self.seconds

    @property
    def cpu_ms(self) -> float:
        """CPU milliseconds a question, of all parts together."""
        return sum(self.cpu_ms_a_question.values())

    @classmethod
    def read(cls, stored: dict[str, Any]) -> "Figures":
        """The figures that `asdict` wrote."""
        return cls(**stored | {"machine": Machine(**stored["machine"])})


Rounds = Sequence[Figures]
"""Every round of one scenario."""


def median(rounds: Rounds, figure: Callable[[Figures], float]) -> float:
    """The middle one of a figure over all rounds."""
    return statistics.median(map(figure, rounds))


def spread(rounds: Rounds, figure: Callable[[Figures], float], form: str = ",.0f") -> str:
    """The median, and behind it the smallest and the largest: `1,200 (1,100–1,400)`."""
    values = sorted(map(figure, rounds))
    middle = format(statistics.median(values), form)
    return middle if len(values) == 1 else f"{middle} ({format(values[0], form)}–{format(values[-1], form)})"


def save(file: Path, machine: dict[str, Any], measured: dict[str, Rounds]) -> None:
    """Writes all rounds of all scenarios as JSON."""
    scenarios = {name: [asdict(figures) for figures in rounds] for name, rounds in measured.items()}
    file.write_text(json.dumps({"machine": machine, "scenarios": scenarios}, indent=1) + "\n")


def load(file: Path) -> dict[str, Rounds]:
    """What `save` wrote, without the machine."""
    scenarios = json.loads(file.read_text())["scenarios"]
    return {name: [Figures.read(figures) for figures in rounds] for name, rounds in scenarios.items()}
