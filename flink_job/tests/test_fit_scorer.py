import math

import pytest
from cotejo_native import Scorer, words
from sklearn.feature_extraction.text import TfidfVectorizer

from flink_job.fit_scorer import fit, shipped_model
from flink_job.frequencies import blend

CORPUS = ["Water boils at a hundred degrees.", "Boiling water steams.", "El agua hierve.", "?"]
NOTHING = {"strength": 0, "shares": {}}


def test_without_a_background_frequencies_are_those_of_scikit_learn() -> None:
    fitted = TfidfVectorizer(analyzer=words).fit(CORPUS)
    blended = blend(map(words, CORPUS), NOTHING)
    assert blended["idf"] == pytest.approx(
        dict(zip(fitted.get_feature_names_out(), fitted.idf_, strict=True)), abs=1e-6
    )
    assert blended["unknown_idf"] == pytest.approx(math.log(1 + len(CORPUS)) + 1, abs=1e-6)


def test_a_background_counts_as_so_many_further_documents() -> None:
    corpus = [["water"]] * 3 + [["boil"]] + [[]] * 6
    blended = blend(corpus, {"strength": 90, "shares": {"water": 0.3, "snow": 0.1}})
    as_documents = [["water"]] * 27 + [["snow"]] * 9 + [[]] * 54
    assert blended["idf"] == blend(corpus + as_documents, NOTHING)["idf"]
    assert blended["documents"] == 10


def test_only_the_most_frequent_stems_of_a_corpus_are_kept() -> None:
    blended = blend([["water", "water"], ["water", "boil"], ["boil", "dry"]], NOTHING, max_stems=2)
    assert set(blended["idf"]) == {"water", "boil"}


@pytest.mark.parametrize("corpus", [[], ["", "?"]])
def test_a_corpus_without_words_has_a_scorer_too(corpus: list[str]) -> None:
    artefact = fit(corpus, shipped_model())
    assert Scorer(artefact.text).hash == artefact.hash


def test_the_order_of_the_corpus_does_not_change_the_artefact() -> None:
    assert fit(reversed(CORPUS), shipped_model()) == fit(CORPUS, shipped_model())
    assert fit(CORPUS[1:], shipped_model()).hash != fit(CORPUS, shipped_model()).hash
