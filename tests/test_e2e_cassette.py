"""A cassette, replayed without any network, gives the same answers to the byte."""

import json
from pathlib import Path

import pytest

from stack.api import RUNTIME, Stack
from tests.support import Document, Probe, is_json_object, other_settings

pytestmark = pytest.mark.skipif(RUNTIME != "native", reason="no container sees a file of the tests")

CASSETTE = Path(__file__).parent / "fixtures/cassette.jsonl"
"""Twenty questions of the sample dataset, some of them asked again: recorded from the tests' own server by
`python -m tests.record_cassette`."""
RUN = {"TRAFFIC_SEED": "20", "TRAFFIC_POPULARITY": "each"}
OF_A_RUN = ("message_id", "trace_id", "run", "asked_at", "produced_at", "latency_ms")

Replayed = tuple[list[bytes], list[Document]]


def _replayed(stack: Stack, probe: Probe, run: str, questions: int) -> Replayed:
    """Every response that a run is given, without what is a run's own, and its outcomes."""
    stack.send(**RUN, TRAFFIC_RUN=run, TRAFFIC_TOTAL=str(questions))
    records = [record.value() for record in probe.read("llm_responses")]
    responses = [json.loads(value or b"") for value in records if is_json_object(value)]
    results = list(probe.database["results"].find({"run": run}))
    assert len(results) == questions
    shared = [
        {name: value for name, value in response.items() if name not in OF_A_RUN}
        for response in responses
        if response.get("run") == run
    ]
    return sorted(json.dumps(response).encode() for response in shared), results


@pytest.fixture(scope="module")
def replayed(stack: Stack) -> tuple[Replayed, Replayed]:
    """A run with five questions more than were recorded, and one that finds no earlier answer."""
    replay = {"LLM_MODE": "replay", "LLM_CASSETTE": str(CASSETTE), "OPENAI_BASE_URL": "http://127.0.0.1:1/v1"}
    with other_settings(stack, **replay, CACHE_TTL="1ms"), Probe(stack) as probe:
        return _replayed(stack, probe, "replayed", 25), _replayed(stack, probe, "replayed-again", 20)


def test_a_cassette_gives_every_run_the_same_responses_and_costs_nothing(replayed: tuple[Replayed, Replayed]) -> None:
    (responses, results), (again, _) = replayed
    assert len({json.loads(response)["question_id"] for response in responses}) == 20
    assert sum(result["verdict"] in ("accepted", "exhausted") for result in results) == 20
    assert {response for response in responses if json.loads(response)["spent"]["nanodollars"]} == set()
    recorded = {line["completion"]["answer"] for line in map(json.loads, CASSETTE.read_text().splitlines())}
    assert {json.loads(response)["llm_answer"] for response in responses} <= recorded
    assert responses == again


def test_what_is_not_in_the_cassette_is_an_error_that_names_the_prompt(replayed: tuple[Replayed, Replayed]) -> None:
    (_, results), _ = replayed
    errors = [result["error"] for result in results if result["verdict"] == "error"]
    assert len(errors) == 5
    for error in errors:
        assert error["type"] == "not_recorded"
        assert any(len(word.strip(".,:;")) == 16 for word in error["detail"].split()), error["detail"]
