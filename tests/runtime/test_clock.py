"""The clocks: whole nanoseconds, woken in order, never backwards; and the machine's own time."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence

import pytest
import trio
from hypothesis import example, given, settings
from hypothesis import strategies as st

from saactors.runtime.clock import VirtualClock, WallClock

DAY_NS = 86_400 * 10**9
INSTANTS = st.lists(st.integers(-5, 400 * DAY_NS), max_size=12)


def run_virtually(scene: Callable[[VirtualClock], Awaitable[None]]) -> int:
    """Run ``scene`` in virtual time; returns when it ended."""
    clock = VirtualClock()
    trio.run(scene, clock, clock=clock)
    return clock.now_ns()


@settings(deadline=None, max_examples=60)
@given(INSTANTS)
@example([2**53 + 1, 2**53 + 2, 2**53 + 3])
@example([1_000_000_000_000_000_238])
def test_every_sleeper_wakes_at_its_own_nanosecond_and_earlier_ones_first(
    instants_ns: list[int],
) -> None:
    """To the nanosecond after any time, where seconds in a float could not tell them apart."""
    woken: list[tuple[int, int]] = []

    async def sleeper(clock: VirtualClock, instant_ns: int) -> None:
        await clock.sleep_until_ns(instant_ns)
        woken.append((clock.now_ns(), max(0, instant_ns)))

    async def scene(clock: VirtualClock) -> None:
        async with trio.open_nursery() as nursery:
            for instant_ns in instants_ns:
                nursery.start_soon(sleeper, clock, instant_ns)

    ended_ns = run_virtually(scene)
    assert [now_ns for now_ns, _ in woken] == sorted(max(0, instant) for instant in instants_ns)
    assert all(now_ns == wanted_ns for now_ns, wanted_ns in woken)
    assert ended_ns == max([0, *instants_ns])


def test_two_hundred_sleepers_of_one_instant_all_wake_in_it_together() -> None:
    """Time stands still until each has had its turns, and nobody has two before all have one."""
    turns: list[tuple[str, int]] = []

    async def sleeper(clock: VirtualClock) -> None:
        await clock.sleep_until_ns(7)
        turns.append(("first", clock.now_ns()))
        await trio.lowlevel.checkpoint()
        turns.append(("second", clock.now_ns()))

    async def scene(clock: VirtualClock) -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(200):
                nursery.start_soon(sleeper, clock)
            nursery.start_soon(clock.sleep_until_ns, 8)

    run_virtually(scene)
    assert turns == [("first", 7)] * 200 + [("second", 7)] * 200


def test_a_sleep_until_now_or_before_is_over_at_once() -> None:
    """Without even a checkpoint: nobody else gets a turn."""
    turns = []

    async def other() -> None:
        turns.append("other")

    async def scene(clock: VirtualClock) -> None:
        await clock.sleep_until_ns(50)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(other)
            await clock.sleep_until_ns(50)
            await clock.sleep_until_ns(-1)
            turns.append("sleeper")

    assert run_virtually(scene) == 50
    assert turns == ["sleeper", "other"]


def test_time_does_not_move_for_a_sleeper_that_was_cancelled() -> None:
    """Neither to its instant nor past the sleeper that is left."""

    async def scene(clock: VirtualClock) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(clock.sleep_until_ns, 1000)
            with trio.CancelScope() as scope:
                scope.cancel()
                await clock.sleep_until_ns(10)
            assert scope.cancelled_caught
            assert clock.now_ns() == 0

    assert run_virtually(scene) == 1000


def test_a_cancelled_sleeper_is_not_woken_beside_others_of_its_instant() -> None:
    """Its task goes on elsewhere, and a second wake-up would break that."""

    async def scene(clock: VirtualClock) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(clock.sleep_until_ns, 10)
            await clock.sleep_until_ns(1)  # so that the other stands first in line
            with trio.move_on_after(4e-9):
                await clock.sleep_until_ns(10)
            assert clock.now_ns() == 5
            await clock.sleep_until_ns(20)
            assert clock.now_ns() == 20

    assert run_virtually(scene) == 20


def test_trio_timeouts_come_true_in_virtual_time() -> None:
    """A deadline between two sleepers is met between them, and no real time passes."""
    events: list[tuple[str, int]] = []

    async def scene(clock: VirtualClock) -> None:
        async def sleeper(instant_ns: int) -> None:
            await clock.sleep_until_ns(instant_ns)
            events.append(("slept", clock.now_ns()))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(sleeper, 1_000_000_000)
            nursery.start_soon(sleeper, 3_600_000_000_000)
            with trio.move_on_after(1.5) as scope:
                await trio.sleep_forever()
            assert scope.cancelled_caught
            events.append(("timed out", clock.now_ns()))

    began = time.perf_counter()
    run_virtually(scene)
    assert events == [
        ("slept", 1_000_000_000),
        ("timed out", 1_500_000_000),
        ("slept", 3_600_000_000_000),
    ]
    assert time.perf_counter() - began < 10


@settings(deadline=None, max_examples=60)
@given(
    instants_ns=INSTANTS,
    timeouts_s=st.lists(st.floats(0, 400 * 86_400.0), max_size=6),
)
@example(instants_ns=[1_000_000_000_000_000_856], timeouts_s=[1_000_000_000.000_000_8])
def test_time_never_runs_backwards_between_sleeps_and_timeouts(
    instants_ns: Sequence[int], timeouts_s: Sequence[float]
) -> None:
    """Deadlines in a float and instants in whole nanoseconds meet on one line."""
    read_ns: list[int] = []

    async def scene(clock: VirtualClock) -> None:
        async def sleeper(instant_ns: int) -> None:
            await clock.sleep_until_ns(instant_ns)
            read_ns.append(clock.now_ns())
            assert clock.now_ns() >= instant_ns

        async def waiter(timeout_s: float) -> None:
            await trio.sleep(timeout_s)
            read_ns.append(clock.now_ns())
            assert clock.current_time() >= timeout_s

        async with trio.open_nursery() as nursery:
            for instant_ns in instants_ns:
                nursery.start_soon(sleeper, instant_ns)
            for timeout_s in timeouts_s:
                nursery.start_soon(waiter, timeout_s)

    run_virtually(scene)
    assert read_ns == sorted(read_ns)
    assert len(read_ns) == len(instants_ns) + len(timeouts_s)


@pytest.mark.parametrize("speed", [1.0, 50.0])
def test_the_wall_clock_runs_at_its_speed_and_no_sleeper_wakes_early(speed: float) -> None:
    """Late by what the machine takes, but never before the instant."""
    naps_ns = [round(nap * speed) for nap in (5_000_000, 45_000_000, 100_000_000)]

    async def scene() -> None:
        clock = WallClock(speed)
        began_ns, began_machine_ns = clock.now_ns(), time.perf_counter_ns()
        for nap_ns in naps_ns:
            await clock.sleep_until_ns(nap_ns)
            assert clock.now_ns() >= nap_ns
        passed_ns, machine_ns = clock.now_ns() - began_ns, time.perf_counter_ns() - began_machine_ns
        assert machine_ns >= 90_000_000
        assert passed_ns == pytest.approx(machine_ns * speed, rel=0.5)

    trio.run(scene)


def test_the_wall_clock_does_not_wait_for_what_is_past() -> None:
    """An instant that has gone by is no reason to sleep."""

    async def scene() -> None:
        clock = WallClock()
        with trio.fail_after(5):
            await clock.sleep_until_ns(0)
            await clock.sleep_until_ns(-(10**18))

    trio.run(scene)
