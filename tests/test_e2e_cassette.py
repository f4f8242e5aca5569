"""A cassette, replayed on fresh stacks without any network, gives the same answers to the byte."""

import json
from pathlib import Path

import pytest

from stack.api import RUNTIME, Stack
from tests.support import Document, Probe

pytestmark = pytest.mark.skipif(RUNTIME != "native", reason="no container sees a file of the tests")

CASSETTE = Path(__file__).parent / "fixtures/cassette.jsonl"
"""Twenty questions of the sample dataset, some of them asked again: recorded from the tests' own server by
`python -m tests.record_cassette`."""
RUN = {"TRAFFIC_SEED": "20", "TRAFFIC_RUN": "cassette", "TRAFFIC_TOTAL": "20", "TRAFFIC_POPULARITY": "each"}
TIMES = ("asked_at", "produced_at", "latency_ms")


def _replayed(questions: int) -> tuple[list[bytes], list[Document]]:
    """Every response that a replay gives, without its times, and the outcomes."""
    replay = {"LLM_MODE": "replay", "LLM_CASSETTE": str(CASSETTE), "OPENAI_BASE_URL": "http://127.0.0.1:1/v1"}
    with Stack(env=replay) as stack:
        stack.send(**RUN | {"TRAFFIC_TOTAL": str(questions)})
        with Probe(stack.endpoints) as probe:
            responses = [json.loads(record.value() or b"") for record in probe.read("llm_responses")]
            results = list(probe.database["results"].find())
        stack.clean()
    timeless = [{name: value for name, value in response.items() if name not in TIMES} for response in responses]
    return sorted(json.dumps(response).encode() for response in timeless), results


@pytest.fixture(scope="module")
def replayed() -> tuple[list[bytes], list[Document]]:
    """A run with five questions more than were recorded."""
    return _replayed(25)


def test_a_cassette_gives_the_same_responses_on_every_fresh_stack_and_costs_nothing(
    replayed: tuple[list[bytes], list[Document]],
) -> None:
    responses, results = replayed
    assert len({json.loads(response)["message_id"] for response in responses}) == 20
    assert sum(result["verdict"] in ("accepted", "exhausted") for result in results) == 20
    assert {response for response in responses if json.loads(response)["spent"]["nanodollars"]} == set()
    recorded = {line["completion"]["answer"] for line in map(json.loads, CASSETTE.read_text().splitlines())}
    assert {json.loads(response)["llm_answer"] for response in responses} <= recorded
    assert responses == _replayed(20)[0]


def test_what_is_not_in_the_cassette_is_an_error_that_names_the_prompt(
    replayed: tuple[list[bytes], list[Document]],
) -> None:
    _, results = replayed
    errors = [result["error"] for result in results if result["verdict"] == "error"]
    assert len(errors) == 5
    for error in errors:
        assert error["type"] == "not_recorded"
        assert any(len(word.strip(".,:;")) == 16 for word in error["detail"].split()), error["detail"]
