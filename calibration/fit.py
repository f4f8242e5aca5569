"""Fits the judge's model and its background table, and prints how well it does on questions it was not fitted on.

``python -m calibration.fit FOLDER`` (``make fit DATA=FOLDER``) writes `coefficients.json` and `background.json`.
"""

import argparse
import datetime
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from cotejo_native import Scorer, seal, words
from numpy.typing import NDArray

from calibration import data
from calibration.examples import FOLDS, Examples, gather
from calibration.judge import SIGNALS, Floats, Measured, measure
from calibration.model import Model, best_rows, features_of, first_guess, fit_human, fit_product, platt
from calibration.report import report, unsure_band
from flink_job.frequencies import BACKGROUND, blend

COEFFICIENTS = BACKGROUND.with_name("coefficients.json")
STRENGTH = 2_000  # for how many documents the background stands
LEAST_DOCUMENTS = 3
# How much one example of a kind counts: in the fit, and in the Platt step, which keeps to what people are asked.
WEIGHT = {"open": 1.0, "adversarial": 0.7, "medium": 1.0, "long": 3.0}
WEIGHT_CALIBRATION = {"open": 1.0, "adversarial": 0.0, "medium": 0.4, "long": 1.0}
# Everything made by rules together, as a share of everything judged; in the Platt step, of the longer references.
TRAPS = 0.1
# Among them: what differs from a good answer in one word counts more than what differs in all.
WEIGHT_TRAP = {
    "numbers": 5.0,
    "roles": 3.0,
    "negated": 4.0,
    "cut": 4.0,
    "padded": 3.0,
    "stuffed": 6.0,
    "off topic": 3.0,
}
# The sample asks what people ask each other, and its answers are long.
WEIGHT_SAMPLE = 6.0
TRAPS_CALIBRATION = 0.07
ROUNDS, STEPS = 3, 300
# Function words of Spanish, which the judged answers lack, by about the share of texts that have them.
SPANISH = {
    0.9: "de",
    0.8: "la el en",
    0.7: "que y",
    0.5: "los las un una se es",
    0.4: "por con para del",
    0.3: "al lo su como",
}


def learn_background(texts: Iterable[str]) -> dict[str, Any]:
    """In which share of the judged answers each stem stands."""
    distinct = sorted(set(texts))
    counts = Counter(stem for text in distinct for stem in set(words(text)))
    shares = {stem: round(count / len(distinct), 6) for stem, count in counts.items() if count >= LEAST_DOCUMENTS}
    spanish = {stem: share for share, stems in SPANISH.items() for stem in stems.split()}
    return {
        "source": "shares of the answers of EVOUNA (Wang et al. 2023, Apache-2.0) that have a stem; Spanish: estimates",
        "documents": len(distinct),
        "strength": STRENGTH,
        "shares": dict(sorted((spanish | shares).items())),
    }


def scorer_of(background: Mapping[str, Any]) -> Scorer:
    """A scorer with the frequencies of a default stack; its model says nothing yet."""
    count = 2 + 2 * len(SIGNALS)
    neutral = Model(np.zeros(count), np.zeros(count)).as_json()
    fields = blend((words(answer) for _, answer in data.sample_questions()), background)
    return Scorer(seal(json.dumps({"format": 2, **fields, "model": neutral}))[0])


def fit(examples: Examples, measured: Measured) -> Model:
    """Fits beside the best reference of each case, which the fit itself chooses anew each round."""
    weight = _weights(examples, WEIGHT, TRAPS, longer_only=False)
    features = features_of(measured)
    model = first_guess()
    rows, judged = best_rows(model.log_odds(measured), measured), ~examples.made
    model = fit_human(features[rows][judged], examples.accepted[judged], weight[judged], model, STEPS)
    for _ in range(ROUNDS):
        rows = best_rows(model.log_odds(measured), measured)
        model = fit_product(features[rows], examples.accepted, weight, model, STEPS)
    best = measured.take(best_rows(model.rows(measured), measured))
    weight = _weights(examples, WEIGHT_CALIBRATION, TRAPS_CALIBRATION, longer_only=True)
    # What is clear anyway counts less, so that the scores are right where they decide.
    clear = np.abs(2 * model.rows(best) - 1)
    return platt(model, best, examples.accepted, weight * (1.05 - clear))


def _weights(examples: Examples, of_kind: Mapping[str, float], traps: float, *, longer_only: bool) -> Floats:
    weight = np.array([of_kind.get(str(kind), 1.0) for kind in examples.kind])
    weight[examples.made] = [WEIGHT_TRAP.get(str(source), 1.0) for source in examples.source[examples.made]]
    weight[examples.origin == "sample"] *= WEIGHT_SAMPLE
    if longer_only:
        weight[examples.made & (examples.origin == "short")] = 0.0
    judged = np.isin(examples.kind, ["medium", "long"]) if longer_only else ~examples.made
    weight[examples.made] *= traps * weight[judged].sum() / weight[examples.made].sum()
    return weight


def part(examples: Examples, chosen: NDArray[np.bool_]) -> Examples:
    """Some of the examples."""
    cases = [case for case, is_chosen in zip(examples.cases, chosen, strict=True) if is_chosen]
    arrays = {name: getattr(examples, name)[chosen] for name in ("accepted", "kind", "source", "origin", "fold")}
    return Examples(cases=cases, **arrays)


def _answers(examples: Examples, chosen: NDArray[np.bool_]) -> list[str]:
    return [examples.cases[index].answer for index in np.flatnonzero(chosen & (examples.kind == "open"))]


def held_out(examples: Examples) -> Floats:
    """Every example's score by a model, and frequencies, that never saw its question."""
    scores = np.zeros(len(examples.cases))
    for fold in range(FOLDS):
        seen = examples.fold != fold
        measured = measure(scorer_of(learn_background(_answers(examples, seen))), examples.cases)
        model = fit(part(examples, seen), measured.of_cases(seen))
        scores[~seen] = model.scores(measured.of_cases(~seen))
    return scores


def main() -> None:
    """Fits, measures, writes and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where open_qa_train.jsonl.gz and adversarial_train.jsonl.gz are")
    examples = gather(parser.parse_args().folder)
    scores = held_out(examples)
    print(report(examples, scores))
    background = learn_background(_answers(examples, examples.fold >= 0))
    model = fit(examples, measure(scorer_of(background), examples.cases))
    model = replace(
        model, unsure=unsure_band(scores[examples.kind == "open"], examples.accepted[examples.kind == "open"])
    )
    counts = {str(kind): int(count) for kind, count in zip(*np.unique(examples.kind, return_counts=True), strict=True)}
    fitted_on = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "sources": [
            {"name": "EVOUNA (Wang et al. 2023, Evaluating Open-QA Evaluation)", "licence": "Apache-2.0"},
            {"name": "TruthfulQA (Lin et al. 2022)", "licence": "Apache-2.0"},
            {"name": "data/sample_questions.csv, as references of traps", "licence": "Apache-2.0"},
        ],
        "examples": counts,
    }
    _write(BACKGROUND, background)
    _write(COEFFICIENTS, {**model.as_json(), "fitted_on": fitted_on})


def _write(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
