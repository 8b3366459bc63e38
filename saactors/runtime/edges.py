"""Edges: bounded trio memory channels that know their name and count how long senders wait.

An edge is data first (``Edge``) and two ends later (``Outlet``, ``Inlet``). Every limit has its
reason beside it. A full edge makes its sender wait: that is the backpressure a user sees in the
summary.

Sending into an edge with room does not yield to trio's scheduler: an actor runs until it has
nothing left to receive or nowhere to send, which costs one task step per burst instead of three.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import trio

from saactors.runtime.clock import Clock

MessageT = TypeVar("MessageT")


class Timed(Protocol):
    """A message that tells of something that happened at ``time_ns``."""

    @property
    def time_ns(self) -> int:
        """When it happened."""
        ...


TimedT = TypeVar("TimedT", bound=Timed)

WaitListener = Callable[[str, int, int], None]  # edge name, when the wait began, how long: ns


@dataclass(frozen=True)
class Edge:
    """Who may send what to whom, and how much may be under way."""

    name: str
    source: str
    target: str
    carries: str
    capacity: int  # messages
    when_full: str
    why: str  # the reason for the capacity


@dataclass(slots=True)
class Gauge:
    """What an edge has seen: messages passed, the most under way, and how senders waited."""

    capacity: int
    sent: int = 0
    received: int = 0
    high_water: int = 0
    waits: int = 0
    waited_ns: int = 0
    watch: Callable[[int], None] | None = None  # told after each message how many are under way

    @property
    def queued(self) -> int:
        """Messages under way."""
        return min(self.sent - self.received, self.capacity)


class Outlet(Generic[MessageT]):
    """The sending end."""

    __slots__ = ("_channel", "_clock", "_listener", "gauge", "name")

    def __init__(
        self,
        name: str,
        channel: trio.MemorySendChannel[MessageT],
        gauge: Gauge,
        clock: Clock,
        listener: WaitListener | None,
    ) -> None:
        self.name = name
        self.gauge = gauge
        self._channel = channel
        self._clock = clock
        self._listener = listener

    async def send(self, message: MessageT) -> None:
        """Hand ``message`` on; wait while the edge is full."""
        gauge = self.gauge
        gauge.sent += 1
        try:
            self._channel.send_nowait(message)
        except trio.WouldBlock:
            await self._send_when_there_is_room(message)
        under_way = gauge.sent - gauge.received
        if under_way > gauge.high_water:
            # A message that a receiver has been handed but not yet looked at is no longer queued.
            gauge.high_water = min(under_way, gauge.capacity)
        if gauge.watch is not None:
            gauge.watch(gauge.queued)

    async def _send_when_there_is_room(self, message: MessageT) -> None:
        began_ns = self._clock.now_ns()
        gauge = self.gauge
        gauge.high_water = gauge.capacity
        gauge.waits += 1
        try:
            await self._channel.send(message)
        except BaseException:  # cancelled, or nobody receives any more
            gauge.sent -= 1
            raise
        finally:
            waited_ns = self._clock.now_ns() - began_ns
            gauge.waited_ns += waited_ns
            if self._listener is not None:
                self._listener(self.name, began_ns, waited_ns)

    def send_nowait(self, message: MessageT) -> None:
        """Hand ``message`` on over an edge that is wide enough by construction.

        If its receiver is gone already, the message is no longer needed.
        """
        with contextlib.suppress(trio.BrokenResourceError):
            self._channel.send_nowait(message)
            self.gauge.sent += 1
            self.gauge.high_water = max(
                self.gauge.high_water, self.gauge.sent - self.gauge.received
            )

    def __enter__(self) -> Outlet[MessageT]:
        return self

    def __exit__(self, *_exception: object) -> None:
        """Say that nothing more will come."""
        self._channel.close()


class Inlet(Generic[MessageT]):
    """The receiving end: ``async for message in inlet``."""

    __slots__ = ("_ahead", "_channel", "gauge")

    def __init__(self, channel: trio.MemoryReceiveChannel[MessageT], gauge: Gauge) -> None:
        self.gauge = gauge
        self._channel = channel
        self._ahead: MessageT | None = None

    def __aiter__(self) -> Inlet[MessageT]:
        return self

    async def __anext__(self) -> MessageT:
        try:
            message = await self._channel.receive()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None
        self.gauge.received += 1
        return message

    def earlier_than(self: Inlet[TimedT], instant_ns: int) -> Iterator[TimedT]:
        """The messages that are there and tell of a time before ``instant_ns``, in order.

        Strictly before: what happens *at* the instant may or may not have arrived yet, depending on
        the scheduler, and nothing may depend on that (law 7).
        """
        gauge = self.gauge
        while True:
            message = self._ahead
            if message is None:
                if gauge.sent == gauge.received:  # nothing there: asking costs an exception
                    return
                try:
                    message = self._channel.receive_nowait()
                except (trio.WouldBlock, trio.EndOfChannel):
                    return
                self.gauge.received += 1
            if message.time_ns >= instant_ns:
                self._ahead = message
                return
            self._ahead = None
            yield message


def open_edge(
    edge: Edge, clock: Clock, listener: WaitListener | None = None
) -> tuple[Outlet[MessageT], Inlet[MessageT]]:
    """The two ends of ``edge``; the caller knows what it carries."""
    sender: trio.MemorySendChannel[MessageT]
    receiver: trio.MemoryReceiveChannel[MessageT]
    sender, receiver = trio.open_memory_channel(edge.capacity or math.inf)
    gauge = Gauge(edge.capacity)
    return Outlet(edge.name, sender, gauge, clock, listener), Inlet(receiver, gauge)
