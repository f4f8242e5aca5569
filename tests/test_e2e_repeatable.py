"""The same seed and run on fresh stacks give the same verdicts and scores."""

import csv

from stack.api import Stack
from tests.support import Probe

Requests = list[tuple[str, str]]
Verdicts = dict[str, tuple[str, float]]


def _run() -> tuple[Requests, Verdicts]:
    """What was asked, in order, and how each request was judged."""
    with Stack() as stack:
        stack.send(TRAFFIC_SEED="7", TRAFFIC_RUN="same", TRAFFIC_TOTAL="150", TRAFFIC_RATE="100")
        with (stack.settings.data_collected() / "same" / "events.csv").open() as file:
            rows = sorted(csv.DictReader(file), key=lambda row: (row["scheduled"], row["message_id"]))
        with Probe(stack.endpoints) as probe:
            results = list(probe.database["results"].find())
        stack.clean()
    asked = [(row["message_id"], row["question_id"]) for row in rows]
    return asked, {outcome["_id"]: (outcome["verdict"], round(outcome["score"], 9)) for outcome in results}


def test_the_same_seed_and_run_on_a_fresh_stack_gives_the_same_verdicts_and_scores() -> None:
    asked, verdicts = _run()
    assert len(verdicts) == 150
    assert (asked, verdicts) == _run()
