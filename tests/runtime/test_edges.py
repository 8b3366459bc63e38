"""Edges: what a sender waits is counted, what is early is told from what is not, ends are ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from saactors.runtime.clock import VirtualClock
from saactors.runtime.edges import Edge, Inlet, Outlet, open_edge

Ends = tuple[Outlet[int], Inlet[int]]


@dataclass(frozen=True)
class News:
    """A message that tells of an instant."""

    time_ns: int


def edge(capacity: int) -> Edge:
    """An edge of that capacity."""
    return Edge("a_b", "a", "b", "numbers", capacity, "the sender waits", "for a test")


def run_virtually(scene: Callable[[VirtualClock], Awaitable[None]]) -> None:
    """Run ``scene`` in virtual time."""
    clock = VirtualClock()
    trio.run(scene, clock, clock=clock)


async def take_at(clock: VirtualClock, inlet: Inlet[int], *instants_ns: int) -> None:
    """Receive a message at each of these instants."""
    for instant_ns in instants_ns:
        await clock.sleep_until_ns(instant_ns)
        await anext(inlet)


def test_messages_come_out_in_order_and_the_end_ends_the_receiver() -> None:
    """What was sent before the sender closed is still received."""

    async def scene(clock: VirtualClock) -> None:
        outlet, inlet = ends(clock, 8)
        with outlet:
            for number in range(5):
                await outlet.send(number)
        assert [number async for number in inlet] == [0, 1, 2, 3, 4]
        assert [number async for number in inlet] == []

    run_virtually(scene)


def test_a_sender_waits_while_the_edge_is_full_and_the_wait_is_counted() -> None:
    """Two of four messages find no room, for 30 and for 70 ns."""
    told: list[tuple[str, int, int]] = []

    def listen(name: str, began_ns: int, waited_ns: int) -> None:
        told.append((name, began_ns, waited_ns))

    async def scene(clock: VirtualClock) -> None:
        outlet: Outlet[int]
        inlet: Inlet[int]
        outlet, inlet = open_edge(edge(2), clock, listen)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(take_at, clock, inlet, 30, 100)
            for number in range(4):
                await outlet.send(number)
            assert clock.now_ns() == 100
        gauge = outlet.gauge
        assert (gauge.waits, gauge.waited_ns) == (2, 100)
        assert (gauge.sent, gauge.received, gauge.high_water) == (4, 2, 2)

    run_virtually(scene)
    assert told == [("a_b", 0, 30), ("a_b", 30, 70)]


def test_a_wait_that_is_cancelled_is_counted_for_as_long_as_it_took() -> None:
    """The message was not sent, but its sender stood still."""

    async def scene(clock: VirtualClock) -> None:
        outlet, _inlet = ends(clock, 1)
        await outlet.send(0)
        with trio.move_on_after(5e-7):
            await outlet.send(1)
        gauge = outlet.gauge
        assert (gauge.sent, gauge.waits, gauge.waited_ns) == (1, 1, 500)

    run_virtually(scene)


def test_an_edge_with_room_makes_nobody_wait_and_yields_to_nobody() -> None:
    """An actor goes on working until it has nowhere to send: one task step per burst."""
    turns: list[str] = []

    async def other() -> None:
        turns.append("other")

    async def scene(clock: VirtualClock) -> None:
        outlet, _inlet = ends(clock, 3)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(other)
            for number in range(3):
                await outlet.send(number)
            turns.append("sender")
        assert (outlet.gauge.waits, outlet.gauge.waited_ns) == (0, 0)
        assert outlet.gauge.high_water == 3

    run_virtually(scene)
    assert turns == ["sender", "other"]


@settings(deadline=None, max_examples=40)
@given(
    capacity=st.integers(1, 5),
    sends=st.lists(st.integers(0, 20), max_size=20),
    takes=st.lists(st.integers(0, 20), max_size=20),
)
def test_the_high_water_mark_never_passes_the_capacity_and_no_message_is_lost(
    capacity: int, sends: list[int], takes: list[int]
) -> None:
    """Whatever the gaps between sends and between receipts; in between lies what is under way."""
    received: list[int] = []

    async def scene(clock: VirtualClock) -> None:
        outlet, inlet = ends(clock, capacity)

        async def send_all() -> None:
            with outlet:
                for number, gap_ns in enumerate(sends):
                    await clock.sleep_until_ns(clock.now_ns() + gap_ns)
                    await outlet.send(number)

        async def take_all() -> None:
            for gap_ns in takes:
                await clock.sleep_until_ns(clock.now_ns() + gap_ns)
                received.append(await anext(inlet, -1))
            received.extend([number async for number in inlet])

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send_all)
            nursery.start_soon(take_all)
        gauge = outlet.gauge
        assert gauge.sent == gauge.received == len(sends)
        assert gauge.high_water <= capacity
        assert (gauge.high_water == capacity) or gauge.waits == 0
        assert (gauge.high_water > 0) == bool(sends)

    run_virtually(scene)
    assert [number for number in received if number >= 0] == list(range(len(sends)))


def test_earlier_than_gives_what_is_strictly_earlier_and_keeps_the_rest() -> None:
    """A message of the instant itself waits for a later question, and keeps its place."""

    async def scene(clock: VirtualClock) -> None:
        outlet: Outlet[News]
        inlet: Inlet[News]
        outlet, inlet = open_edge(edge(8), clock)
        for time_ns in (10, 20, 20, 30):
            outlet.send_nowait(News(time_ns))

        def told_before(instant_ns: int) -> list[int]:
            return [news.time_ns for news in inlet.earlier_than(instant_ns)]

        assert told_before(10) == []
        assert told_before(20) == [10]
        assert told_before(20) == []
        assert told_before(21) == [20, 20]
        outlet.send_nowait(News(30))
        with outlet:
            pass
        assert told_before(31) == [30, 30]
        assert told_before(10**18) == []
        assert outlet.gauge.sent == outlet.gauge.received == 5

    run_virtually(scene)


def test_a_reader_that_stops_in_the_middle_loses_nothing() -> None:
    """What the loop has not been given is there for the next one."""

    async def scene(clock: VirtualClock) -> None:
        outlet: Outlet[News]
        inlet: Inlet[News]
        outlet, inlet = open_edge(edge(8), clock)
        for time_ns in (1, 2, 3):
            outlet.send_nowait(News(time_ns))
        first = next(inlet.earlier_than(100))
        rest = [news.time_ns for news in inlet.earlier_than(100)]
        assert [first.time_ns, *rest] == [1, 2, 3]

    run_virtually(scene)


def test_sending_without_waiting_to_a_receiver_that_is_gone_is_no_error() -> None:
    """The run is over for the receiver: it needs no reports any more, and none is counted."""

    async def scene(clock: VirtualClock) -> None:
        outlet, inlet = ends(clock, 2)
        outlet.send_nowait(1)
        inlet._channel.close()
        outlet.send_nowait(2)
        assert (outlet.gauge.sent, outlet.gauge.high_water) == (1, 1)

    run_virtually(scene)


def test_an_edge_that_was_to_be_wide_enough_and_is_not_shows_as_a_defect() -> None:
    """Never as a message lost silently."""

    async def scene(clock: VirtualClock) -> None:
        outlet, _inlet = ends(clock, 1)
        outlet.send_nowait(1)
        with pytest.raises(trio.WouldBlock):
            outlet.send_nowait(2)
        assert outlet.gauge.sent == 1

    run_virtually(scene)


def ends(clock: VirtualClock, capacity: int) -> Ends:
    """The ends of an edge that carries numbers."""
    return open_edge(edge(capacity), clock)
