"""What a run has come to, in a paragraph and in figures, and what was run."""

import numpy as np

from calibration.texts import visible
from pages.shares import Share, percent, share_of, whole
from report.grid import Grid, Value
from report.outcomes import NO_NAME, SPENT, Codes, Outcomes
from report.run import Run, utc
from report.section import Section
from report.statistics import count, percentile

SOURCES = (
    ("llm", "model", "the model was asked"),
    ("cache", "cache", "an earlier answer, from memory"),
    ("mongodb", "stored", "an earlier answer, from MongoDB"),
    ("coalesced", "twin", "the answer to the same question in flight"),
)
"""Where answers come from: as results name it, as the page does, and what it means."""

NOT_SETTINGS = ("DATA_COLLECTED_DIR",)


def of_all(outcomes: Outcomes, verdict: str) -> Share:
    """The share of all outcomes with a verdict."""
    return share_of(count(outcomes.verdict.is_(verdict)), len(outcomes))


def dollars(nanodollars: float) -> str:
    """An amount as people write it: to four digits, if it is small."""
    amount = nanodollars / 1e9
    return f"${amount:,.2f}" if amount >= 100 or not amount else f"${amount:,.4g}"


def milliseconds(value: float) -> str:
    """A time as people write it."""
    return f"{value / 1000:,.3g} s" if value >= 10_000 else f"{value:,.0f} ms"


def finding(run: Run) -> list[str]:
    """The paragraph, by sentences."""
    of = run.outcomes
    accepted, exhausted, errors = (of_all(of, verdict) for verdict in ("accepted", "exhausted", "error"))
    threshold = "" if run.threshold is None else f", at the threshold {run.threshold:g}"
    low, high = 100 * accepted.low, 100 * accepted.high
    sentences = [
        f"{accepted.hits:,} of {len(of):,} questions were accepted: {whole(accepted)} (95 % interval {low:.0f} to "
        f"{high:.0f}){threshold}.",
        f"Not accepted: {percent(exhausted)}. No answer, for an error: {percent(errors)}.",
    ]
    if errors.hits and errors.hits < len(of):
        answered = share_of(accepted.hits, len(of) - errors.hits)
        sentences.append(f"Of those that were answered, {percent(answered)} were accepted.")
    again = of.asked_model & (of.attempts > 1)
    if again.any():
        mended = share_of(count(again & of.accepted), count(again))
        sentences.append(f"Of the questions that the model was asked more than once, {percent(mended)} were accepted.")
    reused = share_of(count(~of.asked_model), len(of))
    if reused.hits:
        sentences.append(f"An earlier answer or that to a twin served {percent(reused)}, without a call.")
    known = of.latency_ms[~np.isnan(of.latency_ms)]
    if len(known):
        half, most = (milliseconds(percentile(known, share)) for share in (50, 99))
        sentences.append(f"Half of the verdicts fell within {half} of when the question was due, 99 % within {most}.")
    if of.spent["nanodollars"]:
        each = f", {dollars(of.spent['nanodollars'] / accepted.hits)} for each accepted answer" if accepted.hits else ""
        about = "about " if of.estimated else ""
        sentences.append(f"The model cost {about}{dollars(of.spent['nanodollars'])}{each}.")
    return sentences


def missing(run: Run) -> list[str]:
    """What has to be known to read the figures."""
    of, sentences = run.outcomes, []
    if run.removed:
        sentences.append(
            f"{run.removed:,} older outcomes of this run were removed (RESULTS_RETENTION), and are in no figure here."
        )
    if run.without_outcome is not None and run.without_outcome > 0:
        sentences.append(
            f"{run.without_outcome:,} of {run.asked:,} questions that were asked have no outcome: they are dead "
            "letters (make dead-letters counts them), or still under way, and in no figure here."
        )
    if run.without_outcome is not None and run.without_outcome < 0:
        stored = len(of) + run.removed
        sentences.append(
            f"The journal has {run.asked:,} questions, the results {stored:,}: others were asked by this name."
        )
    if len(of.scorer.said()) > 1:
        sentences.append(
            f"{len(of.scorer.said())} scorers gave these scores: {', '.join(of.scorer.said())}. Scores of two scorers "
            "are not the same measure; distributions mix them."
        )
    if of.reasked:
        sentences.append(f"{of.reasked:,} of these requests repeat an earlier one that had ended in an error.")
    if of.forgotten:
        sentences.append(f"The texts of {of.forgotten:,} outcomes were forgotten; they are counted, and not shown.")
    return sentences


def summary(run: Run) -> Grid:
    """The counts: those of the run's metrics document."""
    of = run.outcomes
    scores = of.score[~np.isnan(of.score)]
    latencies = of.latency_ms[~np.isnan(of.latency_ms)]
    rows: list[tuple[str, Value]] = [
        ("decided", len(of)),
        *((verdict, of_all(of, verdict).hits) for verdict in ("accepted", "exhausted")),
        ("errors", count(of.is_error)),
        ("unsure", count(of.unsure)),
        ("regenerations", int(np.maximum(of.attempts - 1, 0).sum())),
        *((f"source {source}", count(of.source.is_(source))) for source, _, _ in SOURCES),
        *((f"spent {name}", of.spent[name]) for name in SPENT),
        ("scored", len(scores)),
        ("score mean", float(scores.mean()) if len(scores) else None),
        *((f"score p{share}", percentile(scores, share)) for share in (10, 50, 90)),
        *((f"latency p{share} ms", percentile(latencies, share)) for share in (50, 95, 99)),
    ]
    caption = f"Counts of {len(of):,} outcomes; the score mean leaves out {len(of) - len(scores):,} without a score"
    return Grid(caption, ("figure", "value"), rows, ("", ",.4g"))


def what_was_run(run: Run, made_at: str) -> Section:
    """Settings, versions, seed and hashes."""
    section = Section("What was run")
    of = run.outcomes
    rows: list[tuple[str, Value]] = [
        ("run", run.name),
        ("first question due", utc(run.start_ms)),
        ("last verdict", utc(float(np.nanmax(of.decided)))),
        ("models", _counted(of.model)),
        ("threshold", _numbers(of)),
        *_of_model(run),
        ("prompt versions", _counted(of.prompt)),
        ("scorers", ", ".join(f"{name}{_made(run, name)}" for name in of.scorer.said()) or None),
        *_of_journal(run),
        ("report made", made_at),
    ]
    section.table("what_was_run", Grid("Settings, versions and hashes", ("what", "value"), rows, fold=False))
    if run.journal is None:
        section.say(
            "The generator's own record of this run is not on this machine, or was not made by a generator: its "
            "settings and seed are not known here, nor when questions were sent.",
            class_="small",
        )
    return section


def _of_model(run: Run) -> list[tuple[str, Value]]:
    rows: list[tuple[str, Value]] = []
    for digest in run.outcomes.settings.said():
        known = run.model_settings.get(digest)
        told = (
            f"{digest}: mode {known['mode']}, models {', '.join(known['models'])}" if known else f"{digest}: not kept"
        )
        rows.append(("model settings", told))
    return rows


def _of_journal(run: Run) -> list[tuple[str, Value]]:
    if run.journal is None:
        return []
    record = run.journal.record
    dataset, versions = record.get("dataset") or {}, record.get("versions") or {}
    rows: list[tuple[str, Value]] = [
        ("seed", str(record.get("seed"))),
        ("dataset", f"{dataset.get('questions', 0):,} questions, SHA-256 of their ids {dataset.get('sha256')}"),
        ("versions", ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))),
        (
            "generator",
            f"{record.get('state')}: {record.get('asked')} asked, {record.get('late')} more than 100 ms late",
        ),
    ]
    settings = sorted(run.journal.settings.items())
    traffic = [(name, value) for name, value in settings if name.startswith("TRAFFIC_") and name not in NOT_SETTINGS]
    return [*rows, *traffic, *((name, str(value)) for name, value in sorted(run.journal.stack.items()))]


def _counted(column: Codes) -> str | None:
    named = [f"{visible(name)} ({many:,})" for name, many in column.counts().items() if name != NO_NAME]
    return ", ".join(named) or None


def _numbers(of: Outcomes) -> str | None:
    return ", ".join(f"{value:g}" for value in np.unique(of.threshold[~np.isnan(of.threshold)])) or None


def _made(run: Run, scorer: str) -> str:
    known = run.scorers.get(scorer)
    return f" (last submitted {known['made_at']:%Y-%m-%d %H:%M} UTC)" if known and known.get("made_at") else ""
