"""Who hears of an event, and in which order.

Actors tell ``Observers`` what happened through an ``Emitter`` of their own; listeners are functions
of one event. With no listener an emitter is false and an actor builds no event at all:

    emit = observers.emitter(rank)
    …
    if emit.wants(LoadIssued):
        emit(LoadIssued(…))

**Order.** Several actors emit within one instant of virtual time, and which of them ran first is
the scheduler's whim. So the events of an instant are held back until time moves on, then handed to
the listeners sorted by (time of the event, rank of the emitter, number within the emitter). Two
runs that do the same things at the same times therefore give the same sequence, and the same event
log byte for byte, whatever the scheduler's seed (law 7). "Time moves on" is asked of the clock, not
read off the events: an actor may tell of something that happened a little earlier, such as a load
that ended while it was busy. By the wall clock every reading is a new instant and events pass
through one by one.

A listener that raises is taken off the list, reported once, and kept in ``broken``: a run does not
end because somebody's view of it did.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

import structlog

from saactors.observe.events import USUAL_EVENTS, Event

Listener: TypeAlias = Callable[[Event], None]

# Law 9. Past it, what is held back of one instant is sorted and handed on in parts.
HELD_BACK_MAX: Final = 65_536


class Observers:
    """The listeners of a run. ``now_ns`` is the run's clock."""

    __slots__ = (
        "_held_back",
        "_instant_ns",
        "_listeners",
        "_now_ns",
        "_ranks",
        "_wanted",
        "broken",
    )

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self.broken: list[str] = []
        self._now_ns = now_ns
        self._instant_ns = 0
        self._held_back: list[tuple[int, int, int, Event]] = []
        self._listeners: list[tuple[Listener, frozenset[type[Event]]]] = []
        self._wanted: frozenset[type[Event]] = frozenset()
        self._ranks: set[int] = set()

    def __bool__(self) -> bool:
        """Is anybody listening?"""
        return bool(self._listeners)

    def subscribe(self, listener: Listener, kinds: Iterable[type[Event]] = USUAL_EVENTS) -> None:
        """Tell ``listener`` of events of these kinds from now on."""
        self._listeners.append((listener, frozenset(kinds)))
        self._count_wants()

    def unsubscribe(self, listener: Listener) -> None:
        """Tell ``listener`` of nothing more, not even of what is held back."""
        self._listeners = [entry for entry in self._listeners if entry[0] != listener]
        self._count_wants()

    def emitter(self, rank: int) -> Emitter:
        """The one emitter of this rank; events of one time are told in the order of rank."""
        assert rank not in self._ranks, f"two emitters of rank {rank}: their order would be open"
        self._ranks.add(rank)
        return Emitter(self, rank)

    def wants(self, kind: type[Event]) -> bool:
        """Would an event of this kind be told to anybody?"""
        return kind in self._wanted

    def accept(self, event: Event, rank: int, number: int) -> None:
        """Take an event from an emitter and hold it back until its order is certain."""
        now_ns = self._now_ns()
        if now_ns != self._instant_ns or len(self._held_back) >= HELD_BACK_MAX:
            self.flush()
            self._instant_ns = now_ns
        self._held_back.append((event.time_ns, rank, number, event))

    def flush(self) -> None:
        """Tell what is held back: at the end of a run, or to show a live view what there is."""
        held_back, self._held_back = self._held_back, []
        held_back.sort()
        for _, _, _, event in held_back:
            for listener, kinds in self._listeners:
                if type(event) in kinds:
                    self._tell(listener, event)

    def _tell(self, listener: Listener, event: Event) -> None:
        try:
            listener(event)
        except Exception as problem:  # noqa: BLE001 - whatever it is, the run goes on without it
            self.unsubscribe(listener)
            name = getattr(listener, "__qualname__", type(listener).__name__)
            self.broken.append(f"{name} stopped listening: {problem}")
            structlog.get_logger().warning(
                "listener_detached", listener=name, problem=str(problem), at=event.kind
            )

    def _count_wants(self) -> None:
        self._wanted = frozenset().union(*(kinds for _, kinds in self._listeners))


class Emitter:
    """One actor's way to tell the observers; false while nobody listens."""

    __slots__ = ("_number", "_observers", "_rank")

    def __init__(self, observers: Observers, rank: int) -> None:
        self._observers = observers
        self._rank = rank
        self._number = 0

    def __bool__(self) -> bool:
        """Is anybody listening?"""
        return bool(self._observers)

    def wants(self, kind: type[Event]) -> bool:
        """Would an event of this kind be told to anybody? Ask before building one."""
        return self._observers.wants(kind)

    def __call__(self, event: Event, number: int | None = None) -> None:
        """Tell of ``event``.

        ``number`` is for emitters of what has no order of its own within an instant: it is the
        event's place there, no other has it, and every event of that emitter states one.
        """
        self._number += 1
        self._observers.accept(event, self._rank, self._number if number is None else number)
