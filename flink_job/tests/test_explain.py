"""What the tool reads, and what it says where it cannot explain."""

import json
import sys

import pytest
from cotejo_native import meanings
from pymongo.errors import ServerSelectionTimeoutError

from flink_job.database import Database
from flink_job.explain import CannotExplainError, main, read_texts


def test_texts_are_read_from_the_input() -> None:
    read = read_texts('{"question": "Why?", "references": ["So.", "Thus."], "answer": "Because."}')
    assert read == ("Why?", ["So.", "Thus."], "Because.")


@pytest.mark.parametrize(
    "text",
    ["", "no", "[]", '{"question": "", "references": [], "answer": ""}', '{"references": ["So."], "answer": ""}'],
)
def test_other_input_is_refused_with_what_is_needed(text: str) -> None:
    with pytest.raises(CannotExplainError, match="references"):
        read_texts(text)


@pytest.mark.parametrize("reference", ["", " \n", "..."])
def test_a_reference_without_words_is_refused(reference: str) -> None:
    texts = {"question": "Why?", "references": ["So.", reference], "answer": "Because."}
    with pytest.raises(CannotExplainError, match="the reference has no words"):
        read_texts(json.dumps(texts))


def test_without_a_server_one_line_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(*_: object) -> None:
        raise ServerSelectionTimeoutError("localhost:27017: refused, Topology Description: …")

    monkeypatch.setattr(Database, "result", fail)
    monkeypatch.setattr(sys, "argv", ["explain", "--message-id=a"])
    assert main() == 1
    assert capsys.readouterr().err == "explain: MongoDB does not answer; `make up` starts it.\n"


def test_every_meaning_begins_with_a_short_sentence_and_then_says_how_it_is_measured() -> None:
    for name, meaning in meanings().items():
        first, _, rest = meaning.partition(". ")
        assert len(first) <= 38, name
        assert rest.endswith("."), name
