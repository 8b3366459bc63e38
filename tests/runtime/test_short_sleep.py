"""Short sleeps are as long as they should be, and leave nothing behind."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import trio

from saactors.runtime.short_sleep import ShortSleeps

pytestmark = pytest.mark.trio


def open_descriptors() -> int:
    """How many descriptors this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_short_sleep_is_not_rounded_up_to_a_millisecond() -> None:
    """Never shorter than asked, and the shortest of many well below what epoll could do."""
    sleeps, spans_ns = ShortSleeps(), []
    for _ in range(50):
        began_ns = time.perf_counter_ns()
        await sleeps.sleep_ns(100_000)
        spans_ns.append(time.perf_counter_ns() - began_ns)
    assert min(spans_ns) >= 100_000
    assert min(spans_ns) < 900_000


async def test_many_sleep_at_once_and_timers_are_used_again() -> None:
    """A hundred sleepers need a hundred timers once; afterwards no more are kept than 64."""
    sleeps, before = ShortSleeps(), open_descriptors()
    for _ in range(3):
        async with trio.open_nursery() as nursery:
            for _ in range(100):
                nursery.start_soon(sleeps.sleep_ns, 200_000)
    assert 1 <= open_descriptors() - before <= 64


async def test_a_cancelled_sleep_gives_its_timer_back() -> None:
    """Whoever is cancelled in the middle leaves no descriptor open."""
    sleeps, before = ShortSleeps(), open_descriptors()
    for _ in range(20):
        with trio.move_on_after(0):
            await sleeps.sleep_ns(900_000)
    assert open_descriptors() == before


@pytest.mark.parametrize("span_ns", [0, 1, 1_500_000])
async def test_any_span_can_be_slept(span_ns: int) -> None:
    """No time at all, a nanosecond, and what trio sleeps by itself."""
    began_ns = time.perf_counter_ns()
    await ShortSleeps().sleep_ns(span_ns)
    assert time.perf_counter_ns() - began_ns >= span_ns
