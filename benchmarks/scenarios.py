"""What is measured, and how."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from benchmarks import dataset
from benchmarks.usage import usage
from stack.api import Stack
from stack.outcomes import percentile

QUESTIONS = 5_000
BURST = {"TRAFFIC_RATE": "1000000", "TRAFFIC_DISTRIBUTION": "constant"}
PATIENCE_S = 600


@dataclass(frozen=True)
class Figures:
    """What a scenario took."""

    questions: int
    seconds: float
    model_calls: int
    latency_ms: dict[str, float]
    cpu_ms_a_question: dict[str, float]
    memory_mib: dict[str, float]

    @property
    def questions_a_second(self) -> float:
        """Questions decided per second."""
        return self.questions / self.seconds

    def as_json(self) -> dict[str, Any]:
        """The figures, for a file."""
        return asdict(self) | {"questions_a_second": self.questions_a_second}


def burst(stack: Stack, file: Path, total: int = QUESTIONS, popularity: str = "each") -> Figures:
    """Everything is waiting in `questions_in` when cache-service starts."""
    stack.runtime.stop_part("cache-service")
    _generate(stack, file, total, TRAFFIC_POPULARITY=popularity, **BURST)
    return _measure(stack, total, lambda: stack.runtime.start_part("cache-service"))


def steady(stack: Stack, file: Path, rate: int, seconds: int) -> Figures:
    """Questions come one by one, as in everyday use."""
    total = rate * seconds
    send = {"TRAFFIC_RATE": str(rate), "TRAFFIC_POPULARITY": "each"}
    return _measure(stack, total, lambda: _generate(stack, file, total, **send))


def accepted_questions(stack: Stack, source: Path, target: Path) -> Path:
    """Those questions of a file that have an accepted answer."""
    accepted = set(_results(stack).distinct("title", {"accepted": True}))
    lines = [line for line in source.read_text().splitlines() if json.loads(line)["title"] in accepted]
    target.write_text("\n".join(lines) + "\n")
    return target


def questions(stack: Stack, seed: int, count: int = QUESTIONS) -> Path:
    """A file of questions that the stack has not met."""
    return dataset.write(stack.run_dir / f"questions-{seed}.jsonl", count, seed)


def _generate(stack: Stack, file: Path, total: int, **traffic: str) -> None:
    environment = {"TRAFFIC_SOURCE": str(file), "TRAFFIC_TOTAL": str(total), "TRAFFIC_SEED": "1", **traffic}
    generator = stack.runtime.popen("traffic-generator", environment=environment, quiet=True)
    if generator.wait(PATIENCE_S) != 0:
        raise RuntimeError(f"traffic-generator failed: {stack.settings.log('traffic-generator')}")


def _measure(stack: Stack, total: int, start: Callable[[], None]) -> Figures:
    results = _results(stack)
    before, decided = usage(stack), results.estimated_document_count()
    started = time.time()
    start()
    while results.estimated_document_count() < decided + total:
        if time.time() - started > PATIENCE_S:
            raise RuntimeError("the questions are not decided in time")
        time.sleep(0.1)
    seconds, after = time.time() - started, usage(stack)
    fields = {"attempts": 1, "latency_ms": 1, "source": 1}
    latest = list(results.find({}, fields).sort("stored_at", -1).limit(total))
    latencies = [outcome["latency_ms"] for outcome in latest]
    cpu = {
        part: (now.cpu_s - (before[part].cpu_s if part in before else 0.0)) * 1000 / total
        for part, now in after.items()
    }
    return Figures(
        questions=total,
        seconds=seconds,
        model_calls=sum(outcome["attempts"] for outcome in latest),
        latency_ms={f"p{share}": percentile(latencies, share) for share in (50, 95, 99)},
        cpu_ms_a_question={part: round(value, 3) for part, value in cpu.items()},
        memory_mib={part: round(now.memory_mib, 1) for part, now in after.items()},
    )


def _results(stack: Stack) -> Any:  # noqa: ANN401 - the driver's own type
    endpoints = stack.endpoints
    client: MongoClient[dict[str, Any]] = MongoClient(endpoints["MONGODB_URI"])
    return client[endpoints["MONGODB_DATABASE"]]["results"]
