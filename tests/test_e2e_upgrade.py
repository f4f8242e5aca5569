"""A stack goes on with what an earlier commit left: data, cached answers, and questions at every step of their way.

`fixtures/README.md` tells what that is and how it was made.
"""

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from bson import json_util
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from cotejo_native import Scorer

from flink_job.flink_rest import Flink
from stack.api import RUNTIME, Stack
from stack.runtime import SERVICES, SUBMIT
from tests.support import Document, Probe

pytestmark = pytest.mark.skipif(RUNTIME != "native", reason="the checkpoint is put into the folder of a native stack")

FIXTURE = Path(__file__).parent / "fixtures" / "upgrade"
OLD_SCORER = "f00f4ecb7ed6e094"
"""It was fitted on the same dataset as today's."""
MAX_ATTEMPTS = 3
VERDICT = ("llm_answer", "score", "scorer", "verdict", "attempts", "history", "threshold")

# Nothing of the fixture has expired, however old it is.
SETTINGS = {"STATE_TTL": "36500d", "CACHE_TTL": "36500d", "CHECKPOINT_INTERVAL": "1s"}


@dataclass(frozen=True)
class Upgrade:
    """What there was, and what has become of it."""

    stack: Stack
    records: list[Document]
    stored: list[Document]
    probe: Probe
    outcomes: dict[str, Document]

    def old(self, topic: str) -> list[Document]:
        """The messages that a topic of the fixture holds."""
        return [record["value"] for record in self.records if record["topic"] == topic]

    def new(self) -> list[Document]:
        """The outcomes for which there was no verdict yet."""
        had = {message["message_id"] for topic in ("validated_responses", "llm_errors") for message in self.old(topic)}
        return [outcome for message_id, outcome in self.outcomes.items() if message_id not in had]


@pytest.fixture(scope="module")
def upgrade() -> Iterator[Upgrade]:
    """Today's stack, at rest after it went on with the fixture."""
    stack = Stack(env=SETTINGS)
    try:
        stack.start()
        with Probe(stack) as probe:
            make_room(stack, probe)
            records, stored = lines("records"), lines("results")
            let_todays_model_have_given(unrepeated(stored, records), probe)
            write(records, stack)
            commit(json.loads((FIXTURE / "offsets.json").read_text()), stack)
            probe.database["results"].insert_many(stored)
            probe.database["metrics"].insert_many(lines("metrics"))
            put_checkpoint(stack)
            stack.runtime.start_part(SUBMIT)
            stack.wait_ready()
            probe.settle()
            yield Upgrade(stack, records, stored, probe, {outcome["_id"]: outcome for outcome in probe.results()})
    finally:
        stack.clean()


def make_room(stack: Stack, probe: Probe) -> None:
    """Leaves the servers of a new stack, with empty topics."""
    for part in (*SERVICES, SUBMIT):
        stack.runtime.stop_part(part)
    flink = Flink(stack.endpoints["FLINK_URL"])
    [job] = flink.running()
    flink.cancel(job.id)
    probe.database["metrics"].delete_many({})


def unrepeated(stored: list[Document], records: list[Document]) -> list[Document]:
    """The outcomes whose question was asked once."""
    asked = Counter(record["value"]["question_id"] for record in records if record["topic"] == "questions_in")
    return [outcome for outcome in stored if asked[outcome["question_id"]] == 1]


def let_todays_model_have_given(outcomes: list[Document], probe: Probe) -> None:
    """Adds by which settings the model answered: the earlier commit did not say that."""
    in_force = probe.database["model_settings"].find_one(sort=[("since", -1)])
    assert in_force
    for outcome in outcomes:
        outcome["settings"] = in_force["_id"]


def lines(name: str) -> list[Document]:
    """A file of the fixture with a document a line."""
    options = json_util.JSONOptions(tz_aware=True)
    return [
        json_util.loads(line, json_options=options) for line in (FIXTURE / f"{name}.jsonl").read_text().splitlines()
    ]


def write(records: list[Document], stack: Stack) -> None:
    """Writes records to where they lay."""
    wanted = [(record["topic"], record["partition"], record["offset"]) for record in records]
    places = []

    def delivered(error: object, written: Message) -> None:
        assert error is None
        places.append((written.topic(), written.partition(), written.offset()))

    servers = stack.endpoints["KAFKA_BOOTSTRAP_SERVERS"]
    producer = Producer({"bootstrap.servers": servers, "enable.idempotence": True, "log_level": 0})
    for record in records:
        value = json.dumps(record["value"], separators=(",", ":"), ensure_ascii=False)
        producer.produce(record["topic"], value, record["key"], record["partition"], on_delivery=delivered)
    producer.flush(60)
    assert sorted(places) == sorted(wanted)


def commit(groups: dict[str, dict[str, list[int]]], stack: Stack) -> None:
    """Lets every group have read as far as it had."""
    for group, topics in groups.items():
        offsets = [
            TopicPartition(topic, partition, offset)
            for topic, committed in topics.items()
            for partition, offset in enumerate(committed)
            if offset >= 0
        ]
        consumer = Consumer({"bootstrap.servers": stack.endpoints["KAFKA_BOOTSTRAP_SERVERS"], "group.id": group})
        consumer.commit(offsets=offsets, asynchronous=False)
        consumer.close()


def put_checkpoint(stack: Stack) -> None:
    """Puts the job's checkpoint where flink-submit looks for the newest."""
    folder = stack.run_dir / "data" / "flink" / "checkpoints" / "c07e70" / "chk-21"
    folder.mkdir(parents=True)
    (folder / "_metadata").write_bytes(gzip.decompress((FIXTURE / "checkpoint_metadata.gz").read_bytes()))


def test_every_request_has_one_outcome(upgrade: Upgrade) -> None:
    asked = {record["value"]["message_id"] for record in upgrade.records}
    assert upgrade.outcomes.keys() == asked
    assert upgrade.probe.dead_letters() == {}
    assert all(outcome["attempts"] <= MAX_ATTEMPTS for outcome in upgrade.outcomes.values())


def test_what_had_its_outcome_or_its_verdict_keeps_it(upgrade: Upgrade) -> None:
    assert upgrade.stored
    for outcome in upgrade.stored:
        now = upgrade.outcomes[outcome["_id"]]
        assert {**now, **outcome} == now
    verdicts = {verdict["message_id"]: verdict for verdict in upgrade.old("validated_responses")}
    waiting = verdicts.keys() - {outcome["_id"] for outcome in upgrade.stored}
    assert waiting
    for message_id in waiting:
        now = upgrade.outcomes[message_id]
        assert {name: now[name] for name in VERDICT} == {name: verdicts[message_id][name] for name in VERDICT}


def test_the_state_moves_from_the_heap_to_rocksdb(upgrade: Upgrade) -> None:
    flink = upgrade.stack.run_dir / "data" / "flink"
    assert list(flink.glob("checkpoints-rocksdb/*/chk-*/_metadata"))
    assert not list(flink.glob("checkpoints/*/chk-*/_metadata"))


def test_the_metrics_equal_the_results(upgrade: Upgrade) -> None:
    assert upgrade.probe.metrics_equal_the_results()


def test_the_job_remembers_the_attempts_that_it_has_seen(upgrade: Upgrade) -> None:
    undecided = {outcome["_id"]: outcome for outcome in upgrade.new()}
    failed = [request for request in upgrade.old("regeneration_requests") if request["message_id"] in undecided]
    assert failed
    for request in failed:
        history = undecided[request["message_id"]]["history"]
        seen = [line for line in history if line["attempts"] <= request["attempts"]]
        assert [line["attempts"] for line in seen] == [*range(1, request["attempts"] + 1)]
        assert all(line.get("scorer") in (None, OLD_SCORER) for line in seen)
        best = request["previous"]
        assert [line["score"] for line in seen if line["attempts"] == best["attempts"]] == [best["score"]]


def test_todays_scorer_gave_every_score_that_bears_its_name(upgrade: Upgrade) -> None:
    outcomes = [outcome for outcome in upgrade.new() if outcome["scorer"] != OLD_SCORER]
    assert {"failed-01", "failed-twice-01", "short-01", "unjudged-good-01"} <= {outcome["_id"] for outcome in outcomes}
    assert scored_otherwise(upgrade, outcomes) == []


def test_no_later_outcome_bears_the_name_of_the_old_one(upgrade: Upgrade) -> None:
    judged = upgrade.old("validated_responses")
    assert {verdict["scorer"] for verdict in judged} == {OLD_SCORER}
    assert [outcome["_id"] for outcome in upgrade.new() if outcome["scorer"] == OLD_SCORER] == []


def test_earlier_answers_by_unknown_settings_are_not_served(upgrade: Upgrade) -> None:
    repeats = [outcome for outcome in upgrade.new() if outcome["_id"].startswith("repeat-")]
    assert {outcome["source"] for outcome in repeats} == {"llm"}


def test_earlier_answers_by_todays_model_are_served_with_todays_score(upgrade: Upgrade) -> None:
    answers = {outcome["_id"]: outcome["llm_answer"] for outcome in upgrade.stored if outcome.get("settings")}
    asked = [one | {"message_id": f"later-{one['message_id']}"} for one in upgrade.old("questions_in")]
    again = [one for one in asked if one["message_id"].removeprefix("later-") in answers]
    outcomes = upgrade.probe.outcomes(upgrade.probe.ask(*again))
    served = [outcome for outcome in outcomes.values() if outcome["source"] == "mongodb"]
    assert served
    assert [one["_id"] for one in served if one["llm_answer"] != answers[one["_id"].removeprefix("later-")]] == []
    assert scored_otherwise(upgrade, list(outcomes.values())) == []


def scored_otherwise(upgrade: Upgrade, outcomes: list[Document]) -> list[tuple[object, ...]]:
    """The outcomes that name another scorer than today's, or have a score that it does not give their answer."""
    [made] = upgrade.probe.database["scorers"].find()
    scorer = Scorer(made["artefact"])
    assert scorer.hash != OLD_SCORER
    found: list[tuple[object, ...]] = []
    for outcome in outcomes:
        question = f"{outcome['title']}\n{outcome['content']}"
        score = scorer.score(question, [outcome["best_answer"]], outcome["llm_answer"])
        if (outcome["scorer"], outcome["score"]) != (scorer.hash, score):
            found.append((outcome["_id"], outcome["source"], outcome["scorer"], outcome["score"], score))
    return found
