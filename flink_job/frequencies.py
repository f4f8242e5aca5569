"""How rare words are: document shares of a corpus, blended with a table that is shipped.

A small corpus knows too little of rare words. The table stands for `strength` further documents, so that it
outweighs a corpus of a few hundred answers and vanishes in one of a hundred thousand.
"""

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

BACKGROUND = Path(__file__).with_name("background.json")
MAX_STEMS = 100_000


def blend(documents: Iterable[Iterable[str]], background: Mapping[str, Any]) -> dict[str, Any]:
    """The fields `documents`, `idf` and `unknown_idf` of an artefact.

    Parameters
    ----------
    documents : iterable of iterable of str
        The stems of each text of the corpus, as the judge reads them.
    background : mapping
        What `background.json` holds: `strength`, and `shares`, the share of documents that have a stem.
    """
    counts: Counter[str] = Counter()
    number = 0
    for stems in documents:
        number += 1
        counts.update(set(stems))
    strength, shares = background["strength"], background["shares"]
    # The most frequent, and of equals the first in the alphabet: the same in whatever order the corpus comes.
    kept = dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MAX_STEMS])
    total = 1 + number + strength

    def idf(stem: str) -> float:
        # Rounded, so that the hash does not hang on the last bit of a processor's logarithm.
        return round(math.log(total / (1 + kept.get(stem, 0) + strength * shares.get(stem, 0.0))) + 1, 6)

    return {
        "documents": number,
        "idf": {stem: idf(stem) for stem in sorted(kept.keys() | shares.keys())},
        "unknown_idf": round(math.log(total) + 1, 6),
    }


def load_background(path: Path = BACKGROUND) -> dict[str, Any]:
    """The shipped table."""
    background: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return background
