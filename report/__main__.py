"""A report of runs, as JSON: `python -m report --run name --run other`, with their journals as JSON on its input.

It reads MongoDB and writes nothing. The module runs where the job's packages are; who calls it writes the files.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Any

from pymongo.errors import PyMongoError

from flink_job.config import Config, InvalidSettingError
from report import again, cases, comparison_page, errors, finding, page, people
from report.comparison import Comparison, compare, obstacles, sentence
from report.run import Journal, Run
from report.section import Section
from report.store import Store

TELL_EVERY_S = 5.0
CANDIDATES = 50
"""Distinct answers that are looked at for ten with texts: some may have been forgotten."""


class CannotReportError(Exception):
    """There is no such run."""


def report(store: Store, names: Sequence[str], journals: Mapping[str, Any], now: datetime) -> dict[str, str]:
    """Every file of a report of runs, by its name.

    Raises
    ------
    CannotReportError
        A run has no outcome.
    """
    made_at = f"{now:%Y-%m-%d %H:%M} UTC"
    runs = [_run(store, name, journals.get(name)) for name in names]
    scorer_of = cases.scorers(store.scorer)
    told = [page.Told(run, _sections(store, run, cases.explainer(scorer_of), made_at)) for run in runs]
    compared, comparisons = _compared(store, runs, scorer_of)
    headline = " ".join(sentence(found) for found in compared) or finding.finding(runs[0])[0]
    return page.files(told, comparisons, headline, made_at)


def _run(store: Store, name: str, journal: Mapping[str, Any] | None) -> Run:
    outcomes, removed = store.outcomes(name, Progress(f"reading {name}")), store.removed(name)
    if not len(outcomes):
        gone = f" left: RESULTS_RETENTION has had {removed:,} removed" if removed else ""
        raise CannotReportError(f"RUN={name} has no outcome{gone}")
    return Run(
        name,
        outcomes,
        Journal.of(journal) if journal else None,
        store.model_settings(outcomes.settings.said()),
        store.scorers(outcomes.scorer.said()),
        removed,
    )


def _compared(store: Store, runs: Sequence[Run], scorer_of: cases.ScorerOf) -> tuple[list[Comparison], list[Section]]:
    """Each run against the first: judged alike, if they were not."""

    def answers(name: str) -> Iterator[Mapping[str, Any]]:
        return store.answers(name, Progress(f"scoring {name} again"))

    judged, note = again.alike(runs, scorer_of, answers)
    notes = [[*obstacles(runs[0], other), note] if note else [] for other in runs[1:]]
    compared = [compare(judged[0], other) for other in judged[1:]]
    return compared, [
        comparison_page.section(found, store.texts, noted, (runs[0], other))
        for found, noted, other in zip(compared, notes, runs[1:], strict=True)
    ]


def _sections(store: Store, run: Run, explain: cases.Explain, made_at: str) -> list[Section]:
    worst, best = (list(islice(_cases(store, run, best=best), cases.MOST_CASES)) for best in (False, True))
    distinct = partial(store.distinct, run.name)
    return [
        *page.figures(run),
        cases.section("The worst answers", "worst", worst, explain, ", the lowest score first"),
        cases.section("The best answers", "best", best, explain, ", the highest score first"),
        people.section(run, people.labelled(run.outcomes, store.labels(), store.question_of, distinct)),
        errors.section(run),
        finding.what_was_run(run, made_at),
    ]


def _cases(store: Store, run: Run, *, best: bool) -> Iterator[cases.Case]:
    """Cases from one end of the scores on, but for those whose texts are gone."""
    found = cases.extremes(run.outcomes, partial(store.distinct, run.name), best=best)
    for message_id, times in islice(found, CANDIDATES):
        outcome = store.texts([message_id]).get(message_id)
        if outcome and cases.has_texts(outcome):
            yield cases.Case(outcome, times)


class Progress:
    """Says how many outcomes are read: over and over on a terminal, now and then elsewhere."""

    def __init__(self, what: str) -> None:
        self._what, self._said = what, time.monotonic()
        self._live = sys.stderr.isatty()

    def __call__(self, number: int) -> None:
        """So many are read."""
        if self._live:
            print(f"\r\x1b[2K  … {self._what}: {number:,} outcomes", end="", file=sys.stderr, flush=True)
        elif time.monotonic() - self._said > TELL_EVERY_S:
            self._said = time.monotonic()
            print(f"  … {self._what}: {number:,} outcomes", file=sys.stderr, flush=True)


def main() -> int:
    """Runs the tool and gives its exit code."""
    parser = argparse.ArgumentParser(prog="report", description="Writes down what runs have come to.")
    parser.add_argument("--run", action="append", required=True, help="a run; several are compared with the first")
    given = parser.parse_args()
    try:
        config = Config.from_environment(os.environ)
        journals = json.loads(sys.stdin.read() or "{}")
        with Store(config.mongodb_uri, config.mongodb_database) as store:
            made = report(store, given.run, journals, datetime.now(UTC))
    except (CannotReportError, InvalidSettingError, PyMongoError, ValueError) as error:
        print(f"report: {error}", file=sys.stderr)
        return 1
    finally:
        if sys.stderr.isatty():
            print(file=sys.stderr)
    json.dump(made, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
