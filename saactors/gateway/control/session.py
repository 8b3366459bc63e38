"""What one client asks, one request after the other, and the streams of events that it has begun.

A stream is a task of its own that sends what its attachment has collected; requests go on beside
it. It ends when the client leaves, when the gateway ends, or, for a trace, when all packets asked
for have been seen and nothing more came of them for ``TRACE_LINGER_S``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

import structlog
import trio

from saactors.errors import ControlError, ParameterError, SaactorsError
from saactors.gateway.control.arguments import AddTrace, Attach
from saactors.gateway.control.connection import Connection
from saactors.gateway.control.event_rows import attachment_answer, row_of
from saactors.gateway.control.frames import (
    CONNECTION,
    REPLY_BYTES_MAX,
    VERSION,
    Request,
    encode_frame,
    id_of,
    refusal,
    reply,
    request_of,
)
from saactors.gateway.control.schema import checked
from saactors.observe.events import Event, PacketTraced

STREAMS_MAX: Final = 4
PUSH_EVENTS_MAX: Final = 512  # some 30 kB
TRACE_LINGER_S: Final = 1.0  # longer than any packet is under way
_GATEWAY_ENDED: Final = "the gateway has ended"


class Attachment(Protocol):
    """A bounded buffer of events for one listener."""

    async def batch(self) -> tuple[Sequence[Event], int]:
        """Wait for events; and how many were lost since the batch before.

        May be cancelled without losing any. Raises ``trio.EndOfChannel`` when none will come.
        """

    def close(self) -> None:
        """Stop collecting; a second time does nothing."""


class Gateway(Protocol):
    """What is asked and steered."""

    async def call(self, command: str, arguments: dict[str, Any]) -> Mapping[str, Any]:
        """Answer a command; raises ``SaactorsError`` for what the asker can mend."""

    def open_attachment(self, kinds: Sequence[str], sas: Sequence[int], sample: int) -> Attachment:
        """Collect events: of these kinds, or all but the verbose; about these SAs, or all."""

    def open_trace(self, wanted: AddTrace) -> Attachment:
        """Collect the steps (``PacketTraced``) of the packets that are wanted, and nothing else."""


class Session:
    """One client's requests and streams."""

    def __init__(self, gateway: Gateway, connection: Connection) -> None:
        self._gateway = gateway
        self._connection = connection
        self._streams = 0
        self._problem: ControlError | None = None

    async def run(self) -> None:
        """Serve until the client leaves.

        Raises:
            ControlError: the client has to be cut off, for this reason.
        """
        async with trio.open_nursery() as nursery:
            await self._until_it_leaves(nursery, self._requests, nursery)
        if self._problem is not None:
            raise self._problem

    async def _until_it_leaves(self, nursery: trio.Nursery, task: Any, *given: Any) -> None:  # noqa: ANN401 - an async function and what it takes
        """Run a task without which the session ends, unless it is a stream that is through."""
        try:
            await task(*given)
        except ControlError as problem:
            self._problem = problem
            nursery.cancel_scope.cancel()
        except trio.BrokenResourceError:
            nursery.cancel_scope.cancel()

    async def _requests(self, nursery: trio.Nursery) -> None:
        while (message := await self._connection.receive()) is not None:
            try:
                request = request_of(message)
            except ControlError as problem:
                if id_of(message) == CONNECTION:
                    raise
                await self._send(refusal(id_of(message), problem))
                continue
            try:
                frame = await self._answered(request, nursery)
            except SaactorsError as problem:
                message = refusal(request.id, refusal_of(problem))
                frame = encode_frame(message, REPLY_BYTES_MAX)
            await self._connection.send(frame)
        nursery.cancel_scope.cancel()

    async def _answered(self, request: Request, nursery: trio.Nursery) -> bytes:
        """The frame that answers a request; the stream that it begins sends behind it."""
        if request.command not in {"attach", "trace.add"}:
            return _frame(request.id, await self._called(request))
        if self._streams >= STREAMS_MAX:
            found, expected = f"{self._streams} streams of events", f"at most {STREAMS_MAX}"
            raise ControlError(request.command, found, expected, "use another connection")
        made = attachment_answer()
        if request.command == "attach":
            wanted = checked(Attach, "attach", request.arguments)
            attachment = self._gateway.open_attachment(wanted.kinds, wanted.sas, wanted.sample)
            trace = None
        else:
            traced = checked(AddTrace, "trace.add", request.arguments)
            attachment = self._gateway.open_trace(traced)
            trace = _Trace(traced.count)
            made["count"] = traced.count
        self._streams += 1
        nursery.start_soon(
            self._until_it_leaves, nursery, self._stream, request.id, attachment, trace
        )
        return _frame(request.id, made)

    async def _stream(self, number: int, attachment: Attachment, trace: _Trace | None) -> None:
        """Pushes until there are no more."""
        try:
            ended = await self._pushes(number, attachment, trace)
            await self._send({"v": VERSION, "id": number, "end": ended})
        except trio.Cancelled:
            self._connection.send_at_once({"v": VERSION, "id": number, "end": _GATEWAY_ENDED})
            raise
        finally:
            attachment.close()
            self._streams -= 1

    async def _pushes(self, number: int, attachment: Attachment, trace: _Trace | None) -> str:
        lost_in_all = 0
        while True:
            patience_s = TRACE_LINGER_S if trace is not None and trace.is_complete else math.inf
            try:
                with trio.move_on_after(patience_s) as waiting:
                    events, lost = await attachment.batch()
            except trio.EndOfChannel:
                return _GATEWAY_ENDED if trace is None else trace.told
            if waiting.cancelled_caught:
                return trace.told if trace is not None else _GATEWAY_ENDED
            if trace is not None:
                events = trace.of_it(events)
            lost_in_all += lost
            for first in range(0, max(len(events), 1), PUSH_EVENTS_MAX):
                rows = [row_of(event) for event in events[first : first + PUSH_EVENTS_MAX]]
                push = {"v": VERSION, "id": number, "events": rows, "events_lost": lost_in_all}
                await self._send(push)

    async def _called(self, request: Request) -> Mapping[str, Any]:
        try:
            return await self._gateway.call(request.command, request.arguments)
        except SaactorsError:
            raise
        except Exception as problem:  # noqa: BLE001 - a bug in a command must not end the traffic
            raise _bug(request.command, problem) from None

    async def _send(self, message: Mapping[str, Any]) -> None:
        await self._connection.send(encode_frame(message, REPLY_BYTES_MAX))


class _Trace:
    """The packets of a trace that have been seen: the first ``count``, and no others."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._seen: set[int] = set()

    @property
    def is_complete(self) -> bool:
        return len(self._seen) == self._count

    @property
    def told(self) -> str:
        return f"{len(self._seen)} of {self._count} packets traced"

    def of_it(self, events: Sequence[Event]) -> list[Event]:
        """Those events that are steps of its packets."""
        kept: list[Event] = []
        for event in events:
            if isinstance(event, PacketTraced):
                if not self.is_complete:
                    self._seen.add(event.packet)
                if event.packet in self._seen:
                    kept.append(event)
        return kept


def refusal_of(problem: SaactorsError) -> ControlError:
    """What was wrong with a request, as it is told to whoever asked."""
    if isinstance(problem, ControlError):
        return problem
    if isinstance(problem, ParameterError):
        return ControlError(problem.name, repr(problem.found), problem.expected)
    return ControlError(str(problem))


def _frame(number: int, answer: Mapping[str, Any]) -> bytes:
    """The frame of an answer; raises ControlError for one that is too long or cannot be sent."""
    try:
        return encode_frame(reply(number, answer), REPLY_BYTES_MAX)
    except (TypeError, ValueError, OverflowError) as problem:
        raise _bug("answer", problem) from None


def _bug(command: str, problem: Exception) -> ControlError:
    """A defect of ours: told and logged by its type alone, for its words may quote a key."""
    defect = defect_of(problem)
    structlog.get_logger().error("control_command_failed", command=command, error=defect)
    return ControlError(command, f"a defect of saactors ({defect})", "an answer", "report it")


def defect_of(problem: BaseException) -> str:
    """What sort of exception it is, and where it was raised; of a group, the first."""
    while isinstance(problem, BaseExceptionGroup):
        problem = problem.exceptions[0]
    place = problem.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f" in {place.tb_frame.f_code.co_qualname}:{place.tb_lineno}" if place else ""
    return f"{type(problem).__name__}{where}"
