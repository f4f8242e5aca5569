"""Figures of runs, with intervals over seeds and questions: pure functions of columns and a seed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from report.outcomes import Bools, Floats, Whole
from report.statistics import Estimate, percentile
from stack.prices import Price

RESAMPLES = 1_000
TOGETHER = 50
"""So many resamples are drawn at once, to bound their memory."""

SOURCES = ("llm", "cache", "mongodb", "coalesced")


@dataclass(frozen=True)
class Columns:
    """The outcomes of a run, one entry each; questions are numbers from 0 on, times are milliseconds."""

    question: Whole
    accepted: Bools
    source: Whole
    trap: Bools
    calls: Whole
    input_tokens: Whole
    output_tokens: Whole
    dollars: Floats
    asked_ms: Floats
    latency_ms: Floats

    @classmethod
    def of(cls, kept: Mapping[str, Sequence[Any]], price: Price | None) -> "Columns":
        """As a run was kept; where a price is given, tokens cost that, whatever they cost then."""
        sent, received = (np.array(kept[name], np.int64) for name in ("input_tokens", "output_tokens"))
        paid = np.array(kept["nanodollars"], np.float64) / 1e9
        numbers = {source: number for number, source in enumerate(SOURCES)}
        return cls(
            question=np.unique(np.array(kept["question"]), return_inverse=True)[1],
            accepted=np.array(kept["accepted"], bool),
            source=np.array([numbers.get(source, -1) for source in kept["source"]], np.int64),
            trap=np.array(kept["trap"], bool),
            calls=np.array(kept["calls"], np.int64),
            input_tokens=sent,
            output_tokens=received,
            dollars=(float(price.input) * sent + float(price.output) * received) / 1e6 if price else paid,
            asked_ms=np.array(kept["asked_ms"], np.float64),
            latency_ms=np.array(kept["latency_ms"], np.float64),
        )

    def __len__(self) -> int:
        return len(self.question)

    def served_by(self, *sources: str) -> Bools:
        """Which were answered from one of these."""
        return np.isin(self.source, [SOURCES.index(source) for source in sources])


Values = Callable[[Columns], Floats | Whole | Bools]


@dataclass(frozen=True)
class Measure:
    """A figure of a run: a mean of `values` over all questions, or over those `among` which it is measured.

    With a `share`, it is the percentile of the values instead. `form` is how it is shown.
    """

    title: str
    form: str
    values: Values
    among: Values | None = None
    share: float | None = None

    @property
    def is_share(self) -> bool:
        """Whether it lies between 0 and 1 and is shown in per cent."""
        return self.form.endswith("%")


def _known(of: Columns) -> Bools:
    return ~np.isnan(of.latency_ms)


MEASURES = {
    "accepted": Measure("accepted", ".1%", lambda of: of.accepted),
    "memory_hits": Measure("served from memory", ".1%", lambda of: of.served_by("cache")),
    "stored_hits": Measure("served from MongoDB", ".1%", lambda of: of.served_by("mongodb")),
    "shared": Measure("shared with a twin", ".1%", lambda of: of.served_by("coalesced")),
    "without_call": Measure("served without a call", ".1%", lambda of: of.served_by(*SOURCES[1:])),
    "calls": Measure("calls a question", ",.3f", lambda of: of.calls),
    "tokens": Measure("tokens a question", ",.0f", lambda of: of.input_tokens + of.output_tokens),
    "dollars": Measure("USD for 1,000 questions", ",.4f", lambda of: 1000 * of.dollars),
    "traps_accepted": Measure("traps accepted", ".1%", lambda of: of.accepted & of.trap, lambda of: of.trap),
    "latency_p50": Measure("p50, ms", ",.0f", lambda of: of.latency_ms, _known, 50),
    "latency_p99": Measure("p99, ms", ",.0f", lambda of: of.latency_ms, _known, 99),
}
"""Every measure there is, by the name that a file has for it."""


def value(of: Columns, measure: Measure) -> float:
    """The figure of one run; not a number, where it is measured of nothing."""
    values, _ = _ordered(of, measure)
    if not len(values):
        return float("nan")
    return float(values.mean()) if measure.share is None else percentile(values, measure.share)


def estimates(runs: Sequence[Columns], names: Sequence[str], seed: int = 1) -> dict[str, Estimate]:
    """The mean of each figure over runs that differ by their seeds, with its 95 % interval.

    The interval is the percentile interval of a bootstrap that draws seeds first, then the questions of each drawn seed
    with all requests for them. `pairs` is the number of seeds.
    """
    random = np.random.default_rng(seed)
    within = [resampled(of, names, random) for of in runs]
    drawn = random.integers(len(runs), size=(len(runs), RESAMPLES)), np.arange(RESAMPLES)
    found = {}
    for name in names:
        middle = float(np.mean([value(of, MEASURES[name]) for of in runs]))
        means = np.array([draws[name] for draws in within])[drawn].mean(axis=0)
        known = means[~np.isnan(means)]
        low, high = np.percentile(known, [2.5, 97.5]) if len(known) else (middle, middle)
        found[name] = Estimate(middle, float(low), float(high), len(runs))
    return found


def over_seeds(values: Sequence[float], most: float = 1.0) -> Estimate:
    """The mean of figures from 0 to `most`, one a seed, with Student's 95 % interval; one seed shows no spread."""
    middle = float(np.mean(values))
    if len(values) == 1 or np.isnan(middle) or len(set(values)) == 1:
        return Estimate(middle, middle, middle, len(values))
    low, high = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    return Estimate(middle, max(0.0, float(low)), min(most, float(high)), len(values))


def resampled(of: Columns, names: Sequence[str], random: np.random.Generator) -> dict[str, Floats]:
    """The figures of one run in many draws of its questions; all figures are of the same draws."""
    ready = {name: _ordered(of, MEASURES[name]) for name in names}
    found: dict[str, list[Floats]] = {name: [] for name in names}
    for start in range(0, RESAMPLES, TOGETHER):
        weights = _weights(int(of.question.max()) + 1, min(TOGETHER, RESAMPLES - start), random)
        for name, (values, questions) in ready.items():
            share = MEASURES[name].share
            drawn = _percentiles(values, weights[:, questions], share) if share else _means(values, questions, weights)
            found[name].append(drawn)
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _ordered(of: Columns, measure: Measure) -> tuple[Floats, Whole]:
    """What a figure is made of, in order, and of which questions."""
    among = np.ones(len(of), bool) if measure.among is None else measure.among(of).astype(bool)
    values, questions = measure.values(of)[among].astype(float), of.question[among]
    order = np.argsort(values, kind="stable")
    return values[order], questions[order]


def _weights(questions: int, size: int, random: np.random.Generator) -> Floats:
    """How often each question is in each of so many draws of as many questions."""
    drawn = random.integers(questions, size=(size, questions)) + questions * np.arange(size)[:, None]
    return np.bincount(drawn.ravel(), minlength=size * questions).reshape(size, questions).astype(float)


def _means(values: Floats, questions: Whole, weights: Floats) -> Floats:
    number = weights.shape[1]
    sums, counts = np.bincount(questions, values, number), np.bincount(questions, minlength=number)
    with np.errstate(invalid="ignore"):
        return np.asarray((weights @ sums) / (weights @ counts))


def _percentiles(ordered: Floats, weights: Floats, share: float) -> Floats:
    """The percentile of values in order, each counted as often as each row of weights says."""
    if not len(ordered):
        return np.full(len(weights), np.nan)
    cumulative = weights.cumsum(axis=1)
    reached = cumulative >= share / 100 * cumulative[:, -1:]
    return np.asarray(ordered[reached.argmax(axis=1)])
