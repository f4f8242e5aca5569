"""Which topics of the job were made anew, by what its folder of state knows of them."""

from pathlib import Path

import pytest

from flink_job.config import Config
from flink_job.topics import Topics


@pytest.fixture
def topics(tmp_path: Path) -> Topics:
    return Topics(Config.from_environment({"FLINK_STATE_DIR": str(tmp_path)}))


def test_a_topic_is_made_anew_when_the_state_begins_with_another_of_its_name(topics: Topics) -> None:
    at_first = {"llm_responses": "a", "llm_errors": "e"}
    assert topics.remade(at_first) == {}
    assert topics.remade(at_first | {"llm_errors": "f"}) == {"llm_errors": "f"}
    assert topics.remade({"llm_responses": "b", "llm_errors": "g"}) == {"llm_responses": "b", "llm_errors": "g"}
    assert topics.remade(at_first) == {}


def test_a_job_is_submitted_for_the_topics_that_are_there_then(topics: Topics, monkeypatch: pytest.MonkeyPatch) -> None:
    now = {"llm_responses": "a", "llm_errors": "e"}
    monkeypatch.setattr(topics, "ids", lambda: now)
    assert topics.others() == []
    topics.note(now)
    assert topics.others() == []
    now = {"llm_responses": "a", "llm_errors": "f"}
    assert topics.others() == ["llm_errors"]


def test_a_state_that_knows_only_the_topic_of_answers_goes_on_with_both(topics: Topics, tmp_path: Path) -> None:
    (tmp_path / "answers-topic-at-first").write_text("a")
    (tmp_path / "answers-topic").write_text("b")
    assert topics.remade({"llm_responses": "b", "llm_errors": "e"}) == {"llm_responses": "b"}
    # From now on it would be noticed.
    assert topics.remade({"llm_responses": "b", "llm_errors": "f"}) == {"llm_responses": "b", "llm_errors": "f"}
