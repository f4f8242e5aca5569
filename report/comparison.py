"""Two runs, paired by question: what differs, and whether by more than noise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from report.outcomes import Codes, Floats, Outcomes
from report.run import Run
from report.statistics import (
    FEWEST_PAIRS,
    MARGIN,
    Estimate,
    Word,
    bootstrap,
    mean_by,
    needed_pairs,
    percentile,
    sign_test,
    word,
)

SEED = 1
MAIN = "accepted"
NOTABLE = 0.05
"""A change of score that is shown where the verdict is the same."""


@dataclass(frozen=True)
class Metric:
    """One figure of both runs over the questions they share; an error counts as not accepted."""

    name: str
    first: float
    second: float
    difference: Estimate


@dataclass(frozen=True)
class Comparison:
    """The second run against the first.

    Attributes
    ----------
    questions : sequence of str
        Those that both asked, in the order of `differences`.
    differences : mapping of array
        By metric, second less first, one a question; not a number where one of them has none.
    better, worse, same : int
        On how many questions the second did better, worse or the same.
    obstacles : sequence of str
        Why the two cannot be compared; with any, there is no word for the difference.
    """

    first: Run
    second: Run
    questions: Sequence[str]
    only_first: int
    only_second: int
    differences: Mapping[str, Floats]
    metrics: Sequence[Metric]
    better: int
    worse: int
    same: int
    p_value: float
    obstacles: Sequence[str]

    @property
    def main(self) -> Metric:
        """The accepted share."""
        return next(metric for metric in self.metrics if metric.name == MAIN)

    @property
    def word(self) -> Word | None:
        """What the difference in what was accepted lets one say; None where it may not be compared."""
        return None if self.obstacles else word(self.main.difference)


def compare(first: Run, second: Run) -> Comparison:
    """Pairs two runs by question; a question that was asked several times in a run counts once, by its mean."""
    shared, one, other = pairs(first.outcomes.question, second.outcomes.question)
    means = [_by_question(run.outcomes) for run in (first, second)]
    differences = {name: means[1][name][other] - means[0][name][one] for name in means[0]}
    metrics = []
    for name, values in differences.items():
        known = ~np.isnan(values)
        sides = zip(means, (one, other), strict=True)
        before, after = (float(m[name][rows][known].mean()) if known.any() else float("nan") for m, rows in sides)
        metrics.append(Metric(name, before, after, bootstrap(values[known], SEED)))
    accepted = differences[MAIN]
    better, worse = int((accepted > 0).sum()), int((accepted < 0).sum())
    return Comparison(
        first,
        second,
        shared,
        len(first.outcomes.question.names) - len(shared),
        len(second.outcomes.question.names) - len(shared),
        differences,
        metrics,
        better,
        worse,
        len(shared) - better - worse,
        sign_test(better, worse),
        obstacles(first, second),
    )


def pairs(first: Codes, second: Codes) -> tuple[list[str], list[int], list[int]]:
    """The names that stand in both columns, in order, and their numbers in each."""
    numbers = [{name: number for number, name in enumerate(column.names)} for column in (first, second)]
    shared = sorted(numbers[0].keys() & numbers[1].keys())
    return shared, [numbers[0][name] for name in shared], [numbers[1][name] for name in shared]


def obstacles(first: Run, second: Run) -> list[str]:
    """Why verdicts of two runs are not of the same measure."""
    found = []
    for what, of in (("scorer", _scorers), ("threshold", _thresholds)):
        one, other = of(first.outcomes), of(second.outcomes)
        if one and other and (one != other or len(one) > 1):
            found.append(f"other {what}: {', '.join(one)} in {first.shown}, {', '.join(other)} in {second.shown}")
    return found


def sentence(found: Comparison) -> str:
    """What may be said of the second run against the first, and no more."""
    one, other, difference = found.first.shown, found.second.shown, found.main.difference
    counted = f"{len(found.questions):,} shared questions"
    if not found.questions:
        return f"{other} and {one} share no question and cannot be compared: they had other datasets, or other draws."
    if found.word is None:
        return f"{other} and {one} were not judged alike, so that nothing is said of which is better ({counted})."
    points = f"{100 * abs(difference.value):.1f} points {'more' if difference.value >= 0 else 'less'} accepted"
    interval = f"95 % interval {signed(difference.low)} to {signed(difference.high)}"
    if found.word == "too few" and found.better == found.worse == 0:
        return f"{other} against {one}: the same verdicts on all {counted}, which are too few to say more."
    if found.word == "too few":
        needed = max(FEWEST_PAIRS, needed_pairs(found.differences[MAIN]))
        return f"{other} against {one}: too few to say ({counted}); about {needed:,} would do."
    said = {
        "better": f"{other} is better than {one}: {points} ({interval})",
        "worse": f"{other} is worse than {one}: {points} ({interval})",
        "slightly better": f"{other} is better than {one}, by less than matters: {points} ({interval})",
        "slightly worse": f"{other} is worse than {one}, by less than matters: {points} ({interval})",
        "practically equal": f"{other} and {one} are practically equal: within {100 * MARGIN:g} points ({interval})",
        "none shown": f"{other} against {one}: no difference shown; the data fit {signed(difference.low)} to "
        f"{signed(difference.high)} points",
    }
    return f"{said[found.word]}, on {counted}."


def signed(share: float) -> str:
    """In points, with its sign."""
    points = round(100 * share, 1)
    return f"{points:+.1f}".replace("-", "−") if points else "0.0"


def of_all(first: Run, second: Run) -> list[tuple[str, float, float]]:
    """Figures that are not by question: percentiles and costs, with no interval."""
    outcomes = (first.outcomes, second.outcomes)
    rows = []
    for share in (50, 99):
        before, after = (percentile(of.latency_ms[~np.isnan(of.latency_ms)], share) for of in outcomes)
        rows.append((f"latency p{share} ms", before, after))
    for name, key, unit in (("calls a question", "calls", 1.0), ("USD a thousand questions", "nanodollars", 1e6)):
        before, after = (of.spent[key] / len(of) / unit for of in outcomes)
        rows.append((name, before, after))
    return rows


def by_subject(found: Comparison) -> list[tuple[str, Estimate]]:
    """The difference in what was accepted within each subject."""
    of = found.first.outcomes
    subject_of = np.full(len(of.question.names), -1)
    subject_of[of.question.codes] = of.subject.codes
    number = {name: code for code, name in enumerate(of.question.names)}
    subjects = subject_of[[number[name] for name in found.questions]]
    rows = []
    for code, name in enumerate(of.subject.names):
        chosen = found.differences[MAIN][subjects == code]
        if len(chosen) and name:
            rows.append((name, bootstrap(chosen, SEED)))
    return sorted(rows, key=lambda row: row[1].value)


def changed_most(found: Comparison, most: int) -> tuple[list[int], list[int]]:
    """Which questions got worse and which better, the greatest change first: by verdict, then by score."""
    accepted, score = found.differences[MAIN], np.nan_to_num(found.differences["score"])
    order = np.lexsort((score, accepted))
    worse = [int(i) for i in order if accepted[i] < 0 or (accepted[i] == 0 and score[i] <= -NOTABLE)]
    better = [int(i) for i in order[::-1] if accepted[i] > 0 or (accepted[i] == 0 and score[i] >= NOTABLE)]
    return worse[:most], better[:most]


def _by_question(of: Outcomes) -> dict[str, Floats]:
    """The mean of each metric by question."""
    codes, size = of.question.codes, len(of.question.names)
    answered = np.where(of.is_error, np.nan, of.accepted.astype(float))
    columns = {
        MAIN: of.accepted.astype(float),
        "accepted, of answered": answered,
        "no answer": of.is_error.astype(float),
        "score": of.score,
        "served without a call": (~of.asked_model).astype(float),
    }
    return {name: mean_by(codes, values, size) for name, values in columns.items()}


def _scorers(of: Outcomes) -> list[str]:
    return sorted(of.scorer.said())


def _thresholds(of: Outcomes) -> list[str]:
    return [f"{value:g}" for value in np.unique(of.threshold[~np.isnan(of.threshold)])]
