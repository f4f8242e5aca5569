"""One run, with all that is known of it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from scipy.stats import gamma

from calibration.texts import visible
from report.outcomes import Floats, Outcomes

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Journal:
    """What the generator wrote down of a run.

    Attributes
    ----------
    record : mapping
        Its `run.json`.
    stack : mapping
        What the stack was told beside its defaults, by the names of settings.
    scheduled : array of float
        When each question was due, in milliseconds since 1970, in order.
    acknowledged : array of float
        How many milliseconds after that Kafka had it, in the same order.
    """

    record: Document
    stack: Mapping[str, str]
    scheduled: Floats
    acknowledged: Floats

    @classmethod
    def of(cls, told: Document) -> "Journal":
        """As the command hands it on, in the order in which Kafka acknowledged."""
        scheduled, lag = (np.array(told[name], dtype=np.float64) for name in ("scheduled", "acknowledged"))
        order = np.argsort(scheduled, kind="stable")
        return cls(told["record"], told.get("stack") or {}, scheduled[order], lag[order])

    @property
    def settings(self) -> Mapping[str, str]:
        """The generator's settings, by their names."""
        return {str(name): str(value) for name, value in (self.record.get("settings") or {}).items()}

    @property
    def law(self) -> "Law | None":
        """From what the times between questions were drawn; None: they were not, at a changing rate, or nobody says."""
        return law_of(self.settings)

    @property
    def askers(self) -> str | None:
        """How many asked, each after the outcome of its last question; None: questions came at times of their own."""
        is_closed = self.settings.get("TRAFFIC_DISTRIBUTION") == "closed"
        return self.settings.get("TRAFFIC_ASKERS") if is_closed else None


@dataclass(frozen=True)
class Law:
    """The distribution of the times between questions: its name, and its mean in seconds."""

    name: str
    mean_s: float
    burstiness: float

    def cdf(self, gaps_s: Floats) -> Floats:
        """What share of gaps is at most so long."""
        match self.name:
            case "constant":
                return np.asarray(gaps_s >= self.mean_s, dtype=np.float64)
            case "uniform":
                return np.asarray(np.clip(gaps_s / (2 * self.mean_s), 0, 1))
            case "gamma":
                return np.asarray(gamma.cdf(gaps_s, 1 / self.burstiness, scale=self.burstiness * self.mean_s))
            case _:
                return np.asarray(1 - np.exp(-gaps_s / self.mean_s))

    def quantile(self, share: float) -> float:
        """The gap that this share of gaps does not exceed."""
        match self.name:
            case "constant":
                return self.mean_s
            case "uniform":
                return 2 * self.mean_s * share
            case "gamma":
                return float(gamma.ppf(share, 1 / self.burstiness, scale=self.burstiness * self.mean_s))
            case _:
                return -self.mean_s * math.log1p(-share)


def law_of(settings: Mapping[str, str]) -> Law | None:
    """The law that the generator's settings name, if one can be drawn from."""
    name = settings.get("TRAFFIC_DISTRIBUTION", "")
    try:
        rate = float(settings.get("TRAFFIC_RATE", ""))
        burstiness = float(settings.get("TRAFFIC_BURSTINESS") or 1)
    except ValueError:
        return None
    if settings.get("TRAFFIC_PROFILE", "constant") != "constant":
        return None
    if name not in ("constant", "uniform", "poisson", "gamma") or rate <= 0 or burstiness <= 0:
        return None
    return Law(name, 1 / rate, burstiness)


@dataclass(frozen=True)
class Run:
    """A run: its outcomes, its journal where that is on this machine, and by what it was answered and scored."""

    name: str
    outcomes: Outcomes
    journal: Journal | None
    model_settings: Mapping[str, Document]
    scorers: Mapping[str, Document]
    removed: int = 0
    """How many outcomes of it RESULTS_RETENTION has had removed."""

    @property
    def shown(self) -> str:
        """Its name, fit to be shown."""
        return visible(self.name)

    @property
    def without_outcome(self) -> int | None:
        """How many questions were asked that have no outcome, now or before it was removed; None as with `asked`."""
        return None if self.asked is None else self.asked - len(self.outcomes) - self.removed

    @property
    def asked(self) -> int | None:
        """How many questions the generator asked; None where its journal is not here."""
        asked = self.journal.record.get("asked") if self.journal else None
        return int(asked) if asked is not None else None

    @property
    def threshold(self) -> float | None:
        """The threshold of most verdicts."""
        known = self.outcomes.threshold[~np.isnan(self.outcomes.threshold)]
        if not len(known):
            return None
        values, counts = np.unique(known, return_counts=True)
        return float(values[np.argmax(counts)])

    @property
    def start_ms(self) -> float:
        """When the first question was due, or else the first verdict fell."""
        of = self.outcomes
        times = of.asked if not np.isnan(of.asked).all() else of.decided
        return float(np.nanmin(times))


def utc(milliseconds: float) -> str:
    """A moment as people read it."""
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
