"""A client of the control socket on plain blocking sockets: for commands, which must start fast.

    with ControlClient(path) as gateway:
        answer = gateway.call("sa.show", {"spi": 0x1000})
        following = gateway.follow("attach", {"kinds": ["loaded"]})
        for push in following:
            …

No trio and no NumPy are imported here. Whatever goes wrong is one ``ControlError``: what the
gateway refused, or that it cannot be reached, with what to do about it.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, NoReturn, Self

from saactors.errors import ControlError
from saactors.gateway.control.frames import (
    CONNECTION,
    REPLY_BYTES_MAX,
    REQUEST_BYTES_MAX,
    VERSION,
    FrameDecoder,
    check_version,
    encode_frame,
    error_of,
)

DEFAULT_SOCKET: Final = "/run/saactors/control.sock"
SOCKET_VARIABLE: Final = "SAACTORS_SOCKET"
ANSWER_S: Final = 10.0  # the gateway answers within 0.1 s; a large import may take some
_RECEIVED_BYTES: Final = 1 << 18


@dataclass(frozen=True, slots=True)
class Push:
    """Events as rows (``event_rows``), and how many were lost in all so far."""

    events: list[list[Any]]
    events_lost: int


class ControlClient:
    """One connection. A context manager; requests go one after the other."""

    def __init__(self, path: str, answer_s: float = ANSWER_S) -> None:
        """Connect; ``answer_s`` bounds the wait for each answer.

        Raises:
            ControlError: nobody answers there, or we may not ask.
        """
        self.path = path
        self._decoder = FrameDecoder(REPLY_BYTES_MAX)
        self._last_id = 0
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(answer_s)
        try:
            self._socket.connect(path)
        except OSError as problem:
            self._socket.close()
            raise _unreachable(path, problem) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave. Streams of events end with it."""
        self._socket.close()

    def call(self, command: str, arguments: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Ask, and wait for the answer.

        Raises:
            ControlError: refused, or the gateway has gone.
        """
        self._last_id += 1
        frame = encode_frame(
            {"v": VERSION, "id": self._last_id, "command": command, "arguments": arguments or {}},
            REQUEST_BYTES_MAX,
        )
        # Who is refused as a client has been told why, and finds the socket closed when sending.
        with suppress(BrokenPipeError, ConnectionResetError, TimeoutError):
            self._socket.sendall(frame)
        while (message := self._received())["id"] != self._last_id:
            pass  # what an earlier stream still sends
        answer = message.get("answer")
        if not isinstance(answer, dict):
            raise ControlError(f"gateway at {self.path}", "no answer in its reply", "a map")
        return answer

    def follow(self, command: str, arguments: Mapping[str, Any] | None = None) -> Following:
        """Begin a stream of events; give nothing else to ask to this client until it has ended.

        Raises:
            ControlError: refused, or the gateway has gone.
        """
        answer = self.call(command, arguments)
        return Following(self, self._last_id, answer)

    def next_of(self, request_id: int, timeout_s: float | None) -> dict[str, Any] | None:
        """The next message of a stream; None if there is none within ``timeout_s``.

        Raises:
            ControlError: the gateway has gone, or has cut us off.
        """
        former = self._socket.gettimeout()
        self._socket.settimeout(timeout_s)
        try:
            message: dict[str, Any] | None = self._received(waits=False)
            while message is not None and message["id"] != request_id:
                message = self._received(waits=False)
        finally:
            with suppress(OSError):
                self._socket.settimeout(former)
        return message

    def fileno(self) -> int:
        """The socket's, for those who wait for several things."""
        return self._socket.fileno()

    def _received(self, *, waits: bool = True) -> Any:  # noqa: ANN401 - None where it does not wait
        """The next message; the error that it carries is raised."""
        while (message := self._decoder.poll_message()) is None:
            try:
                octets = self._socket.recv(_RECEIVED_BYTES)
            except TimeoutError:
                if not waits:
                    return None
                self._gone("nothing for too long", "is it stopped, or very busy?")
            except OSError as problem:
                self._gone(problem.strerror or str(problem))
            if not octets:
                self._gone(
                    "a connection closed within an answer, as to a client that reads too slowly"
                    if self._decoder.is_within_frame
                    else "a closed connection: it has ended"
                    if waits
                    else "a closed connection: it has ended, or has cut off who read too slowly"
                )
            self._decoder.handle_octets(octets)
        if "error" in message and message.get("id") in {CONNECTION, self._last_id}:
            raise error_of(message)
        check_version(message)
        return {"id": None, **message}

    def _gone(self, found: str, mend: str = "ask again once it runs") -> NoReturn:
        raise ControlError(f"gateway at {self.path}", found, "an answer", mend) from None


class Following:
    """A stream of events. Iterate over it; then ``end`` says why it ended.

    ``answer`` is what the command answered, ``events_lost`` how many events were lost so far.
    """

    def __init__(self, client: ControlClient, request_id: int, answer: dict[str, Any]) -> None:
        self.answer = answer
        self.end: str | None = None
        self.events_lost = 0
        self._client = client
        self._id = request_id

    def __iter__(self) -> Iterator[Push]:
        while self.end is None:
            push = self.next()
            if push is not None:
                yield push

    def next(self, timeout_s: float | None = None) -> Push | None:
        """The next push; None if none came within ``timeout_s``, or if there are no more."""
        message = None if self.end is not None else self._client.next_of(self._id, timeout_s)
        if message is None:
            return None
        if "end" in message:
            self.end = str(message["end"])
            return None
        self.events_lost = int(message.get("events_lost", 0))
        return Push(message.get("events", []), self.events_lost)


def socket_path() -> str:
    """Where a gateway is asked if nobody says: the environment's, else the usual one."""
    return os.environ.get(SOCKET_VARIABLE) or DEFAULT_SOCKET


def _unreachable(path: str, problem: OSError) -> ControlError:
    mends = {
        errno.ENOENT: f"start it with 'saactors run', or name its socket: {SOCKET_VARIABLE} or "
        "--socket PATH",
        errno.ECONNREFUSED: "its process has ended; start it with 'saactors run'",
        errno.EACCES: "ask as root or as the user that runs it",
        errno.EPERM: "ask as root or as the user that runs it",
    }
    found = problem.strerror.lower() if problem.strerror else str(problem)
    mend = mends.get(problem.errno or 0, "check --socket PATH")
    return ControlError(f"gateway at {path}", found, "a running gateway", mend)
