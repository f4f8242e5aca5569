"""Synthetic questions: as many as one likes, the same for the same seed."""

import json
import random
from collections.abc import Iterator
from functools import cache
from itertools import count, islice
from pathlib import Path

WORDS = 8_000
TITLE_WORDS, CONTENT_WORDS, REFERENCE_WORDS = 10, 20, 70
"""The usual lengths on a site where people answer each other."""


def write(file: Path, number: int, seed: int) -> Path:
    """Writes `number` distinct questions as JSON Lines, in words that all files share, drawn as people use words."""
    with file.open("w") as lines:
        for question in islice(_questions(seed), number):
            lines.write(json.dumps(question) + "\n")
    return file


def _questions(seed: int) -> Iterator[dict[str, str]]:
    vocabulary, shares = _vocabulary()
    rng = random.Random(seed)  # noqa: S311 - repeatable is what it must be

    def text(words: int) -> str:
        return " ".join(rng.choices(vocabulary, cum_weights=shares, k=words))

    for number in count():
        # Two texts may be alike by chance, two numbers are not.
        title = f"What is {seed}-{number}? {text(TITLE_WORDS)}"
        yield {"title": title, "content": text(CONTENT_WORDS), "best_answer": text(REFERENCE_WORDS)}


@cache
def _vocabulary() -> tuple[list[str], list[float]]:
    """Words, the frequent ones first, and the shares of all up to each."""
    rng = random.Random("the words of every file")  # noqa: S311
    words = ["".join(rng.choices("abcdefghijklmnoprstuvwyz", k=rng.randint(3, 10))) for _ in range(WORDS)]
    total, cumulative = 0.0, []
    for rank in range(WORDS):
        total += 1 / (rank + 10)
        cumulative.append(total)
    return words, cumulative
