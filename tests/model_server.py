"""A server of OpenAI's chat completions that does what a test tells it to, such as `tests.model_behaviours`."""

import json
import math
import select
import socket
import ssl
import struct
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

FIXTURES = Path(__file__).parent / "fixtures" / "model_server"

WRONG_CERTIFICATE = FIXTURES / "wrong_certificate.pem"
"""A key and a certificate that it signed itself, for a name that is not the server's. Made by
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -days 36500 -subj /CN=wrong.example
"""


@dataclass
class Call:
    """A request for a chat completion, as it was seen. Times are those of `time.monotonic`."""

    text: str
    """What the user says."""
    body: dict[str, Any]
    headers: dict[str, str]
    """By their names in lower case."""
    began: float = field(default_factory=time.monotonic)
    ended: float = math.inf
    status: int = 0
    """What was replied, or is being; 0 where nothing was."""


@dataclass(frozen=True)
class Reply:
    """What is sent for a call, and how."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    wait_s: float = 0.0
    """How long nothing is sent."""
    pause_s: float = 0.0
    """How long after each byte of the body nothing more is sent."""
    is_cut: bool = False
    """Half of the body is sent, and then no more."""
    is_reset: bool = False
    """The connection is reset instead."""


Behaviour = Callable[[Call], Reply]
"""What the server does with a call."""


class ModelServer:
    """A server on this machine, for as long as its context lasts.

    `behave` may be changed at any time; what has begun goes on as before. `models` are
    those that it lists; None: it has no such list. With a certificate it speaks TLS.
    """

    def __init__(
        self, behave: Behaviour, *, models: Iterable[str] | None = ("small",), certificate: Path | None = None
    ) -> None:
        self.behave = behave
        self.models = models
        self.log: list[Call] = []
        self.listings = 0
        self._certificate = certificate
        self._listener: _Listener | None = None
        # Bound and never listening, it keeps the port while the server is away.
        self._place = socket.socket()
        self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._place.bind(("127.0.0.1", 0))
        self._port: int = self._place.getsockname()[1]

    def __enter__(self) -> Self:
        self.listen()
        return self

    def __exit__(self, *_: object) -> None:
        self.refuse()
        self._place.close()

    @property
    def url(self) -> str:
        """The address, up to and including the version path."""
        return f"{'https' if self._certificate else 'http'}://127.0.0.1:{self._port}/v1"

    @property
    def calls(self) -> Counter[str]:
        """How often each text was asked."""
        return Counter(call.text for call in [*self.log])

    @property
    def statuses(self) -> Counter[int]:
        """How often each status was replied; 0 counts the calls without a reply."""
        return Counter(call.status for call in [*self.log])

    @property
    def headers_seen(self) -> list[dict[str, str]]:
        """The headers of every call."""
        return [call.headers for call in [*self.log]]

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """The body of every call."""
        return [call.body for call in [*self.log]]

    @property
    def in_flight(self) -> int:
        """Calls under way."""
        return sum(call.ended == math.inf for call in [*self.log])

    def listen(self) -> None:
        """Takes connections."""
        if self._listener is None:
            self._listener = _Listener(self, self._port, self._certificate)
            threading.Thread(target=self._listener.serve_forever, args=(0.02,), daemon=True).start()

    def refuse(self) -> None:
        """Refuses connections until it listens again, and ends those that there are."""
        if self._listener is not None:
            self._listener.shutdown()
            self._listener.server_close()
            self._listener.hang_up()
            self._listener = None


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def __init__(self, owner: ModelServer, port: int, certificate: Path | None) -> None:
        self.owner = owner
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            # A slow handshake must not keep others waiting.
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        with self._lock:
            self._connections.add(connection)
        return connection, address

    # The base class would name more types than its own `get_request` gives.
    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        with self._lock:
            for connection in self._connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        # A client may hang up, or not like the certificate; what else happens is a mistake of the test.
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Listener
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        owner = self.server.owner
        if self.path != "/v1/models" or owner.models is None:
            self._send(_not_found(self.path))
            return
        owner.listings += 1
        models = [{"id": name, "object": "model", "created": 0, "owned_by": "test"} for name in owner.models]
        self._send(Reply(body=json.dumps({"object": "list", "data": models}).encode()))

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path != "/v1/chat/completions":
            self._send(_not_found(self.path))
            return
        body = json.loads(sent)
        said = [message["content"] for message in body["messages"] if message["role"] == "user"]
        call = Call(said[-1], body, {name.lower(): value for name, value in self.headers.items()})
        self.server.owner.log.append(call)
        try:
            reply = self.server.owner.behave(call)
            self._wait(reply.wait_s)
            if reply.is_reset:
                self._reset()
            else:
                # Before the client can know of it.
                call.status = reply.status
                self._send(reply)
        finally:
            call.ended = time.monotonic()

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        headers = {"Content-Type": "application/json", "Content-Length": str(len(reply.body)), **reply.headers}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        body = reply.body[: len(reply.body) // 2] if reply.is_cut else reply.body
        step = 1 if reply.pause_s else max(len(body), 1)
        for start in range(0, len(body), step):
            self.wfile.write(body[start : start + step])
            self._wait(reply.pause_s)
        self.close_connection = self.close_connection or reply.is_cut

    def _wait(self, seconds: float) -> None:
        """Waits, and fails as soon as the client hangs up: before the reply, it has nothing else to say."""
        if seconds == 0:
            return
        poll = select.poll()
        poll.register(self.connection, select.POLLIN)
        if poll.poll(None if seconds == math.inf else seconds * 1000):
            raise ConnectionAbortedError

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # The socket closes when both let go of it, and before anybody shuts it down in good order.
        self.rfile.close()
        self.connection.close()
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Says nothing of what is as it should be."""


def _not_found(path: str) -> Reply:
    error = {"message": f"Invalid URL ({path})", "type": "invalid_request_error", "param": None, "code": None}
    return Reply(404, json.dumps({"error": error}).encode())
