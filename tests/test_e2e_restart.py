"""A stack that was stopped goes on where it was; one whose data was deleted begins anew."""

import httpx

from flink_job.flink_rest import Flink
from stack.api import Stack
from tests.support import Probe, eventually, question


def _checkpoints(stack: Stack) -> dict[str, dict[str, object] | None]:
    """The newest checkpoint of each kind of the running job."""
    [job] = Flink(stack.endpoints["FLINK_URL"]).running()
    url = f"{stack.endpoints['FLINK_URL']}/jobs/{job.id}/checkpoints"
    latest: dict[str, dict[str, object] | None] = httpx.get(url, trust_env=False).json()["latest"]
    return latest


def test_data_outlives_a_stop_and_ends_when_it_is_deleted() -> None:
    stack = Stack()
    try:
        stack.start()
        with Probe(stack.endpoints) as probe:
            asked = [question(f"Is number {number} remembered?") for number in range(30)]
            outcomes = probe.outcomes(probe.ask(*asked))
            probe.settle()
        eventually(lambda: _checkpoints(stack)["completed"] is not None, "a checkpoint")
        assert _checkpoints(stack)["restored"] is None
        stack.stop()

        stack.start()
        assert _checkpoints(stack)["restored"] is not None
        with Probe(stack.endpoints) as probe:
            again = [question(one["title"], question_id=one["question_id"]) for one in asked]
            repeats = probe.outcomes(probe.ask(*again))
            probe.settle()
            assert {outcome["_id"] for outcome in probe.results()} == outcomes.keys() | repeats.keys()
            assert {"cache", "mongodb"} & {outcome["source"] for outcome in repeats.values()}
            assert probe.metrics_equal_the_results()
        stack.clean()

        stack.start()
        assert _checkpoints(stack)["restored"] is None
        with Probe(stack.endpoints) as probe:
            assert probe.results() == []
    finally:
        stack.clean()
