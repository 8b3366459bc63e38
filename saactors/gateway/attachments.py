"""Attached listeners: each with a bounded buffer, so that nobody who listens can slow the traffic.

Emitting an event costs a comparison and an append. When a buffer is full the newest events are not
put in but counted, and whoever reads is told how many: what is shown is true up to a gap, and the
gap is shown.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import Final

import trio

from saactors.observe.events import Event, PacketTraced
from saactors.observe.observer import Observers

BUFFER_EVENTS: Final = 65_536
BATCH_EVENTS: Final = 4096
ATTACHED_MAX: Final = 32


class Attachment:
    """One listener's events. ``kinds`` are those it hears of, ``sas`` the only SAs, if any."""

    def __init__(
        self,
        number: int,
        observers: Observers,
        kinds: Sequence[type[Event]],
        sas: Collection[int],
        sample: int,
        on_close: Callable[[Attachment], None],
        packets: Collection[int] | None = None,
    ) -> None:
        self.number = number
        self.kinds = tuple(kinds)
        self.sent = self.lost = 0
        self._observers = observers
        self._sas = frozenset(sas)
        self._sample = sample
        self._on_close = on_close
        self._packets = packets
        self._seen = 0
        self._lost_since = 0
        self._events: deque[Event] = deque()
        self._arrived = trio.Event()
        self._closed = False
        observers.subscribe(self._take, kinds)

    async def batch(self) -> tuple[list[Event], int]:
        """Wait for events; and how many were lost since this last returned.

        Raises:
            trio.EndOfChannel: it is closed, and has given everything.
        """
        while not self._events:
            if self._closed:
                raise trio.EndOfChannel
            self._arrived = trio.Event()
            await self._arrived.wait()
        count = min(len(self._events), BATCH_EVENTS)
        events = [self._events.popleft() for _ in range(count)]
        lost, self._lost_since = self._lost_since, 0
        self.sent += count
        return events, lost

    def close(self) -> None:
        """Hear of nothing more; a second time does nothing."""
        if not self._closed:
            self._closed = True
            self._observers.unsubscribe(self._take)
            self._arrived.set()
            self._on_close(self)

    def _take(self, event: Event) -> None:
        if self._sas and getattr(event, "sa", None) not in self._sas:
            return
        if self._packets is not None and (
            isinstance(event, PacketTraced) and event.packet not in self._packets
        ):
            return
        self._seen += 1
        if self._seen % self._sample:
            return
        if len(self._events) >= BUFFER_EVENTS:
            self.lost += 1
            self._lost_since += 1
            return
        self._events.append(event)
        self._arrived.set()
