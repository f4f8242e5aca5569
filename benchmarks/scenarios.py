"""What is measured, and how."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pymongo.collection import Collection
from rich.progress import Progress, track

from benchmarks import dataset
from benchmarks.usage import Usage, usage
from stack.api import Stack
from stack.outcomes import Document, percentile, summarise
from stack.outcomes import results as results_of

QUESTIONS = 5_000
BURST = {"TRAFFIC_RATE": "1000000", "TRAFFIC_DISTRIBUTION": "constant"}
PATIENCE_S = 600
FILL_TOGETHER = 2_000


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
    """Every question is waiting in `questions_in` when cache-service starts."""
    run = f"burst-{time.time_ns()}"
    stack.runtime.stop_part("cache-service")
    _generate(stack, file, run, TRAFFIC_TOTAL=str(total), TRAFFIC_POPULARITY=popularity, **BURST)
    return _measure(stack, run, total, lambda: stack.runtime.start_part("cache-service"))


def steady(stack: Stack, file: Path, rate: int, seconds: int) -> Figures:
    """Questions come one by one, as in everyday use."""
    run, total = f"steady-{time.time_ns()}", rate * seconds
    send = {"TRAFFIC_RATE": str(rate), "TRAFFIC_POPULARITY": "each", "TRAFFIC_TOTAL": str(total)}
    return _measure(stack, run, total, lambda: _generate(stack, file, run, **send))


def accepted_questions(stack: Stack, source: Path, target: Path) -> Path:
    """Those questions of a file that have an accepted answer."""
    accepted = set(_results(stack).distinct("title", {"accepted": True}))
    lines = [line for line in source.read_text().splitlines() if json.loads(line)["title"] in accepted]
    target.write_text("\n".join(lines) + "\n")
    return target


def questions(stack: Stack, seed: int, count: int = QUESTIONS) -> Path:
    """A file of questions that the stack has not met."""
    return dataset.write(stack.run_dir / f"questions-{seed}.jsonl", count, seed)


def fill(stack: Stack, count: int) -> None:
    """Stores `count` accepted answers to questions that nobody asks."""
    results = _results(stack)
    template = dict(results.find_one({"source": "llm", "accepted": True}) or {})
    batches = range(0, count, FILL_TOGETHER)
    for start in track(batches, f"storing {count:,} results", transient=True, update_period=1):
        numbers = range(start, start + FILL_TOGETHER)
        results.insert_many(
            [template | {"_id": f"filled-{count}-{n}", "question_id": f"filled-{count}-{n}"} for n in numbers],
            ordered=False,
        )


def _generate(stack: Stack, file: Path, run: str, **traffic: str) -> None:
    environment = {"TRAFFIC_SOURCE": str(file), "TRAFFIC_RUN": run, "TRAFFIC_SEED": "1", **traffic}
    generator = stack.runtime.popen("traffic-generator", environment=environment, quiet=True)
    if generator.wait(PATIENCE_S) != 0:
        raise RuntimeError(f"traffic-generator failed: {stack.settings.log('traffic-generator')}")


def _measure(stack: Stack, run: str, total: int, start: Callable[[], None]) -> Figures:
    before, decided = usage(stack), _decided(stack)
    started = time.monotonic()
    # Drawn seldom: the cores are to be measured, not the bar.
    with Progress(transient=True, refresh_per_second=1) as progress:
        bar = progress.add_task("deciding", total=total)
        start()
        while (done := _decided(stack) - decided) < total:
            if time.monotonic() - started > PATIENCE_S:
                raise RuntimeError("the questions are not decided in time")
            progress.update(bar, completed=done)
            time.sleep(0.05)
        seconds, after = time.monotonic() - started, usage(stack)
    summary = summarise(stack.settings.data_collected() / run, _results(stack), 0)
    cpu = {part: now.cpu_s - before.get(part, Usage()).cpu_s for part, now in after.items()}
    return Figures(
        questions=total,
        seconds=seconds,
        model_calls=summary.sources["llm"] + summary.regenerations,
        latency_ms={f"p{share}": percentile(summary.latencies, share) for share in (50, 95, 99)},
        cpu_ms_a_question={part: round(seconds * 1000 / total, 3) for part, seconds in cpu.items()},
        memory_mib={part: round(now.memory_mib, 1) for part, now in after.items()},
    )


def _decided(stack: Stack) -> int:
    """Outcomes so far, by the metrics document: one small read however many there are."""
    document = _results(stack).database["metrics"].find_one({"_id": "global"}, {"decided": 1})
    return document["decided"] if document else 0


def _results(stack: Stack) -> Collection[Document]:
    return results_of(stack.endpoints)
