"""The judge's model, fitted: the product of two bounded logistic regressions, and a Platt step.

scikit-learn's logistic regression knows no bounds, and a product of two no solver of its: scipy's L-BFGS-B solves it.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_expit, logit
from sklearn.linear_model import LogisticRegression

from calibration.judge import SIGNALS, Floats, Measured

SHORT, LONG = 6.0, 30.0
CERTAIN = 30.0  # log-odds of what is left out of a fit
MARGIN = 1e-9  # as in services/judge/src/model.rs
PENALTY = 1e-5
FIRST_GUESS = {
    "human": {"uncovered": -1.0, "unlike": -1.0, "scattered": -1.0, "beyond": -1.0},
    "sound": {"denied": -2.0, "numbers_replaced": -2.0, "exchanged": -2.0, "stuffed": -2.0},
}


@dataclass(frozen=True)
class Model:
    """What `coefficients.json` holds.

    Attributes
    ----------
    human, sound : array
        Intercepts for short and long references, then the weights for short, then those for long ones.
    slope, intercept : pair of float
        The Platt step, for short and for long references.
    unsure : pair of float
        The scores between which the judge errs often.
    """

    human: Floats
    sound: Floats
    slope: tuple[float, float] = (1.0, 1.0)
    intercept: tuple[float, float] = (0.0, 0.0)
    unsure: tuple[float, float] = (0.0, 0.0)

    def log_odds(self, measured: Measured) -> Floats:
        """Before the Platt step."""
        features = features_of(measured)
        both = np.exp(log_expit(features @ self.human) + log_expit(features @ self.sound))
        result: Floats = logit(np.clip(both, MARGIN, 1 - MARGIN))
        return result

    def rows(self, measured: Measured) -> Floats:
        """The score beside each reference."""
        slide = slide_of(measured)
        slope = self.slope[0] * (1 - slide) + self.slope[1] * slide
        result: Floats = expit(
            slope * self.log_odds(measured) + self.intercept[0] * (1 - slide) + self.intercept[1] * slide
        )
        return result

    def scores(self, measured: Measured) -> Floats:
        """The score of each case: the best over its references."""
        rows = self.rows(measured)
        return rows[best_rows(rows, measured)]

    def as_json(self) -> dict[str, Any]:
        """As the judge reads it."""
        return {
            "short": SHORT,
            "long": LONG,
            "human": _regression(self.human),
            "sound": _regression(self.sound),
            "calibration": {"slope": _rounded(self.slope), "intercept": _rounded(self.intercept)},
            "unsure": list(self.unsure),
        }


def _rounded(values: Any) -> list[float]:  # noqa: ANN401 -- any sequence of floats
    return [round(float(value), 5) for value in values]


def _regression(fitted: Floats) -> dict[str, Any]:
    ends = fitted[2:].reshape(2, -1).T
    weights = {name: _rounded(pair) for name, pair in zip(SIGNALS, ends, strict=True) if np.abs(pair).max() >= 0.005}
    return {"intercept": _rounded(fitted[:2]), "weights": weights}


def slide_of(measured: Measured) -> Floats:
    """0 for a short reference, 1 for a long one, logarithmic between."""
    slide: Floats = np.clip(np.log(np.maximum(measured.words, 1) / SHORT) / np.log(LONG / SHORT), 0, 1)
    return slide


def features_of(measured: Measured) -> Floats:
    """Intercepts and signals, each once for short and once for long references."""
    slide = slide_of(measured)[:, None]
    return np.hstack([1 - slide, slide, measured.signals * (1 - slide), measured.signals * slide])


def best_rows(rows: Floats, measured: Measured) -> NDArray[np.int64]:
    """The row of each case's best reference; the first of equals."""
    order = np.lexsort((-rows, measured.case))
    best: NDArray[np.int64] = order[np.unique(measured.case[order], return_index=True)[1]]
    return best


def first_guess() -> Model:
    """Where the fit starts."""

    def start(guess: dict[str, float]) -> Floats:
        weights = [guess.get(name, -0.3) for name in SIGNALS]
        return np.array([4.0, 4.0, *weights, *weights])

    return Model(start(FIRST_GUESS["human"]), start(FIRST_GUESS["sound"]))


def fit_product(features: Floats, accepted: Floats, weight: Floats, start: Model, steps: int) -> Model:
    """The most likely product of two logistic regressions whose weights are at most 0."""
    count = features.shape[1]
    share = weight / weight.sum()
    # In units of their own spread, the solver takes a tenth of the steps.
    spread = np.sqrt((share[:, None] * features**2).sum(0)) + 1e-3
    features = features / spread
    free = np.tile(np.arange(count) < 2, 2)

    def loss(values: Floats) -> tuple[float, Floats]:
        human, sound = features @ values[:count], features @ values[count:]
        yes = log_expit(human) + log_expit(sound)
        no = np.log(np.maximum(-np.expm1(yes), 1e-12))
        slope = share * np.where(accepted > 0, 1.0, -np.exp(yes - no))
        gradient = -np.concatenate([features.T @ (slope * expit(-human)), features.T @ (slope * expit(-sound))])
        bound = np.where(free, 0.0, values)
        likelihood = (share * np.where(accepted > 0, yes, no)).sum()
        return float(PENALTY / 2 * (bound**2).sum() - likelihood), gradient + PENALTY * bound

    values = np.concatenate([start.human * spread, start.sound * spread])
    bounds = [(None, None) if unbound else (None, 0.0) for unbound in free]
    options = {"maxiter": steps, "maxcor": 30, "ftol": 1e-11}
    found = minimize(loss, values, jac=True, method="L-BFGS-B", bounds=bounds, options=options).x
    return Model(found[:count] / spread, found[count:] / spread)


def fit_human(features: Floats, accepted: Floats, weight: Floats, start: Model, steps: int) -> Model:
    """The first of the two fitted alone: where the product starts, which has more than one optimum."""
    sound = np.zeros_like(start.sound)
    sound[:2] = CERTAIN
    return replace(fit_product(features, accepted, weight, replace(start, sound=sound), steps), sound=start.sound)


def platt(model: Model, measured: Measured, accepted: Floats, weight: Floats) -> Model:
    """The model with its last step fitted: slope and intercept of the log-odds."""
    slide = slide_of(measured)
    raw = model.log_odds(measured)
    ends = np.column_stack([raw * (1 - slide), raw * slide, 1 - slide, slide])
    fitted = LogisticRegression(C=100.0, fit_intercept=False).fit(ends, accepted > 0, sample_weight=weight)
    short, long, *intercept = (float(value) for value in fitted.coef_[0])
    return replace(model, slope=(max(short, 0.0), max(long, 0.0)), intercept=(intercept[0], intercept[1]))
