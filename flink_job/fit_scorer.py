"""Makes a scoring artefact: how rare words are in the reference answers, beside a model fitted on people's verdicts.

Never imported where records are handled.
"""

import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from cotejo_native import seal, words

from flink_job.frequencies import blend, load_background

FORMAT = 2
COEFFICIENTS = Path(__file__).with_name("coefficients.json")


class Artefact(NamedTuple):
    """All that a score hangs on but the texts, as JSON with its hash in it."""

    text: str
    hash: str

    def compressed(self) -> bytes:
        """The text as it travels with the job."""
        return zlib.compress(self.text.encode())


def fit(answers: Iterable[str], model: Mapping[str, Any]) -> Artefact:
    """The artefact of a corpus and a model; the same for the same answers in any order.

    Parameters
    ----------
    answers : iterable of str
        The corpus. No answers, or none with a word in it, are a corpus too.
    model : mapping
        What `coefficients.json` holds.
    """
    frequencies = blend(map(words, answers), load_background())
    return Artefact(*seal(json.dumps({"format": FORMAT, **frequencies, "model": model})))


def shipped_model() -> dict[str, Any]:
    """The model that is shipped."""
    model: dict[str, Any] = json.loads(COEFFICIENTS.read_text("utf-8"))
    return model


def weights_hash(model: Mapping[str, Any]) -> str:
    """Names what a calibration is laid onto: equal for equal weights, whenever they were fitted."""
    weights = {name: model.get(name) for name in ("short", "long", "human", "sound")}
    return hashlib.sha256(json.dumps(weights, sort_keys=True).encode()).hexdigest()[:16]
