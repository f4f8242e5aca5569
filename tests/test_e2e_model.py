"""A model's server at its worst: what concerns all questions is waited for, what concerns one ends that one alone.

And nothing is paid for that is not accounted for: the calls of all outcomes are those that the server saw.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import pytest
from confluent_kafka import Message
from confluent_kafka.admin import AdminClient

from stack.api import RUNTIME, Stack
from stack.runtime import SERVICES
from tests import model_behaviours as behaviours
from tests.model_behaviours import answer, only
from tests.model_scene import REPLICAS, Scene
from tests.model_server import WRONG_CERTIFICATE, Behaviour, Call, ModelServer
from tests.support import WEB, Document, Probe, eventually, other_settings, question

pytestmark = pytest.mark.skipif(RUNTIME != "native", reason="no container reaches a server of the test's own process")

CANARY = "sk-canary-5f0c9a1e7b"
SETTINGS = {
    "SCALE_LLM_CONSUMER": str(len(REPLICAS)),
    "LLM_CONCURRENCY": "64",
    "LLM_MAX_OUTPUT_TOKENS": "400",
    "LLM_MODE": "openai",
    "LLM_TIMEOUT": "2s",
    "OPENAI_MODEL": "small",
    "OPENAI_API_KEY": CANARY,
}

AWAY_S = 10
OUTAGE_S = 3
KILLS = 10
KEPT_WITHIN_S = 0.5
"""A call that ended so shortly before a kill may have been lost by it: its answer was not kept yet."""


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    """The model's server."""
    with ModelServer(answer()) as server:
        yield server


@pytest.fixture(scope="module")
def stack(server: ModelServer) -> Iterator[Stack]:
    """A stack that asks it."""
    with Stack(env=SETTINGS | {"OPENAI_BASE_URL": server.url}) as stack:
        yield stack
    stack.clean()


@pytest.fixture
def scene(stack: Stack, server: ModelServer, probe: Probe, tmp_path: Path) -> Iterator[Scene]:
    """A scene of its own for each test; the server is well before and after."""
    scene = Scene(stack, server, probe, tmp_path)
    server.behave = scene.good()
    yield scene
    server.listen()
    server.behave = scene.good()


def test_questions_wait_while_the_server_is_away(scene: Scene) -> None:
    began = datetime.now(UTC)
    scene.server.refuse()
    asked = scene.ask(500)
    eventually(lambda: scene.are_closed("unreachable"), "closed gates")
    # Each replica may be trying with one.
    waiting = len(asked) - len(REPLICAS)
    eventually(lambda: sum(gate["waiting"] for gate in scene.gates()) >= waiting, "all questions at the gates")
    time.sleep(AWAY_S)
    for gate in scene.gates():
        assert gate["gate"] == "closed"
        assert gate["detail"]
        assert began < datetime.fromisoformat(gate["since"]) < datetime.now(UTC)
    assert scene.calls() == []
    scene.server.listen()
    scene.all_is_paid_for_once(scene.outcomes(asked))
    assert scene.are_open()


@pytest.mark.parametrize(
    ("behave", "cause"),
    [
        pytest.param(behaviours.unauthorized(), "unauthorized", id="401"),
        pytest.param(behaviours.no_credit(), "quota_exhausted", id="402"),
        pytest.param(behaviours.model_missing(), "refused", id="404"),
        pytest.param(behaviours.failing(), "unavailable", id="500"),
        pytest.param(behaviours.reset(), "unavailable", id="reset"),
        pytest.param(behaviours.cut(answer()), "unavailable", id="cut"),
    ],
)
def test_questions_wait_until_what_concerns_all_is_mended(scene: Scene, behave: Behaviour, cause: str) -> None:
    scene.server.behave = behave
    asked = scene.ask(60)
    eventually(lambda: scene.are_closed(cause), "closed gates")
    time.sleep(OUTAGE_S)
    scene.server.behave = scene.good()
    scene.all_is_paid_for_once(scene.outcomes(asked))
    assert scene.are_open()


def test_a_limit_on_calls_is_kept_with_few_refusals(scene: Scene) -> None:
    questions = scene.questions(1800)
    scene.server.behave = behaviours.limited_by_window(600, 6.0, scene.good())
    scene.probe.ask(*questions)
    scene.all_is_paid_for_once(scene.outcomes(questions))
    refused = sum(call.status == 429 for call in scene.calls())
    assert 0 < refused < 0.15 * len(questions)


@pytest.mark.parametrize(
    ("behave", "error", "calls"),
    [
        pytest.param(behaviours.failing(), "unavailable", None, id="500"),
        pytest.param(behaviours.filtered(), "content_filter", 1, id="content filter"),
        pytest.param(behaviours.context_too_long(), "context_too_long", 1, id="context"),
        pytest.param(behaviours.hanging(), "timeout", 2, id="hang"),
        pytest.param(behaviours.not_json(), "invalid_response", 1, id="invalid JSON"),
        pytest.param(answer(default=""), "empty_answer", 1, id="empty answer"),
        pytest.param(answer(default="x" * 10_000_000), "answer_too_large", 1, id="10 MB"),
        pytest.param(behaviours.dripping(answer()), "timeout", 2, id="one byte a second"),
        pytest.param(behaviours.error_inside(), "unavailable", None, id="an error inside a 200"),
    ],
)
def test_what_concerns_one_question_ends_that_one_alone(
    scene: Scene, behave: Behaviour, error: str, calls: int | None
) -> None:
    questions = scene.questions(20)
    victim = questions[10]["title"]
    # So long that all are under way together: one that fails after all others were answered waits as in an outage.
    scene.server.behave = only(victim, behave, scene.good(latency_s=0.5))
    scene.probe.ask(*questions)
    outcomes = scene.outcomes(questions, errors={victim: error})
    scene.all_is_paid_for_once(outcomes)
    seen = sum(victim in call.text for call in scene.calls())
    assert outcomes[10]["spent"]["calls"] == seen
    assert calls in (None, seen)


def test_an_answer_that_was_kept_is_not_paid_for_again_though_replicas_are_killed(scene: Scene) -> None:
    kills: list[Kill] = []

    def kill_in_turn() -> None:
        for number in range(KILLS):
            eventually(lambda: scene.server.in_flight > 0, "calls under way")
            began = time.monotonic()
            scene.stack.runtime.kill_part(REPLICAS[number % len(REPLICAS)])
            kills.append((began, time.monotonic()))
            time.sleep(1)

    scene.server.behave = scene.good(latency_s=0.3)
    killer = threading.Thread(target=kill_in_turn)
    killer.start()
    try:
        asked = ask_while(killer.is_alive, scene)
    finally:
        killer.join()
    outcomes = scene.outcomes(asked)
    assert len(kills) == KILLS
    assert [outcome["attempts"] for outcome in outcomes] == [1] * len(asked)
    calls, repeats = scene.calls(), []
    for earlier, call in pairs(calls):
        repeats.append(call)
        is_kept = earlier.status == 200 and not any(met(earlier, kill) for kill in kills)
        assert not is_kept or earlier.ended + KEPT_WITHIN_S > call.began, call.text
    assert len(calls) - len(repeats) == len(asked)
    # The kills were no blanks.
    assert any(call.status == 0 for call in calls)
    assert len(repeats) <= sum(met(call, kill) for call in calls for kill in kills)


Kill = tuple[float, float]
"""Between which times it was."""


def test_a_request_that_comes_twice_while_it_waits_is_paid_for_once(scene: Scene) -> None:
    scene.server.refuse()
    asked = scene.ask(5)
    ids = {one["message_id"] for one in asked}

    def requests() -> list[Message]:
        records = scene.probe.read("llm_requests")
        return [record for record in records if json.loads(record.value() or b"")["message_id"] in ids]

    eventually(lambda: len(requests()) == len(asked), "requests")
    for record in requests():
        scene.probe.write("llm_requests", record.value() or b"", key=record.key())
    time.sleep(OUTAGE_S)
    scene.server.listen()
    outcomes = scene.outcomes(asked)
    scene.probe.settle()
    assert len(scene.calls()) == len(asked)
    scene.all_is_paid_for_once(outcomes)


def met(call: Call, kill: Kill) -> bool:
    """Whether a call was under way at a kill, or its answer perhaps not kept yet."""
    return call.began < kill[1] and call.ended + KEPT_WITHIN_S > kill[0]


def pairs(calls: list[Call]) -> Iterator[tuple[Call, Call]]:
    """Each call for something that was asked before, after the last one before it."""
    last: dict[str, Call] = {}
    for call in calls:
        if call.text in last:
            yield last[call.text], call
        last[call.text] = call


def ask_while(condition: Callable[[], bool], scene: Scene, rate: int = 25) -> list[Document]:
    """Asks so many new questions a second."""
    asked: list[Document] = []
    questions = iter(scene.questions(6000))
    while condition():
        some = list(islice(questions, rate // 5))
        scene.probe.ask(*some)
        asked += some
        time.sleep(0.2)
    return asked


def test_no_answer_of_an_earlier_model_is_served_for_that_of_another(scene: Scene) -> None:
    def again() -> list[Document]:
        return [
            question(**{name: one[name] for name in ("title", "content", "best_answer", "question_id")})
            for one in first
        ]

    first = scene.ask(10)
    scene.outcomes(first)
    repeats = again()
    scene.probe.ask(*repeats)
    served = scene.outcomes([*first, *repeats])[len(first) :]
    assert {outcome["source"] for outcome in served} <= {"cache", "mongodb"}
    assert len(scene.calls()) == len(first)
    with other_settings(scene.stack, OPENAI_MODEL="large"):
        others = again()
        scene.probe.ask(*others)
        asked = scene.outcomes([*first, *repeats, *others])[-len(others) :]
    assert {(outcome["source"], outcome["model"]) for outcome in asked} == {("llm", "large")}
    assert [call.body["model"] for call in scene.calls()] == ["small"] * len(first) + ["large"] * len(others)


BUDGET = 4_000
"""Tokens: enough for a part of the questions."""


def test_a_budget_is_never_exceeded_and_without_it_the_questions_that_waited_go_on(scene: Scene) -> None:
    with other_settings(scene.stack, LLM_BUDGET_TOKENS=str(BUDGET)):
        asked = scene.ask(150)
        eventually(lambda: scene.are_closed("budget_spent"), "a spent budget")
        time.sleep(OUTAGE_S)
        calls = len(scene.calls())
        eventually(lambda: len(spent(scene, asked)) >= calls, "outcomes of all calls")
        bills = spent(scene, asked)
        # More than that were reserved for a call whose answer turned out shorter.
        assert 0.5 * BUDGET < sum(bill["input_tokens"] + bill["output_tokens"] for bill in bills) <= BUDGET
        assert 0 < len(bills) == calls == len(scene.calls()) < len(asked)
    scene.all_is_paid_for_once(scene.outcomes(asked))
    document = scene.probe.database["budget"].find_one()
    assert document
    assert document["spent"]["tokens"] <= BUDGET


def spent(scene: Scene, asked: list[Document]) -> list[Document]:
    """What the questions have cost that are decided."""
    ids = {one["message_id"] for one in asked}
    return [outcome["spent"] for outcome in scene.probe.results() if outcome["_id"] in ids]


def test_questions_wait_while_the_servers_certificate_is_wrong(scene: Scene) -> None:
    with (
        ModelServer(answer(), certificate=WRONG_CERTIFICATE) as wrong,
        other_settings(scene.stack, OPENAI_BASE_URL=wrong.url),
    ):
        asked = scene.ask(20)
        eventually(lambda: scene.are_closed("unreachable"), "closed gates")
        assert all("certificate" in gate["detail"] for gate in scene.gates())
        assert wrong.log == []
    scene.all_is_paid_for_once(scene.outcomes(asked))


def test_the_key_is_sent_to_the_server_and_is_nowhere_else(scene: Scene) -> None:
    scene.server.behave = behaviours.unauthorized()
    asked = scene.ask(5)
    eventually(lambda: any(gate["gate"] == "closed" for gate in scene.gates()), "a closed gate")
    pages = list(texts_of_pages(scene.stack))
    scene.server.behave = scene.good()
    scene.outcomes(asked)
    # The server has quoted it.
    assert {headers["authorization"] for headers in scene.server.headers_seen} == {f"Bearer {CANARY}"}
    for where, text in [*pages, *texts_of_logs(scene.stack), *texts_of_topics(scene), *texts_of_documents(scene.probe)]:
        assert CANARY not in text, where


def texts_of_pages(stack: Stack) -> Iterator[tuple[str, str]]:
    """What the services show."""
    ports = [part.port for part in stack.runtime.parts() if part.service in SERVICES]
    for port in ports:
        for path in ("/", "/questions", "/healthz", "/readyz", "/metrics", "/api/metrics", "/api/model"):
            url = f"http://127.0.0.1:{port}{path}"
            yield url, WEB.get(url, follow_redirects=True).text


def texts_of_logs(stack: Stack) -> Iterator[tuple[str, str]]:
    """What the parts say, and what the generator records."""
    for file in [*(stack.run_dir / "logs").rglob("*"), *stack.settings.data_collected().rglob("*")]:
        if file.is_file():
            yield str(file), file.read_text(errors="replace")


def texts_of_topics(scene: Scene) -> Iterator[tuple[str, str]]:
    """Every record."""
    admin = AdminClient({"bootstrap.servers": scene.stack.endpoints["KAFKA_BOOTSTRAP_SERVERS"]})
    for topic in admin.list_topics(timeout=30).topics.keys() - {"__consumer_offsets"}:
        for record in scene.probe.read(topic):
            yield topic, str((record.key(), record.value(), record.headers()))


def texts_of_documents(probe: Probe) -> Iterator[tuple[str, str]]:
    """Every document."""
    for collection in probe.database.list_collection_names():
        for document in probe.database[collection].find():
            yield collection, str(document)
