"""Two benchmarks take turns: each says when it is ready for a round, and begins once the other has ended its own."""

import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

READY, BEGIN, DONE, GO_ON = b"r", b"b", b"d", b"g"


class Turns:
    """The side of the one that measures; without a partner it never waits.

    Parameters
    ----------
    descriptor : int, optional
        The socket by which its turns are given.
    """

    def __init__(self, descriptor: int | None) -> None:
        self._partner = None if descriptor is None else _Line(socket.socket(fileno=descriptor), "bench-against")

    def __enter__(self) -> None:
        """Waits for the turn."""
        if self._partner:
            self._partner.say(READY)
            self._partner.wait_for(BEGIN)

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        """Ends it, and waits until nobody measures: to stop or start a stack would be felt."""
        if self._partner and not error:
            self._partner.say(DONE)
            self._partner.wait_for(GO_ON)


class Benchmark:
    """The side of the one that gives turns: a process that measures.

    Parameters
    ----------
    name : str
        What errors call it.
    command : sequence of str
        What runs; the socket's number is added to it.
    folder : Path
        Where.
    environment : mapping
        Its environment.
    """

    def __init__(self, name: str, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
        self._name = name
        ours, theirs = socket.socketpair()
        self._line = _Line(ours, f"the benchmark of {name}")
        with theirs:
            number = theirs.fileno()
            self._process = subprocess.Popen(
                [*command, f"--turns={number}"], cwd=folder, env=environment, pass_fds=[number]
            )

    def wait_until_ready(self) -> None:
        """Returns once it waits for its turn."""
        self._line.wait_for(READY)

    def take_turn(self) -> None:
        """Returns once it has measured one round."""
        self._line.say(BEGIN)
        self._line.wait_for(DONE)

    def go_on(self) -> None:
        """Tells it that the others have measured their round, too."""
        self._line.say(GO_ON)

    def __enter__(self) -> Self:
        """It runs already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Waits until it has taken its stack down and ended."""
        self._line.close()
        if self._process.wait() and not error:
            raise TurnsError(f"the benchmark of {self._name} has failed")


class TurnsError(Exception):
    """The other side has gone, or has failed."""


class _Line:
    """One end of the socket, and who is at the other."""

    def __init__(self, end: socket.socket, who: str) -> None:
        self._end, self._who = end, who

    def say(self, word: bytes) -> None:
        try:
            self._end.sendall(word)
        except ConnectionError as error:
            raise self._gone() from error

    def wait_for(self, word: bytes) -> None:
        try:
            said = self._end.recv(1)
        except ConnectionError as error:
            raise self._gone() from error
        if said != word:
            raise self._gone()

    def close(self) -> None:
        self._end.close()

    def _gone(self) -> TurnsError:
        return TurnsError(f"{self._who} has ended early")
