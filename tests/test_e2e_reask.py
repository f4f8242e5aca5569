"""What a model could not answer is asked again once it is mended, and never more often than that takes."""

import argparse
import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from stack import reask
from stack.api import RUNTIME, Stack
from stack.settings import StackError
from tests import model_behaviours as behaviours
from tests.model_behaviours import answer, only
from tests.model_scene import Scene
from tests.model_server import ModelServer
from tests.support import Document, Probe, eventually

pytestmark = pytest.mark.skipif(RUNTIME != "native", reason="no container reaches a server of the test's own process")


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    """The model's server."""
    with ModelServer(answer()) as server:
        yield server


@pytest.fixture(scope="module")
def stack(server: ModelServer) -> Iterator[Stack]:
    """A stack that asks it."""
    settings = {"LLM_MODE": "openai", "OPENAI_MODEL": "small", "OPENAI_API_KEY": "sk-test"}
    with Stack(env=settings | {"OPENAI_BASE_URL": server.url}) as stack:
        yield stack
    stack.clean()


@pytest.fixture
def scene(stack: Stack, server: ModelServer, probe: Probe, tmp_path: Path) -> Iterator[Scene]:
    """A scene of its own for each test; the server is well after it."""
    yield Scene(stack, server, probe, tmp_path)
    server.listen()


def run(scene: Scene, monkeypatch: pytest.MonkeyPatch, *given: str, patience_s: int = 60) -> dict[str, str]:
    """Runs the command and returns what it prints: the first word of each line, and the line."""
    output = io.StringIO()
    monkeypatch.setattr(reask, "console", Console(file=output, width=200, highlight=False, markup=False))
    settings = replace(scene.stack.settings, patience_s=patience_s)
    reask.reask(scene.stack.runtime, settings, argparse.Namespace(options=list(given)))
    return {line.split()[0]: " ".join(line.split()) for line in output.getvalue().splitlines()}


def fail_one(scene: Scene) -> Document:
    """Asks some questions of a model that does not want to hear of one of them; returns how that one ended."""
    questions = scene.questions(5)
    victim = questions[2]["title"]
    scene.server.behave = only(victim, behaviours.filtered(), scene.good())
    scene.probe.ask(*questions)
    outcome = scene.outcomes(questions, errors={victim: "content_filter"})[2]
    scene.server.behave = scene.good()
    return outcome


def recovered(scene: Scene, failed: Document) -> Document:
    """How the one retry of a question ended that had ended in an error."""
    [again] = scene.probe.database["results"].find({"retry_of": failed["_id"]})
    assert again["verdict"] == "accepted"
    assert again["run"].startswith("reask-")
    kept = ("question_id", "title", "content", "best_answer", "other_answers")
    assert [again[name] for name in kept] == [failed[name] for name in kept]
    # Once when it failed, once when it was asked again.
    assert sum(failed["title"] in call.text for call in scene.calls()) == 2
    eventually(scene.probe.metrics_equal_the_results, "metrics that equal the results")
    return again


def test_what_was_refused_is_asked_again_when_its_error_is_named_and_only_once(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = fail_one(scene)
    assert failed["error"]["retry_at"] > datetime.now(UTC) + timedelta(minutes=30)
    shown = run(scene, monkeypatch)
    assert shown["content_filter"].startswith("content_filter 1 0 20")
    assert "ERRORS=content_filter" in shown["To"]
    assert scene.probe.database["results"].count_documents({"retry_of": failed["_id"]}) == 0
    shown = run(scene, monkeypatch, "ERRORS=timeout,content_filter")
    assert [shown[name] for name in ("asked", "recovered", "still")] == ["asked again 1", "recovered 1", "still open 0"]
    recovered(scene, failed)
    assert "no question is left with an error" in run(scene, monkeypatch, "ERRORS=content_filter")["Nothing"]
    recovered(scene, failed)


def test_what_fails_again_can_be_asked_again(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    first = fail_one(scene)
    scene.server.behave = behaviours.context_too_long()
    shown = run(scene, monkeypatch, "ERRORS=content_filter")
    assert (shown["failed"], shown["context_too_long"]) == ("failed again 1", "context_too_long 1")
    assert "is left with content_filter" in run(scene, monkeypatch, "ERRORS=content_filter")["Nothing"]
    scene.server.behave = scene.good()
    assert run(scene, monkeypatch, "ERRORS=context_too_long")["recovered"] == "recovered 1"
    [second] = scene.probe.database["results"].find({"retry_of": first["_id"]})
    assert scene.probe.database["results"].count_documents({"retry_of": second["_id"], "verdict": "accepted"}) == 1


def test_a_command_that_was_interrupted_goes_on_when_it_is_given_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = fail_one(scene)
    scene.server.refuse()
    with pytest.raises(StackError, match="the same command follows them"):
        run(scene, monkeypatch, "ERRORS=content_filter", patience_s=5)
    scene.server.listen()
    # By then it may have its outcome, or not.
    shown = run(scene, monkeypatch, "ERRORS=content_filter")
    assert "Nothing" in shown or (shown["asked"], shown["recovered"]) == ("asked before 1", "recovered 1")
    recovered(scene, failed)
