"""How rare words are: document frequencies of a corpus, blended with a table that is shipped."""

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sklearn.feature_extraction.text import TfidfVectorizer

BACKGROUND = Path(__file__).with_name("background.json")
MAX_STEMS = 100_000


def blend(
    documents: Iterable[Iterable[str]], background: Mapping[str, Any], max_stems: int = MAX_STEMS
) -> dict[str, Any]:
    """The fields `documents`, `idf` and `unknown_idf` of an artefact.

    A small corpus knows too little of rare words. The background stands for so many further documents that it
    outweighs a corpus of a few hundred answers and vanishes in one of a hundred thousand. With scikit-learn's smoothed
    frequencies of n documents, df of them with the stem, and a background of strength s with the share p:
    ``idf = ln((1 + n + s) / (1 + df + s * p)) + 1``.

    Parameters
    ----------
    documents : iterable of iterable of str
        The stems of each text of the corpus, as the judge reads them.
    background : mapping
        What `background.json` holds: its `strength`, and `shares`, the share of documents that have a stem.
    max_stems : int
        The most frequent stems to keep of the corpus; the others count as in no text.
    """
    number, counts = _counts(list(documents), max_stems)
    strength, shares = background["strength"], background["shares"]
    total = 1 + number + strength

    def idf(stem: str) -> float:
        # Rounded, so that the hash does not hang on the last bit of a processor's logarithm.
        return round(math.log(total / (1 + counts.get(stem, 0) + strength * shares.get(stem, 0.0))) + 1, 6)

    return {
        "documents": number,
        "idf": {stem: idf(stem) for stem in sorted(counts.keys() | shares.keys())},
        "unknown_idf": round(math.log(total) + 1, 6),
    }


def _counts(documents: list[Iterable[str]], max_stems: int) -> tuple[int, dict[str, int]]:
    """How many documents there are, and in how many each stem is."""
    vectorizer = TfidfVectorizer(analyzer=list, max_features=max_stems)
    try:
        vectorizer.fit(documents)
    except ValueError:  # scikit-learn's word for an empty vocabulary
        return len(documents), {}
    stems = zip(vectorizer.get_feature_names_out(), vectorizer.idf_, strict=True)
    return len(documents), {str(stem): round((1 + len(documents)) / math.exp(idf - 1)) - 1 for stem, idf in stems}


def load_background(path: Path = BACKGROUND) -> dict[str, Any]:
    """The table that is shipped."""
    background: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return background
