"""How alike two texts are: the cosine of their TF-IDF vectors, with frequencies fitted on the corpus.

The same numbers as scikit-learn's `TfidfVectorizer` gives with its default analysis, in plain Python:
one call of scikit-learn for one pair costs more than a hundred of these.
"""

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

FORMAT = 1
_WORD = re.compile(r"(?u)\b\w\w+\b")


class Scorer:
    """Scores answers by the inverse document frequencies of a corpus.

    Parameters
    ----------
    documents : int
        How many texts the corpus has.
    idf : mapping of str to float
        Each known word's smoothed inverse document frequency, ``ln((1 + documents) / (1 + df)) + 1``.

    Attributes
    ----------
    hash : str
        Names this scorer: equal for equal content, whatever the order of its words.
    """

    def __init__(self, documents: int, idf: Mapping[str, float]) -> None:
        self.documents = documents
        self.idf = dict(sorted(idf.items()))
        self.unknown_idf = math.log(1 + documents) + 1  # a word in no text of the corpus has df = 0
        content = json.dumps([FORMAT, documents, self.idf], ensure_ascii=True)
        self.hash = hashlib.sha256(content.encode()).hexdigest()[:16]

    def score(self, answer: str, reference: str) -> float:
        """The cosine of two texts: 1.0 for the same words as often, 0.0 for none in common or none at all."""
        first, second = self._vector(answer), self._vector(reference)
        if not first or not second:
            return 0.0
        if first == second:
            return 1.0
        # Sums are exact, so that a score depends neither on the order of words nor on that of the texts.
        dot = math.fsum(weight * second[word] for word, weight in first.items() if word in second)
        return min(1.0, dot / (_length(first) * _length(second)))

    def _vector(self, text: str) -> dict[str, float]:
        idf, unknown = self.idf, self.unknown_idf
        counts = Counter(_WORD.findall(text.lower()))
        return {word: count * idf.get(word, unknown) for word, count in counts.items()}

    def save(self, path: Path) -> None:
        """Writes the scorer as a JSON file, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        artefact = {"format": FORMAT, "hash": self.hash, "documents": self.documents, "idf": self.idf}
        draft = path.with_name(path.name + ".new")
        draft.write_text(json.dumps(artefact, ensure_ascii=False, indent=0), "utf-8")
        draft.replace(path)

    @classmethod
    def load(cls, path: Path) -> "Scorer":
        """Reads what `save` wrote.

        Raises
        ------
        ValueError
            The file is of another format, or its content is not what its hash says.
        """
        artefact = json.loads(path.read_text("utf-8"))
        if artefact["format"] != FORMAT:
            raise ValueError(f"{path} has format {artefact['format']}, only {FORMAT} is known")
        scorer = cls(artefact["documents"], artefact["idf"])
        if scorer.hash != artefact["hash"]:
            raise ValueError(f"{path} is damaged: its hash is {scorer.hash}, it says {artefact['hash']}")
        return scorer


def _length(vector: Mapping[str, float]) -> float:
    return math.sqrt(math.fsum(weight * weight for weight in vector.values()))
