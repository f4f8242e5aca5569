"""A topic that somebody deletes and makes anew."""

import json
from collections.abc import Iterator

import pytest
from confluent_kafka.admin import AdminClient

from stack.api import Stack
from stack.backlog import JOB
from stack.runtime import SUBMIT
from tests.support import BACK_AFTER_S, Document, Probe, eventually, message, question, submitter


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack of its own: afterwards its Flink has jobs of one id behind it, and lists none once the last one ends."""
    with Stack() as stack:
        yield stack
    stack.clean()


@pytest.fixture
def probe(stack: Stack) -> Iterator[Probe]:
    """Its probe."""
    with Probe(stack) as probe:
        yield probe


def make_anew(topic: str, stack: Stack) -> None:
    admin = AdminClient({"bootstrap.servers": stack.endpoints["KAFKA_BOOTSTRAP_SERVERS"]})
    admin.delete_topics([topic])[topic].result()
    eventually(lambda: topic not in admin.list_topics(timeout=10).topics, "a topic less")
    assert stack.runtime.popen("topics", quiet=True).wait(60) == 0


def test_a_topic_of_answers_that_is_made_anew_is_read_from_its_start(stack: Stack, probe: Probe) -> None:
    def decided(asked: list[str]) -> bool:
        return probe.database["results"].count_documents({"_id": {"$in": asked}}) == len(asked)

    probe.outcomes(probe.ask(*(question(f"Is answer {number} known?") for number in range(10))))
    # The job has noted in a checkpoint how far it has read.
    probe.settle()
    seen = len(probe.read("llm_responses"))
    stack.runtime.stop_part("taskmanager")
    make_anew("llm_responses", stack)
    # When the job comes back, the new topic reaches beyond where it had read the old one to.
    asked = probe.ask(*(question(f"Is answer {number} read?") for number in range(2 * seen + 10)))
    eventually(lambda: len(probe.read("llm_responses")) >= len(asked), "answers")
    stack.runtime.start_part("taskmanager")
    eventually(lambda: decided(asked), "outcomes", BACK_AFTER_S)
    assert probe.metrics_equal_the_results()
    stack.wait_ready()


def test_a_topic_of_errors_that_is_made_anew_is_read_from_its_start(stack: Stack, probe: Probe) -> None:
    def write(topic: str, *messages: Document) -> None:
        probe.write(topic, *(json.dumps(written).encode() for written in messages), key=b"of one partition")

    def verdict(message_id: str) -> Document:
        written = (json.loads(record.value() or b"") for record in probe.read("validated_responses"))
        return next((found for found in written if found["message_id"] == message_id), {})

    stack.runtime.stop_part("llm-consumer")
    failed = message("llm_responses", llm_answer="I do not know.", best_answer="Air scatters short waves of light.")
    ids = {name: failed[name] for name in ("message_id", "question_id")}
    write("llm_responses", failed)
    write("llm_errors", *(message("llm_errors") for _ in range(10)))
    eventually(lambda: all(probe.has_read(JOB, topic) for topic in ("llm_responses", "llm_errors")), "a checkpoint")

    stack.runtime.stop_part("taskmanager")
    make_anew("llm_errors", stack)
    # The one that matters lies where the old topic was read already.
    write("llm_errors", message("llm_errors", **ids), *(message("llm_errors") for _ in range(20)))
    stack.runtime.start_part("taskmanager")
    eventually(lambda: "made anew: llm_errors" in stack.runtime.read_log(SUBMIT), "a look at the topic")
    eventually(lambda: stack.runtime.is_ready(submitter(stack)), "a job that reads it", BACK_AFTER_S)
    # That this one was read is said by none but the job that was submitted then.
    write("llm_errors", message("llm_errors"))
    eventually(lambda: probe.has_read(JOB, "llm_errors"), "a checkpoint")

    write("llm_responses", failed | {"attempts": 2, "llm_answer": failed["best_answer"]})
    eventually(lambda: bool(verdict(failed["message_id"])), "a verdict")
    assert [line["attempts"] for line in verdict(failed["message_id"])["history"]] == [2]
    stack.runtime.start_part("llm-consumer")
    stack.wait_ready()
