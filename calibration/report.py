"""The held-out figures as Markdown tables."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from calibration import measures
from calibration.examples import Examples
from calibration.judge import Floats
from calibration.measures import THRESHOLD
from calibration.traps import COPIES

DOUBTFUL = 0.2


def report(examples: Examples, scores: Floats) -> str:
    """Agreement with people by system and by kind, traps, and the near copies."""
    people = _rows(examples, scores)
    lines = [
        "| answers | n | always yes | agreement | AUC | Brier | calibration error |",
        "|---|---|---|---|---|---|---|",
        *people,
        "",
        f"Adversarial pairs in which the true answer scores higher: {pairs_won(examples, scores):.3f}",
        "",
        "| made from | trap | n | accepted | beaten by the near copy |",
        "|---|---|---|---|---|",
        *_traps(examples, scores),
    ]
    return "\n".join(lines)


def _rows(examples: Examples, scores: Floats) -> list[str]:
    opened = examples.kind == "open"
    groups = {str(source): examples.source == source for source in np.unique(examples.source[opened])}
    groups |= {"all systems": opened}
    groups |= {f"{kind} references": examples.kind == kind for kind in ("medium", "long")}
    groups |= {
        "medium and long": np.isin(examples.kind, ["medium", "long"]),
        "adversarial": examples.kind == "adversarial",
    }
    return [_row(name, scores[chosen], examples.accepted[chosen]) for name, chosen in groups.items()]


def _row(name: str, scores: Floats, accepted: Floats) -> str:
    figures = [accepted.mean(), measures.agreement(scores, accepted), measures.auc(scores, accepted)]
    figures += [measures.brier(scores, accepted), measures.calibration_error(scores, accepted)]
    return f"| {name} | {len(scores)} | " + " | ".join(f"{figure:.3f}" for figure in figures) + " |"


def pairs_won(examples: Examples, scores: Floats) -> float:
    """Of all pairs of a true and a false answer to one adversarial question; a tie is half."""
    right: dict[str, list[float]] = defaultdict(list)
    wrong: dict[str, list[float]] = defaultdict(list)
    for index in np.flatnonzero(examples.kind == "adversarial"):
        (right if examples.accepted[index] else wrong)[examples.cases[index].question].append(scores[index])
    won = [_beats(true, false) for question, trues in right.items() for true in trues for false in wrong[question]]
    return float(np.mean(won))


def _beats(left: float, right: float) -> float:
    return float(left > right) + (left == right) / 2


def _traps(examples: Examples, scores: Floats) -> list[str]:
    near = {examples.cases[index].references: scores[index] for index in np.flatnonzero(examples.source == "copy")}
    made = examples.made
    lines = []
    for origin in np.unique(examples.origin[made]):
        for trap in (*sorted({str(name) for name in examples.source[made]} - {*COPIES}), *COPIES):
            chosen = np.flatnonzero(made & (examples.origin == origin) & (examples.source == trap))
            if len(chosen) >= 20:
                accepted = (scores[chosen] >= THRESHOLD).mean()
                control = _control(examples, scores, chosen, near) if trap not in COPIES else ""
                lines.append(f"| {origin} | {trap} | {len(chosen)} | {accepted:.2f} | {control} |")
    return lines


def _control(examples: Examples, scores: Floats, chosen: NDArray[np.int64], near: dict[tuple[str, ...], float]) -> str:
    """How often the reference without its last sentence scores above the trap made of the same reference."""
    both = [index for index in chosen if examples.cases[index].references in near]
    won = [_beats(near[examples.cases[index].references], scores[index]) for index in both]
    return f"{np.mean(won):.2f}" if len(won) >= 20 else ""


def unsure_band(scores: Floats, accepted: Floats, width: float = 0.05) -> tuple[float, float]:
    """Between which scores more than a fifth of the verdicts is wrong."""
    wrong = (scores >= THRESHOLD) != (accepted > 0)
    bins = np.minimum((scores / width).astype(int), round(1 / width) - 1)
    doubtful = [
        index
        for index in range(round(1 / width))
        if (bins == index).sum() >= 20 and wrong[bins == index].mean() > DOUBTFUL
    ]
    edges: Sequence[float] = [doubtful[0] * width, (doubtful[-1] + 1) * width] if doubtful else [THRESHOLD, THRESHOLD]
    return round(edges[0], 2), round(edges[1], 2)
