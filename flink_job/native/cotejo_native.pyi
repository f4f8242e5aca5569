"""What the Flink job does with a record, and what its tools need; written in Rust."""

from collections.abc import Sequence
from typing import Literal, TypeAlias, final

Rejected: TypeAlias = tuple[Literal["rejected"], str]
"""Why a record can never be handled."""

Judged: TypeAlias = tuple[Literal["accepted"], bytes, bytes] | tuple[Literal["failed"], str, bytes]
"""A verdict's key and value; or the message_id, and what `Judge.follow` has to be told."""

Followed: TypeAlias = (
    tuple[Literal["accepted", "exhausted", "regenerated"], str, tuple[bytes, bytes]]
    | tuple[Literal["dropped"], str | None, None]
)
"""What was done, what to remember from now on (None: what it was), and the key and value to write."""

@final
class Judge:
    """Judges the answers of a stream. It cannot be pickled: make one where it is used.

    Parameters
    ----------
    artefact : str
        The scoring artefact.
    threshold : float
        The score, in [0, 1], from which an answer is accepted.
    max_attempts : int
        How many times a model may be asked.

    Raises
    ------
    ValueError
        The artefact is damaged or of another format, or the threshold is no score.
    """

    def __new__(cls, artefact: str, threshold: float, max_attempts: int) -> Judge: ...
    def first(self, value: bytes | None) -> Judged | Rejected:
        """Reads and scores an answer; one that passes at once needs no memory of the request. Never raises."""

    @staticmethod
    def ended(value: bytes | None) -> str | None:
        """The request that an error ends; None for what is no error. Never raises."""

    def follow(self, state: str | None, judged: bytes, value: bytes | None) -> Followed | Rejected:
        """Follows the attempts of a request, whose memory is `state`. Never raises."""

@final
class Scorer:
    """Scores answers. The same artefact is loaded once in a process.

    Parameters
    ----------
    artefact : str
        The scoring artefact.

    Raises
    ------
    ValueError
        It is damaged or of another format.
    """

    def __new__(cls, artefact: str) -> Scorer: ...
    @property
    def hash(self) -> str:
        """Names the artefact."""

    def is_unsure(self, score: float) -> bool:
        """Whether the scorer often errs with such a score."""

    def score(self, question: str, references: Sequence[str], answer: str) -> float:
        """The probability that a person would accept the answer; the best over the references counts."""

    def signals(self, question: str, references: Sequence[str], answer: str) -> dict[str, float]:
        """What the score is made of, beside the reference that counts."""

    def measure(self, question: str, references: Sequence[str], answer: str) -> list[tuple[dict[str, float], int]]:
        """The signals beside each reference, and how many words that has: what a model is fitted on."""

    def explain(self, question: str, references: Sequence[str], answer: str) -> str:
        """Why the score is what it is, as JSON."""

def words(text: str) -> list[str]:
    """The words of a text as they are counted: their stems, in order."""

def meanings() -> dict[str, str]:
    """Every signal by name, with what it says."""

def seal(artefact: str) -> tuple[str, str]:
    """An artefact with its hash in it, and the hash."""

def decode(message: str, value: bytes | None) -> str | None:
    """Why a record's value is no such message; None if it is one."""
