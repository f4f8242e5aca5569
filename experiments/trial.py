"""One run on a stack of its own, from its start to what is kept of it.

Each run starts a stack in a folder of its own, and ends it: it finds no answer of an earlier run, in memory, MongoDB or
a topic, and whatever one run does to the servers, the next does not feel.
"""

import csv
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cotejo_native import Scorer

from benchmarks import dataset
from benchmarks.machine import Watch
from calibration.labels import Label
from experiments.plan import Experiment
from experiments.series import Document, Job
from experiments.simulation import hits
from flink_job.config import Config
from flink_job.database import Database
from stack.api import Stack
from stack.build import digest
from stack.checks import OF_PLACES, SECRET, names
from stack.native import NativeRuntime
from stack.outcomes import TRAP, results
from stack.settings import ROOT, StackError

CORPUS = 5_000
"""Reference answers that words are counted in, where questions are made up."""

ASKED, WARMING, CORPUS_SEED = 1, 2, 0
"""Seeds of made-up questions: the same for every run, so that runs can be compared question by question."""

AT_ONCE = {
    "TRAFFIC_RATE": "1000000",
    "TRAFFIC_DISTRIBUTION": "constant",
    "TRAFFIC_POPULARITY": "each",
    # Whatever the run itself has.
    "TRAFFIC_PROFILE": "constant",
    "TRAFFIC_SPEED": "1",
    "TRAFFIC_ASKERS": "",
    "TRAFFIC_THINK_TIME": "",
}
FIELDS = ("question_id", "verdict", "source", "model", "latency_ms", "asked_at", "spent")


def jobs(experiment: Experiment) -> list[Job]:
    """Every run of an experiment: all cells by one seed, then by the next."""
    return [
        Job(
            f"{experiment.name}-{cell.name}-s{seed}",
            {
                "cell": cell.name,
                "seed": seed,
                "settings": dict(cell.settings),
                "questions": experiment.questions,
                "warm_up": experiment.warm_up,
                "labels": os.path.relpath(experiment.labels, ROOT) if experiment.labels else None,
                "contents": _contents(experiment.labels, cell.settings.get("QUESTIONS_FILE")),
            },
        )
        for seed in experiment.seeds
        for cell in experiment.cells
    ]


def _contents(*files: Path | str | None) -> list[str]:
    """Hashes of files: another content makes another run of it, under whatever name."""
    return [hashlib.sha256((ROOT / file).read_bytes()).hexdigest()[:12] for file in files if file]


def check(experiment: Experiment) -> None:
    """Raises StackError with the words of the first program that cannot use the settings of a cell."""
    with tempfile.TemporaryDirectory() as folder:
        for cell in experiment.cells:
            stack = Stack(Path(folder), env=_environment(cell.settings, experiment.seeds[0]))
            try:
                NativeRuntime(stack.settings).check_programs()
            except StackError as error:
                raise StackError(f"Cell {cell.name}: {error}") from None


class Trials:
    """Runs of an experiment; use it as a context, in which its made-up questions lie in files."""

    def __init__(self, experiment: Experiment, folder: Path, labels: Sequence[Label]) -> None:
        self._experiment, self._labels = experiment, labels
        self._collected = folder / "data_collected"
        self._files = tempfile.TemporaryDirectory()

    def __enter__(self) -> "Trials":
        return self

    def __exit__(self, *_: object) -> None:
        self._files.cleanup()

    def do(self, job: Job) -> Document:
        """Does one run. Raises StackError where it fails, and says where the logs are."""
        # What an interrupted run left there would be taken for a run of that name.
        for run in (job.run, _warm_up_of(job)):
            shutil.rmtree(self._collected / run, ignore_errors=True)
        settings, seed = job.definition["settings"], job.definition["seed"]
        places = {"DATA_COLLECTED_DIR": str(self._collected)}
        stack = Stack(env=_environment(settings, seed) | self._questions() | places)
        try:
            with stack:
                found = self._on(stack, job)
        except StackError as error:
            raise StackError(f"{job.run} failed: {error}\nIts logs: {stack.run_dir / 'logs'}") from error
        except BaseException:
            stack.clean()
            raise
        stack.clean()
        return found

    def _on(self, stack: Stack, job: Job) -> Document:
        definition = job.definition
        if definition["warm_up"]:
            warming = self._made_up(definition["warm_up"], WARMING)
            total = {"TRAFFIC_SOURCE": str(warming), "TRAFFIC_TOTAL": str(definition["warm_up"])}
            stack.send(**AT_ONCE, **total, TRAFFIC_RUN=_warm_up_of(job))
        watch = Watch()
        summary = stack.send(TRAFFIC_RUN=job.run)
        machine = watch.look()
        if summary.dead_letters:
            raise StackError(f"{summary.dead_letters} questions are dead letters")
        asked = _in_order(summary.folder / "events.csv")
        return {
            "build": digest()[:12],
            "machine": asdict(machine),
            "asked": summary.asked,
            "seconds": round(summary.seconds, 3),
            "simulated": _simulated(definition["settings"], asked),
            "agreement": self._agreement(stack),
            "outcomes": columns(results(stack.endpoints).find({"run": job.run}, dict.fromkeys(FIELDS, 1))),
        }

    def _questions(self) -> dict[str, str]:
        """What is asked, and what the frequencies of words are counted in."""
        number = self._experiment.questions
        if number is None:
            return {}
        corpus = self._made_up(CORPUS, CORPUS_SEED)
        return {"QUESTIONS_FILE": str(corpus), "TRAFFIC_SOURCE": str(self._made_up(number, ASKED))}

    def _made_up(self, number: int, seed: int) -> Path:
        file = Path(self._files.name) / f"questions-{number}-{seed}.jsonl"
        return file if file.exists() else dataset.write(file, number, seed)

    def _agreement(self, stack: Stack) -> Document | None:
        """How many labels the verdict of this stack agrees with."""
        if not self._labels:
            return None
        endpoints = stack.endpoints
        with Database(endpoints["MONGODB_URI"], endpoints["MONGODB_DATABASE"]) as database:
            scorer = Scorer(database.scorer() or "")
        threshold = Config.from_environment(stack.settings.environment).score_threshold
        scores = (scorer.score(label.question, label.references, label.answer) for label in self._labels)
        agree = [(score >= threshold) == label.accepted for score, label in zip(scores, self._labels, strict=True)]
        return {"agree": sum(agree), "labels": len(agree)}


def columns(outcomes: Iterator[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Outcomes as they are kept, in the order in which they were due."""
    rows = sorted(outcomes, key=lambda outcome: (outcome["asked_at"], outcome["_id"]))
    numbers: dict[str, int] = {}
    spent = [outcome.get("spent") or {} for outcome in rows]
    return {
        "question": [numbers.setdefault(outcome["question_id"], len(numbers)) for outcome in rows],
        "accepted": [int(outcome["verdict"] == "accepted") for outcome in rows],
        "source": [outcome.get("source") for outcome in rows],
        "trap": [int(outcome.get("model") == TRAP) for outcome in rows],
        "asked_ms": [round(1000 * (outcome["asked_at"] - rows[0]["asked_at"]).total_seconds()) for outcome in rows],
        "latency_ms": [outcome.get("latency_ms") for outcome in rows],
        **{
            name: [cost.get(name) or 0 for cost in spent]
            for name in ("calls", "input_tokens", "output_tokens", "nanodollars")
        },
    }


def _warm_up_of(job: Job) -> str:
    return f"{job.run}-warm-up"


def _environment(settings: Mapping[str, str], seed: int) -> dict[str, str]:
    """What a stack is given: secrets, which are in no file, come from here."""
    secrets = {name for name in names() - OF_PLACES if SECRET.search(name) and os.environ.get(name)}
    seeds = {"TRAFFIC_SEED": str(seed), "OFFLINE_SEED": str(seed)}
    return {name: os.environ[name] for name in secrets} | dict(settings) | seeds


def _in_order(events: Path) -> list[str]:
    """The questions of a run by when each was due."""
    with events.open() as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["scheduled"])
    return [row["question_id"] for row in rows]


def _simulated(settings: Mapping[str, str], asked: Sequence[str]) -> Document | None:
    """How many of the same questions the cache alone would serve from memory; None where no cache is compared."""
    if not {"CACHE_POLICY", "CACHE_SIZE"} <= settings.keys():
        return None
    [[_, _, questions, served]] = hits(asked, [settings["CACHE_POLICY"]], [int(settings["CACHE_SIZE"])])
    return {"questions": questions, "hits": served}
