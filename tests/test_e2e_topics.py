"""A topic that somebody deletes and makes anew."""

from collections.abc import Iterator

import pytest
from confluent_kafka.admin import AdminClient

from stack.api import Stack
from tests.support import BACK_AFTER_S, Probe, eventually, question


@pytest.fixture
def stack() -> Iterator[Stack]:
    """A stack of its own: afterwards its Flink has two jobs of one id behind it, and lists neither once it ends."""
    with Stack() as stack:
        yield stack
    stack.clean()


@pytest.fixture
def probe(stack: Stack) -> Iterator[Probe]:
    """Its probe."""
    with Probe(stack) as probe:
        yield probe


def test_a_topic_of_answers_that_is_made_anew_is_read_from_its_start(stack: Stack, probe: Probe) -> None:
    def decided(asked: list[str]) -> bool:
        return probe.database["results"].count_documents({"_id": {"$in": asked}}) == len(asked)

    probe.outcomes(probe.ask(*(question(f"Is answer {number} known?") for number in range(10))))
    # The job has noted in a checkpoint how far it has read.
    probe.settle()
    seen = len(probe.read("llm_responses"))
    stack.runtime.stop_part("taskmanager")
    admin = AdminClient({"bootstrap.servers": stack.endpoints["KAFKA_BOOTSTRAP_SERVERS"]})
    admin.delete_topics(["llm_responses"])["llm_responses"].result()
    eventually(lambda: "llm_responses" not in admin.list_topics(timeout=10).topics, "a topic less")
    assert stack.runtime.popen("topics", quiet=True).wait(60) == 0
    # When the job comes back, the new topic reaches beyond where it had read the old one to.
    asked = probe.ask(*(question(f"Is answer {number} read?") for number in range(2 * seen + 10)))
    eventually(lambda: len(probe.read("llm_responses")) >= len(asked), "answers")
    stack.runtime.start_part("taskmanager")
    eventually(lambda: decided(asked), "outcomes", BACK_AFTER_S)
    assert probe.metrics_equal_the_results()
    stack.wait_ready()
