"""How things are measured: a warm stack, and from outside what it decides, stores and consumes."""

import json
import time
from collections.abc import Callable, Iterable
from itertools import count
from pathlib import Path

from pymongo.collection import Collection
from rich.progress import Progress, track

from benchmarks import dataset
from benchmarks.figures import Figures
from benchmarks.machine import Watch
from benchmarks.usage import Usage, usage
from stack.api import Stack
from stack.outcomes import Document, EventLog, percentile
from stack.outcomes import results as results_of

AT_ONCE = {"TRAFFIC_RATE": "1000000", "TRAFFIC_DISTRIBUTION": "constant", "TRAFFIC_POPULARITY": "each"}
LOOK_EVERY_S = 0.1
PATIENCE_S = 900
WARM_UP = 2_000
SLICE = 20_000
FILL_TOGETHER = 2_000
CHUNK = 1_000


class Bench:
    """A stack that has been warmed up, and questions for it."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.results: Collection[Document] = results_of(stack.endpoints)
        self._seeds = count(1)
        # The first questions pay for compilers and caches that later ones find warm.
        self.burst(self.unmet(WARM_UP), WARM_UP)

    def unmet(self, number: int) -> Path:
        """A file of questions that the stack has not met."""
        seed = next(self._seeds)
        return dataset.write(self.stack.run_dir / f"questions-{seed}.jsonl", number, seed)

    def answered(self, number: int) -> Path:
        """A file of questions that have an accepted answer; `number` are asked for it the first time."""
        file = self.stack.run_dir / "answered.jsonl"
        if not file.exists():
            asked = self.unmet(number)
            self.burst(asked, number)
            accepted = set(self.results.distinct("title", {"accepted": True}))
            lines = [line for line in asked.read_text().splitlines() if json.loads(line)["title"] in accepted]
            file.write_text("\n".join(lines) + "\n")
        return file

    def burst(self, file: Path, total: int, **traffic: str) -> Figures:
        """Questions come faster than they can be decided."""
        return self._measure(total, [{**AT_ONCE, "TRAFFIC_SOURCE": str(file), "TRAFFIC_TOTAL": str(total), **traffic}])

    def steady(self, rate: int, seconds: int) -> Figures:
        """Questions come one by one, as in everyday use."""
        total = rate * seconds
        source = {"TRAFFIC_SOURCE": str(self.unmet(total)), "TRAFFIC_TOTAL": str(total)}
        return self._measure(total, [{**source, "TRAFFIC_RATE": str(rate), "TRAFFIC_POPULARITY": "each"}])

    def sustained(self, seconds: int) -> Figures:
        """For so long there is always a backlog."""
        end = time.monotonic() + seconds

        def slices() -> Iterable[dict[str, str]]:
            while time.monotonic() < end:
                file = self.unmet(SLICE)
                yield {**AT_ONCE, "TRAFFIC_SOURCE": str(file), "TRAFFIC_TOTAL": str(SLICE)}
                file.unlink()

        return self._measure(None, slices())

    def fill(self, number: int) -> None:
        """Stores accepted answers to questions that nobody asks, until there are so many results."""
        template = dict(self.results.find_one({"source": "llm", "accepted": True}) or {})
        batches = range(self.stored(), number, FILL_TOGETHER)
        for start in track(batches, f"storing {number:,} results", transient=True, update_period=1):
            ids = (f"filled-{n}" for n in range(start, min(start + FILL_TOGETHER, number)))
            self.results.insert_many([template | {"_id": n, "question_id": n} for n in ids], ordered=False)

    def stored(self) -> int:
        """How many results there are."""
        return self.results.estimated_document_count()

    def _measure(self, total: int | None, traffic: Iterable[dict[str, str]]) -> Figures:
        stored_before, before, watch = self.stored(), usage(self.stack), Watch()
        started = time.monotonic()
        sent, last_run = self._decide(total, traffic)
        seconds, after, machine = time.monotonic() - started, usage(self.stack), watch.look()
        cpu = {part: now.cpu_s - before.get(part, Usage()).cpu_s for part, now in after.items()}
        calls, decided, stored = self._outcomes(last_run)
        return Figures(
            questions=sent,
            seconds=round(seconds, 3),
            calls_a_question=round(calls / len(decided), 2),
            stored_before=stored_before,
            samples=len(decided),
            decided_ms=_percentiles(decided),
            stored_ms=_percentiles(stored),
            cpu_ms_a_question={part: round(seconds * 1000 / sent, 3) for part, seconds in cpu.items()},
            memory_mib={part: round(now.memory_mib, 1) for part, now in after.items()},
            machine=machine,
        )

    def _decide(self, total: int | None, traffic: Iterable[dict[str, str]]) -> tuple[int, str]:
        """Sends run after run, each once little is left of the one before; gives all questions and the last run."""
        decided_before, sent, run = self._decided(), 0, ""
        # Drawn seldom: the cores are to be measured, not the bar.
        with Progress(transient=True, refresh_per_second=1) as progress:
            bar = progress.add_task("deciding", total=total)

            def show(decided: int) -> None:
                progress.update(bar, completed=decided - decided_before)

            for settings in traffic:
                run = f"bench-{time.time_ns()}"
                self._send(run, settings)
                sent += int(settings["TRAFFIC_TOTAL"])
                self._wait_for(decided_before + sent - SLICE // 2, show)
            self._wait_for(decided_before + sent, show)
        return sent, run

    def _wait_for(self, number: int, show: Callable[[int], None]) -> None:
        """Returns when so many questions are decided since the stack began."""
        patience = time.monotonic() + PATIENCE_S
        while (decided := self._decided()) < number:
            if time.monotonic() > patience:
                raise RuntimeError(f"{number - decided} questions are not decided after {PATIENCE_S} s")
            show(decided)
            time.sleep(LOOK_EVERY_S)

    def _send(self, run: str, settings: dict[str, str]) -> None:
        environment = {"TRAFFIC_RUN": run, "TRAFFIC_SEED": "1", **settings}
        generator = self.stack.runtime.popen("traffic-generator", environment=environment, quiet=True)
        if generator.wait(PATIENCE_S) != 0:
            raise RuntimeError(f"traffic-generator failed: {self.stack.settings.log('traffic-generator')}")

    def _outcomes(self, run: str) -> tuple[int, list[int], list[int]]:
        """The model's calls for a run, and its times from asking to deciding and to storing."""
        calls = 0
        decided: list[int] = []
        stored: list[int] = []
        events = EventLog(self.stack.settings.data_collected() / run / "events.csv")
        fields = ("source", "attempts", "asked_at", "decided_at", "stored_at")
        while ids := [row["message_id"] for row in events.new_rows(CHUNK)]:
            for outcome in self.results.find({"_id": {"$in": ids}}, fields):
                calls += outcome["attempts"] if outcome["source"] != "cache" else 0
                for times, name in ((decided, "decided_at"), (stored, "stored_at")):
                    times.append(round((outcome[name] - outcome["asked_at"]).total_seconds() * 1000))
        return calls, decided, stored

    def _decided(self) -> int:
        """Outcomes so far, by the metrics document: one small read however many there are."""
        document = self.results.database["metrics"].find_one({"_id": "global"}, {"decided": 1})
        return document["decided"] if document else 0


def _percentiles(milliseconds: list[int]) -> dict[str, float]:
    return {f"p{share}": percentile(milliseconds, share) for share in (50, 95, 99)}
