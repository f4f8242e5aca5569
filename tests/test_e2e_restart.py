"""A stack that was stopped goes on where it was; one whose data was deleted begins anew, and the same way."""

import csv

from flink_job.flink_rest import Flink
from stack.api import Stack
from tests.support import WEB, Probe, eventually, question

RUN = {"TRAFFIC_SEED": "7", "TRAFFIC_RUN": "same", "TRAFFIC_TOTAL": "150", "TRAFFIC_RATE": "100"}

Requests = list[tuple[str, str]]
Verdicts = dict[str, tuple[str, float]]


def test_data_outlives_a_stop_and_a_run_on_a_fresh_stack_is_as_it_was_on_another() -> None:
    stack = Stack()
    try:
        stack.start()
        decided = _run(stack)
        with Probe(stack) as probe:
            asked = [question(f"Is number {number} remembered?") for number in range(30)]
            outcomes = probe.outcomes(probe.ask(*asked))
            probe.settle()
        eventually(lambda: _checkpoints(stack)["completed"] is not None, "a checkpoint")
        assert _checkpoints(stack)["restored"] is None
        stack.stop()

        stack.start()
        assert _checkpoints(stack)["restored"] is not None
        with Probe(stack) as probe:
            again = [question(one["title"], question_id=one["question_id"]) for one in asked]
            repeats = probe.outcomes(probe.ask(*again))
            probe.settle()
            stored = {outcome["_id"] for outcome in probe.results()}
            assert stored == {*outcomes, *repeats, *(message_id for message_id, _ in decided[0])}
            assert {"cache", "mongodb"} & {outcome["source"] for outcome in repeats.values()}
            assert probe.metrics_equal_the_results()
        stack.clean()

        stack.start()
        assert _checkpoints(stack)["restored"] is None
        with Probe(stack) as probe:
            assert probe.results() == []
        assert _run(stack) == decided
    finally:
        stack.clean()


def _run(stack: Stack) -> tuple[Requests, Verdicts]:
    """What a run asks, in order, and how each request is judged."""
    stack.send(**RUN)
    with (stack.settings.data_collected() / RUN["TRAFFIC_RUN"] / "events.csv").open() as file:
        rows = sorted(csv.DictReader(file), key=lambda row: (row["scheduled"], row["message_id"]))
    with Probe(stack) as probe:
        results = list(probe.database["results"].find())
    verdicts = {outcome["_id"]: (outcome["verdict"], round(outcome["score"], 9)) for outcome in results}
    assert len(verdicts) == len(rows) == int(RUN["TRAFFIC_TOTAL"])
    return [(row["message_id"], row["question_id"]) for row in rows], verdicts


def _checkpoints(stack: Stack) -> dict[str, dict[str, object] | None]:
    """The newest checkpoint of each kind of the running job."""
    [job] = Flink(stack.endpoints["FLINK_URL"]).running()
    url = f"{stack.endpoints['FLINK_URL']}/jobs/{job.id}/checkpoints"
    latest: dict[str, dict[str, object] | None] = WEB.get(url).json()["latest"]
    return latest
