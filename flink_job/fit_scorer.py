"""Fits a `Scorer` on the reference answers, with scikit-learn. Never imported where records are handled."""

from collections.abc import Iterable

from sklearn.feature_extraction.text import TfidfVectorizer

from flink_job.scoring import Scorer

MAX_WORDS = 100_000


def fit(answers: Iterable[str], max_words: int = MAX_WORDS) -> Scorer:
    """The scorer of a corpus; the same for the same answers in any order.

    Parameters
    ----------
    answers : iterable of str
        The corpus. No answers, or none with a word in it, are a corpus too: then every word is unknown.
    max_words : int
        The most frequent words to keep; the others count as unknown.
    """
    documents = list(answers)
    vectorizer = TfidfVectorizer(max_features=max_words)
    try:
        vectorizer.fit(documents)
    except ValueError:  # scikit-learn's word for an empty vocabulary
        return Scorer(len(documents), {})
    # Rounded, so that the hash does not hang on the last bit of a processor's logarithm.
    words = zip(vectorizer.get_feature_names_out(), vectorizer.idf_, strict=True)
    return Scorer(len(documents), {str(word): round(float(idf), 12) for word, idf in words})
