"""An agenda: things that become due at known instants, one after the other.

What a card's engine has accepted is done at an instant that is known when it is accepted. Whoever
accepts enters it here, and the task that iterates the agenda gets each item when it is due. In
virtual time that task is woken once per item, by the clock, and not before.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

from saactors.runtime.clock import Clock, Sleeper

ItemT = TypeVar("ItemT")


class Agenda(Generic[ItemT]):
    """Items in the order of entry: ``async for`` gets each back when it is due, never before.

    One task iterates. Leaving the ``with`` says that nothing more will be entered. It is as long as
    whoever enters items lets it be.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._items: deque[tuple[int, ItemT]] = deque()
        self._waiting: Sleeper | None = None
        self._closed = False

    def enter(self, due_ns: int, item: ItemT) -> None:
        """Enter an item; it is given back when it is due and those before it have been."""
        self._items.append((due_ns, item))
        if self._waiting is not None:
            self._clock.wake_at(self._waiting, due_ns)
            self._waiting = None

    def __enter__(self) -> Agenda[ItemT]:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._closed = True
        if self._waiting is not None:
            self._waiting.wake()
            self._waiting = None

    def __aiter__(self) -> Agenda[ItemT]:
        return self

    async def __anext__(self) -> ItemT:
        if not self._items:
            if self._closed:
                raise StopAsyncIteration
            self._waiting = Sleeper()
            await self._waiting.park()
            if not self._items:
                raise StopAsyncIteration
        await self._clock.sleep_until_ns(self._items[0][0])
        return self._items.popleft()[1]
