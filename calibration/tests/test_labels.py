"""Labels as CSV files."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from calibration.labels import BadLabelsError, Label, decoded, read_csv, write_csv

# Lone surrogates cannot be written to a file; a line's end is read as the reader's own.
TEXTS = some.text(some.characters(exclude_categories=["Cs"], exclude_characters="\r\0"))
LABELS = some.builds(
    Label,
    question=TEXTS,
    references=some.lists(TEXTS.filter(bool), min_size=1, max_size=3).map(tuple),
    answer=TEXTS,
    accepted=some.booleans(),
    chosen=some.sampled_from(["random", "unsure", ""]),
    revised=some.booleans(),
)


@given(some.lists(LABELS, max_size=5, unique_by=lambda label: (label.question, label.answer)))
def test_what_is_written_is_read_again(labels: list[Label]) -> None:
    assert read_csv(write_csv(labels, [0.5] * len(labels))) == (labels, 0)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx"])
def test_no_text_is_a_formula_to_a_spreadsheet(text: str) -> None:
    written = write_csv([Label(text, (text,), text, True)], [0.5])
    assert f"'{text},'{text},'{text}," in written


def test_four_columns_are_enough_and_their_labels_count_as_random() -> None:
    [label], _ = read_csv("answer,accepted,question,reference\nBlue.,Yes,What colour?,Blue\n")
    assert label == Label("What colour?", ("Blue",), "Blue.", True, chosen="")
    assert label.blind


def test_a_column_says_which_labels_were_chosen_otherwise() -> None:
    labels, _ = read_csv("question,reference,answer,accepted,chosen\nq,r,a,no,unsure\nq,r,b,no,\n")
    assert [label.blind for label in labels] == [False, True]


def test_an_answer_that_is_there_twice_is_one_label_from_a_random_draw_if_it_has_one() -> None:
    rows = ("q,r,a,no,unsure", "q,r,b,yes,", "q,r,a,no,random", "q,r,a,no,random", "p,r,a,yes,")
    labels, repeated = read_csv("\n".join(("question,reference,answer,accepted,chosen", *rows)))
    assert [(label.question, label.answer, label.blind) for label in labels] == [
        ("q", "a", True),
        ("q", "b", True),
        ("p", "a", True),
    ]
    assert repeated == 2


def test_a_spreadsheets_byte_order_mark_is_no_part_of_the_first_column() -> None:
    text = decoded("\ufeffquestion,reference,answer,accepted\nq,r,a,1\n".encode())
    assert len(read_csv(text)[0]) == 1


def test_an_answer_may_be_as_long_as_an_answer_may_be() -> None:
    long = "word " * 60_000
    assert read_csv(write_csv([Label("q", ("r",), long, True)], [0.5]))[0][0].answer == long


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("question,answer,accepted\nq,a,yes\n", "the column reference is missing"),
        ("question,reference,answer,accepted\nq,r,a,yes\nq,r,a,maybe\n", "line 3: accepted is 'maybe'; allowed are"),
        ("question,reference,answer,accepted\nq,,a,yes\n", "line 2: the reference is empty"),
        ("question,reference,answer,accepted,other_answers\nq,r,a,yes,x\n", "line 2: other_answers is no JSON list"),
        ("question,reference,answer,accepted\nq,r,a,yes\nq,r,a,no\n", "line 3: line 2 says the opposite"),
        ("", "the column question is missing"),
        ("question;reference;answer;accepted\nq;r;a;yes\n", "separated by semicolons; save it with commas"),
        ("question,reference,answer,accepted\nq,r,a,yes\nq,r,b\n", "line 3: the column accepted is missing"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_the_line(text: str, complaint: str) -> None:
    with pytest.raises(BadLabelsError, match=complaint):
        read_csv(text)


def test_a_file_that_is_not_utf_8_is_refused_with_the_line() -> None:
    with pytest.raises(BadLabelsError, match="not UTF-8, line 2"):
        decoded("question,reference,answer,accepted\n¿qué?,r,a,yes\n".encode("latin-1"))
