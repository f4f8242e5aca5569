import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from flink_job.fit_scorer import fit
from flink_job.scoring import Scorer

KNOWN = ["water", "boils", "at", "one", "hundred", "degrees", "when", "the", "air", "presses", "as", "it", "does"]
KNOWN += ["by", "sea", "Straße", "ÉTÉ", "2024", "naïve", "o_o"]
UNKNOWN = ["gravity", "Ελλάδα", "небо", "空は青い", "don't", "x1", "étude", "zzz", "42"]
GLUE = [" ", ", ", "\n", " - ", "… ", " 🌌 "]


def texts(rng: np.random.Generator, count: int, words: list[str]) -> list[str]:
    return ["".join(rng.choice(words) + rng.choice(GLUE) for _ in range(rng.integers(0, 60))) for _ in range(count)]


@pytest.fixture(scope="module")
def corpus() -> list[str]:
    return texts(np.random.default_rng(1), 300, KNOWN)


@pytest.fixture(scope="module")
def scorer(corpus: list[str]) -> Scorer:
    return fit(corpus)


def by_scikit_learn(corpus: list[str], pairs: list[tuple[str, str]]) -> list[float]:
    """The same by the library: its vocabulary, and for every other word the frequency of one that is in no text."""
    fitted = TfidfVectorizer().fit(corpus)
    words = TfidfVectorizer().fit(text for pair in pairs for text in pair).get_feature_names_out()
    unknown = sorted(set(words) - set(fitted.vocabulary_))
    complete = TfidfVectorizer(vocabulary=[*fitted.get_feature_names_out(), *unknown])
    complete.idf_ = np.concatenate([fitted.idf_, np.full(len(unknown), np.log(1 + len(corpus)) + 1)])
    left, right = (complete.transform(side) for side in zip(*pairs, strict=True))
    return list(np.asarray(left.multiply(right).sum(axis=1)).ravel())


def test_scores_are_those_of_scikit_learn(corpus: list[str], scorer: Scorer) -> None:
    rng = np.random.default_rng(2)
    pairs = list(zip(texts(rng, 3000, KNOWN + UNKNOWN), texts(rng, 3000, KNOWN + UNKNOWN), strict=True))
    ours = [scorer.score(answer, reference) for answer, reference in pairs]
    assert np.allclose(ours, by_scikit_learn(corpus, pairs), rtol=1e-9, atol=1e-9)
    assert len(set(ours)) > 2500


@pytest.mark.parametrize("empty", ["", " \n", "?!", "a b c", "🌌🌌"])
def test_a_text_without_words_scores_zero(scorer: Scorer, empty: str) -> None:
    assert scorer.score(empty, "water boils") == 0.0
    assert scorer.score("water boils", empty) == 0.0
    assert scorer.score(empty, empty) == 0.0


@given(st.text(max_size=300), st.text(max_size=300))
def test_any_two_texts_have_a_score_between_zero_and_one(scorer: Scorer, answer: str, reference: str) -> None:
    score = scorer.score(answer, reference)
    assert 0.0 <= score <= 1.0
    assert scorer.score(reference, answer) == score


@given(st.text(alphabet=st.characters(), max_size=200))
def test_a_text_scores_exactly_one_against_itself(scorer: Scorer, text: str) -> None:
    text += " water boils"
    assert scorer.score(text, text) == 1.0


def test_a_hundred_thousand_words_are_scored_in_bounded_time(scorer: Scorer) -> None:
    begun = time.process_time()
    scorer.score(" ".join(f"word{i}" for i in range(100_000)), " ".join(f"word{i}" for i in range(50_000, 150_000)))
    assert time.process_time() - begun < 5


def test_the_order_of_the_corpus_does_not_change_the_scorer(corpus: list[str]) -> None:
    assert fit(reversed(corpus)).hash == fit(corpus).hash
    assert fit(corpus[1:]).hash != fit(corpus).hash


def test_only_the_most_frequent_words_are_kept() -> None:
    scorer = fit(["water water water", "water boils", "boils dry"], max_words=2)
    assert set(scorer.idf) == {"water", "boils"}


@pytest.mark.parametrize("corpus", [[], ["", "?"]])
def test_a_corpus_without_words_makes_every_word_unknown(corpus: list[str]) -> None:
    scorer = fit(corpus)
    assert scorer.idf == {}
    assert scorer.score("water boils", "water boils dry") == pytest.approx((2 / 3) ** 0.5)


def test_a_saved_scorer_is_read_back_whole(scorer: Scorer, tmp_path: Path) -> None:
    path = tmp_path / "deeper" / "scorer.json"
    scorer.save(path)
    read = Scorer.load(path)
    assert (read.hash, read.documents, read.idf) == (scorer.hash, scorer.documents, scorer.idf)


def test_a_damaged_scorer_is_refused(scorer: Scorer, tmp_path: Path) -> None:
    path = tmp_path / "scorer.json"
    scorer.save(path)
    path.write_text(path.read_text("utf-8").replace('"documents": 300', '"documents": 301'), "utf-8")
    with pytest.raises(ValueError, match="damaged"):
        Scorer.load(path)
