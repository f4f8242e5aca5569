"""What people are told of a model that does not answer."""

from datetime import datetime

from stack.model import complaint


def test_a_model_that_answers_is_not_mentioned() -> None:
    assert complaint({"gate": "open", "waiting": 3, "in_flight": 1, "concurrency": 64}) == []


def test_a_model_that_does_not_is_named_with_what_it_said_and_since_when() -> None:
    since = datetime(2026, 3, 1, 14, 3).astimezone()
    report = {
        "gate": "closed",
        "cause": "unauthorized",
        "meaning": "the model's server refuses the key",
        "detail": "HTTP 401 Unauthorized: no such key\nhint",
        "since": since.isoformat(),
        "waiting": 1500,
    }
    assert complaint(report) == [
        "the model's server refuses the key since 14:03: 1,500 questions wait (HTTP 401 Unauthorized: no such key)"
    ]
