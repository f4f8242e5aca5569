"""The server that stands in for a model's: each behaviour does what its name says."""

import http.client
import json
import socket
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests import model_behaviours as behaviours
from tests.model_behaviours import answer
from tests.model_server import WRONG_CERTIFICATE, Behaviour, ModelServer
from tests.support import eventually

TITLE = "Why is the sky blue?"
ANSWERS = {TITLE: "Air scatters blue light."}


@dataclass(frozen=True)
class Response:
    """What came of a call."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever was sent
        return json.loads(self.body)

    @property
    def content(self) -> Any:  # noqa: ANN401
        return self.json["choices"][0]["message"]["content"]


def connect(server: ModelServer, timeout: float = 10) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=timeout)


def post(connection: http.client.HTTPConnection, title: str = TITLE, **parameters: object) -> Response:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": f"Question: {title}"}]
    body = json.dumps({"model": "small", "messages": messages, **parameters})
    connection.request("POST", "/v1/chat/completions", body, {"Authorization": "Bearer key"})
    response = connection.getresponse()
    return Response(response.status, {k.lower(): v for k, v in response.headers.items()}, response.read())


def ask(behave: Behaviour, title: str = TITLE, **parameters: object) -> Response:
    """The response of a server that behaves so."""
    with ModelServer(behave) as server:
        return post(connect(server), title, **parameters)


def test_a_known_question_gets_its_answer_and_any_other_the_default() -> None:
    with ModelServer(answer(ANSWERS, default="No idea.")) as server:
        connection = connect(server)
        assert post(connection).content == ANSWERS[TITLE]
        other = post(connection, "Who?")
        assert other.content == "No idea."
        assert other.json["model"] == "small"
        assert other.json["usage"] == {"prompt_tokens": 2, "completion_tokens": 2, "total_tokens": 4}
        assert other.json["choices"][0]["finish_reason"] == "stop"


def test_what_it_saw_is_kept_and_a_connection_serves_many_calls() -> None:
    with ModelServer(answer()) as server:
        connection = connect(server)
        for title in ("one", "two", "one"):
            post(connection, title, seed=7)
            used = connection.sock
        assert connection.sock is used is not None
        assert server.calls == {"Question: one": 2, "Question: two": 1}
        assert server.calls.total() == server.statuses[200] == 3
        assert [body["seed"] for body in server.bodies] == [7, 7, 7]
        assert [headers["authorization"] for headers in server.headers_seen] == ["Bearer key"] * 3
        eventually(lambda: server.in_flight == 0, "an end")


def test_many_calls_are_answered_at_once() -> None:
    with ModelServer(answer(latency_s=0.5)) as server, ThreadPoolExecutor(128) as pool:
        began = time.monotonic()
        calls = [pool.submit(post, connect(server)) for _ in range(128)]
        eventually(lambda: server.in_flight > 64, "many calls under way")
        assert {call.result().status for call in calls} == {200}
        assert all(call.ended - call.began >= 0.5 for call in server.log)
        # One after the other they would take a minute.
        assert time.monotonic() - began < 30


def test_a_behaviour_can_be_changed_while_the_server_runs() -> None:
    with ModelServer(behaviours.unauthorized()) as server:
        connection = connect(server)
        assert post(connection).status == 401
        server.behave = answer(ANSWERS)
        assert post(connection).content == ANSWERS[TITLE]


@pytest.mark.parametrize(
    ("behave", "name", "value"),
    [
        (behaviours.limited(2), "retry-after", "2"),
        (behaviours.limited(0.5), "retry-after", "0.5"),
        (behaviours.limited(retry_after_ms=300), "retry-after-ms", "300"),
    ],
)
def test_a_limit_says_when_to_come_back(behave: Behaviour, name: str, value: str) -> None:
    response = ask(behave)
    assert (response.status, response.headers[name]) == (429, value)
    assert response.json["error"]["code"] == "rate_limit_exceeded"


def test_a_limit_may_name_a_date_or_nothing() -> None:
    until = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert parsedate_to_datetime(ask(behaviours.limited(until)).headers["retry-after"]) == until
    assert not {"retry-after", "retry-after-ms"} & ask(behaviours.limited()).headers.keys()


def test_a_limit_of_a_window_holds_until_its_end() -> None:
    with ModelServer(behaviours.limited_by_window(2, 2.0, answer())) as server:
        connection = connect(server)
        responses = [post(connection) for _ in range(4)]
        assert [response.status for response in responses] == [200, 200, 429, 429]
        time.sleep(float(responses[-1].headers["retry-after"]))
        assert post(connection).status == 200


@pytest.mark.parametrize(
    ("behave", "status", "code"),
    [
        (behaviours.failing(), 500, None),
        (behaviours.model_missing(), 404, "model_not_found"),
        (behaviours.context_too_long(), 400, "context_length_exceeded"),
        (behaviours.filtered(), 400, "content_filter"),
        (behaviours.unauthorized(), 401, "invalid_api_key"),
        (behaviours.no_credit(), 402, None),
    ],
)
def test_a_refusal_has_its_status_and_an_error_as_openai_writes_it(
    behave: Behaviour, status: int, code: str | None
) -> None:
    response = ask(behave)
    assert (response.status, response.json["error"]["code"]) == (status, code)
    assert response.json["error"].keys() == {"message", "type", "param", "code"}


def test_a_wrong_key_is_quoted() -> None:
    assert "provided: key." in ask(behaviours.unauthorized()).json["error"]["message"]


def test_a_parameter_that_is_not_known_is_refused_and_named() -> None:
    behave = behaviours.parameter_refused("max_tokens", answer())
    refused = ask(behave, max_tokens=5)
    assert (refused.status, refused.json["error"]["param"]) == (400, "max_tokens")
    assert ask(behave).status == 200


def test_a_behaviour_may_concern_one_question_or_the_first_calls_alone() -> None:
    with ModelServer(behaviours.only(TITLE, behaviours.failing(), answer())) as server:
        connection = connect(server)
        assert [post(connection, title).status for title in ("one", TITLE, "two")] == [200, 500, 200]
        server.behave = behaviours.at_first(2, behaviours.limited(0), answer())
        assert [post(connection).status for _ in range(4)] == [429, 429, 200, 200]


def test_a_call_may_hang_until_the_client_hangs_up() -> None:
    with ModelServer(behaviours.hanging()) as server:
        connection = connect(server, timeout=0.3)
        with pytest.raises(TimeoutError):
            post(connection)
        assert server.in_flight == 1
        connection.close()
        eventually(lambda: server.in_flight == 0, "an end")
        assert server.statuses == {0: 1}


def test_a_reply_may_come_byte_by_byte() -> None:
    with ModelServer(behaviours.dripping(answer(), pause_s=0.001)) as server:
        response = post(connect(server))
        assert response.content == behaviours.DEFAULT
        assert server.log[0].ended - server.log[0].began >= 0.001 * len(response.body)


def test_a_reply_may_be_cut() -> None:
    with pytest.raises(http.client.IncompleteRead) as error:
        ask(behaviours.cut(answer()))
    assert len(error.value.partial) > 0
    assert error.value.expected is not None
    assert error.value.expected > 0


def test_a_connection_may_be_reset() -> None:
    with pytest.raises(ConnectionResetError):
        ask(behaviours.reset())


def test_what_it_says_may_not_be_what_was_expected() -> None:
    with pytest.raises(json.JSONDecodeError):
        _ = ask(behaviours.not_json()).json
    assert ask(answer(default="")).content == ""
    assert len(ask(answer(default="x" * 10_000_000)).content) == 10_000_000
    inside = ask(behaviours.error_inside())
    assert (inside.status, inside.json.keys()) == (200, {"error"})
    assert ask(answer(usage=None)).json["usage"] is None
    assert set(ask(answer(usage=behaviours.NO_COUNTS)).json["usage"].values()) == {None}


def test_an_answer_may_come_in_parts() -> None:
    parts = ask(behaviours.in_parts(ANSWERS)).content
    assert len(parts) == 2
    assert "".join(part["text"] for part in parts) == ANSWERS[TITLE]


def test_a_wrong_certificate_is_not_believed() -> None:
    with ModelServer(answer(), certificate=WRONG_CERTIFICATE) as server:
        assert server.url.startswith("https://")
        netloc = urlsplit(server.url).netloc
        with pytest.raises(ssl.SSLCertVerificationError):
            post(http.client.HTTPSConnection(netloc, timeout=10))
        assert server.log == []
        context = ssl.create_default_context(cafile=str(WRONG_CERTIFICATE))
        context.check_hostname = False
        assert post(http.client.HTTPSConnection(netloc, timeout=10, context=context)).status == 200


@pytest.mark.parametrize(
    ("models", "status", "names"), [(("small", "large"), 200, ["small", "large"]), (None, 404, [])]
)
def test_its_models_are_listed_and_counted_apart(models: tuple[str, ...] | None, status: int, names: list[str]) -> None:
    with ModelServer(answer(), models=models) as server:
        connection = connect(server)
        connection.request("GET", "/v1/models")
        response = connection.getresponse()
        assert response.status == status
        assert [model["id"] for model in json.loads(response.read()).get("data", [])] == names
        assert (server.listings, server.log) == (len(names[:1]), [])


def test_a_server_that_is_away_refuses_connections_and_comes_back_on_its_port() -> None:
    with ModelServer(answer()) as server:
        url, connection = server.url, connect(server)
        post(connection)
        for _ in range(3):
            server.refuse()
            with pytest.raises(ConnectionRefusedError):
                post(connect(server))
            with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
                post(connection)
            # Nobody else gets the port meanwhile.
            with socket.socket() as other, pytest.raises(OSError, match="in use"):
                other.bind(("127.0.0.1", urlsplit(url).port))
            server.listen()
            assert server.url == url
            connection = connect(server)
            assert post(connection).status == 200
        assert server.calls.total() == 4


def test_a_server_that_goes_away_breaks_off_what_is_under_way() -> None:
    with ModelServer(behaviours.hanging()) as server:
        away = threading.Timer(0.3, server.refuse)
        away.start()
        with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
            post(connect(server))
        away.join()
        eventually(lambda: server.in_flight == 0, "an end")
