"""A control server on a real socket, with something small behind it that answers.

What is behind it is the other side of the server's Protocol, as a gateway is: it shows what it was
asked, and has one attachment that a test fills.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog
import trio

from saactors.errors import ControlError, ParameterError
from saactors.gateway.control.arguments import AddTrace
from saactors.gateway.control.schema import read_arguments
from saactors.gateway.control.server import ControlLimits, run_control
from saactors.gateway.control.socket_file import SocketFile
from saactors.observe.events import Event


class Listening:
    """An attachment: a bounded buffer, filled by the test."""

    def __init__(self, capacity: int) -> None:
        self.closed = 0
        self.lost = 0
        self._capacity = capacity
        self._events: list[Event] = []
        self._news = trio.Event()
        self._ended = False
        self.is_broken = False

    def put(self, events: Sequence[Event]) -> None:
        """Collect events, or count them where there is no room."""
        room = self._capacity - len(self._events)
        self._events += events[:room]
        self.lost += len(events[room:])
        self._news.set()

    def end(self) -> None:
        """No more events."""
        self._ended = True
        self._news.set()

    async def batch(self) -> tuple[Sequence[Event], int]:
        """What has been collected."""
        if not self._events and self._ended:
            raise trio.EndOfChannel
        await self._news.wait()
        if self.is_broken:
            raise RuntimeError
        self._news = trio.Event()
        events, self._events = self._events, []
        if not events and self._ended:
            raise trio.EndOfChannel
        lost, self.lost = self.lost, 0
        return events, lost

    def close(self) -> None:
        """Count it."""
        self.closed += 1


class Answering:
    """Behind the server: answers with what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Mapping[str, Any]]] = []
        self.opened: list[tuple[list[str], list[int], int]] = []
        self.listening: list[Listening] = []
        self.capacity = 1 << 16

    async def call(self, command: str, arguments: dict[str, Any]) -> Mapping[str, Any]:
        """Answer, refuse, or fail, by the command."""
        read_arguments(command, arguments)
        self.asked.append((command, arguments))
        if command == "sa.show":
            raise ControlError("spi", "0x1000", "an SA's", "see 'saactors ctl sa list'")
        if command == "card.resize":
            raise ParameterError("slots", arguments["slots"], "at most 1024")
        if command == "card.reset":
            raise RuntimeError("key 0x1234")
        if command == "history":
            return {"points": object()}
        if command == "policy.list":
            return {"rows": ["x" * 1000] * 20_000}
        if command == "moves":
            await trio.sleep_forever()
        return {"command": command, "listening": len(self.listening)}

    def open_trace(self, wanted: AddTrace) -> Listening:
        """One that the test fills with steps."""
        self.opened.append((["packet_traced"], [], wanted.count))
        self.listening.append(Listening(self.capacity))
        return self.listening[-1]

    def open_attachment(self, kinds: Sequence[str], sas: Sequence[int], sample: int) -> Listening:
        """One that the test fills."""
        self.opened.append((list(kinds), list(sas), sample))
        self.listening.append(Listening(self.capacity))
        return self.listening[-1]


class Served:
    """A server that runs in a thread of its own, so that tests may block."""

    def __init__(self, path: str, limits: ControlLimits, owner: int | None) -> None:
        self.path = path
        self.behind = Answering()
        self._limits = limits
        self._owner = owner
        self._ready = threading.Event()
        self._thread = threading.Thread(target=trio.run, args=(self._run,))

    async def _run(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        with trio.CancelScope() as self._scope:
            async with trio.open_nursery() as nursery:
                file = SocketFile(self.path)
                serving = (run_control, self.behind, file, self._limits)
                await nursery.start(lambda task_status: serving[0](
                    *serving[1:], owner=self._owner, task_status=task_status))  # fmt: skip
                self._ready.set()

    def start(self) -> None:
        """Serve from now on."""
        self._thread.start()
        assert self._ready.wait(10)

    def within(self, function: Callable[..., Any], *given: Any) -> Any:
        """Call a function in the server's thread."""
        return trio.from_thread.run_sync(function, *given, trio_token=self._token)

    def stop(self) -> None:
        """Cancel it, as a gateway does that ends."""
        if self._thread.is_alive():
            self.within(self._scope.cancel)
        self._thread.join(10)
        assert not self._thread.is_alive()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Start a server in ``with``, by its limits; its socket is ``server.path``."""
    structlog.reset_defaults()
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())  # nothing is printed

    @contextmanager
    def served(owner: int | None = None, **limits: Any) -> Iterator[Served]:
        server = Served(str(tmp_path / "control.sock"), ControlLimits(**limits), owner)
        server.start()
        try:
            yield server
        finally:
            server.stop()

    yield served
    structlog.reset_defaults()
