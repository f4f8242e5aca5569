"""The texts that the tool reads."""

import pytest

from flink_job.explain import CannotExplainError, read_texts


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
