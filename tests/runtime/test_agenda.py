"""The agenda: items come back in the order of entry, each when it is due."""

from __future__ import annotations

import trio

from saactors.runtime.agenda import Agenda
from saactors.runtime.clock import VirtualClock, WallClock


def played(dues: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Enter item number i at one instant, due at another; returns (when it came, number)."""
    clock = VirtualClock()
    came: list[tuple[int, int]] = []

    async def main() -> None:
        agenda: Agenda[int] = Agenda(clock)

        async def collect() -> None:
            came.extend([(clock.now_ns(), number) async for number in agenda])

        async with trio.open_nursery() as nursery:
            nursery.start_soon(collect)
            with agenda:
                for number, (entered_ns, due_ns) in enumerate(dues):
                    await clock.sleep_until_ns(entered_ns)
                    agenda.enter(due_ns, number)

    trio.run(main, clock=clock)
    return came


def test_items_come_when_they_are_due() -> None:
    """Whether the agenda was empty when they were entered or not."""
    assert played([(10, 30), (15, 40), (100, 130)]) == [(30, 0), (40, 1), (130, 2)]


def test_an_item_that_is_due_already_comes_at_once() -> None:
    """Its instant is past: there is nothing to wait for."""
    assert played([(50, 20)]) == [(50, 0)]


def test_an_item_never_overtakes_one_before_it() -> None:
    """After a reset the engine may finish new work before the old would have been done."""
    assert played([(10, 100), (20, 50)]) == [(100, 0), (100, 1)]


def test_what_was_entered_still_comes_after_the_end() -> None:
    """Leaving the agenda's context says that nothing more is entered, not that nothing comes."""
    assert played([(0, 7), (0, 8)]) == [(7, 0), (8, 1)]


def test_an_empty_agenda_ends() -> None:
    """Nothing was entered, nothing comes, and nobody waits forever."""
    assert played([]) == []


def test_the_wall_clock_keeps_an_agenda_too() -> None:
    """It has no timers of its own, so the task sleeps; a thousandth of a second will do."""
    clock = WallClock()
    came: list[bool] = []

    async def main() -> None:
        agenda: Agenda[int] = Agenda(clock)

        async def collect() -> None:
            came.extend([clock.now_ns() >= due_ns async for due_ns in agenda])

        async with trio.open_nursery() as nursery:
            nursery.start_soon(collect)
            await trio.lowlevel.checkpoint()
            with agenda:
                for later_ns in (1_000_000, 2_000_000):
                    due_ns = clock.now_ns() + later_ns
                    agenda.enter(due_ns, due_ns)

    trio.run(main)
    assert came == [True, True]
