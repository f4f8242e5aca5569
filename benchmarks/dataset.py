"""Synthetic questions: as many as one likes, the same for the same seed."""

import json
import random
from pathlib import Path

WORDS = 8_000
REFERENCE_WORDS = 70


def write(file: Path, count: int, seed: int) -> Path:
    """Writes `count` distinct questions as JSON Lines, with references of 70 words drawn as people use words."""
    rng = random.Random(seed)  # noqa: S311 - repeatable is what it must be
    vocabulary = ["".join(rng.choices("abcdefghijklmnoprstuvwyz", k=rng.randint(3, 10))) for _ in range(WORDS)]
    shares = [1 / (rank + 10) for rank in range(WORDS)]
    with file.open("w") as lines:
        for number in range(count):
            reference = " ".join(rng.choices(vocabulary, shares, k=REFERENCE_WORDS))
            question = {"title": f"What is {seed}-{number}?", "content": "", "best_answer": reference}
            lines.write(json.dumps(question) + "\n")
    return file
