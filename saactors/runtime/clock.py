"""Time for the actors: one interface, two clocks; all of it in integer nanoseconds.

In **virtual time** the system is a discrete-event simulation. Tasks run until every one of them is
blocked; only then does time move, straight to the next instant that somebody sleeps for. Trio
offers the hook for that: it asks its clock how long to wait for I/O exactly when no task is
runnable (``trio.abc.Clock.deadline_to_sleep_time``). The virtual clock answers "not at all",
having moved time and woken the sleepers of that instant. Sleepers stand in a heap of integers of
our own, because trio's deadlines are seconds in a float, and because a parked task costs a third
of a trio timeout.

In **real time** the same interface follows the machine's monotonic clock, ``speed`` times as fast.

Threads would break virtual time (a task that waits for one looks blocked), so nothing here uses
them.
"""

from __future__ import annotations

import heapq
import math
import time
from typing import Protocol

import trio

from saactors.runtime.short_sleep import ShortSleeps


class Clock(Protocol):
    """What actors know of time: nanoseconds from the start of the run."""

    def now_ns(self) -> int:
        """The present instant."""
        ...

    async def sleep_until_ns(self, instant_ns: int) -> None:
        """Return at ``instant_ns``; at once, without a checkpoint, if it is not in the future."""
        ...

    def wake_at(self, sleeper: Sleeper, instant_ns: int) -> None:
        """Wake ``sleeper`` at ``instant_ns``, or sooner if this clock has no timers of its own."""
        ...


class VirtualClock(trio.abc.Clock):
    """Discrete-event time. Pass it to ``trio.run(…, clock=…)`` and to the actors.

    Trio's own timeouts keep working under it, rounded up to whole nanoseconds.
    """

    def __init__(self) -> None:
        self._now_ns = 0
        self._sleepers: list[tuple[int, int, Sleeper]] = []
        self._serial = 0

    def now_ns(self) -> int:
        """The present instant."""
        return self._now_ns

    async def sleep_until_ns(self, instant_ns: int) -> None:
        """Park this task until virtual time reaches ``instant_ns``."""
        if instant_ns <= self._now_ns:
            return
        sleeper = Sleeper()
        self.wake_at(sleeper, instant_ns)
        await sleeper.park()

    def wake_at(self, sleeper: Sleeper, instant_ns: int) -> None:
        """Wake ``sleeper`` when virtual time reaches ``instant_ns``."""
        self._serial += 1
        heapq.heappush(self._sleepers, (instant_ns, self._serial, sleeper))

    def start_clock(self) -> None:
        """Trio's run begins; virtual time stands at 0."""

    def current_time(self) -> float:
        """The present instant in seconds, for trio's own timeouts."""
        return self._now_ns / 1e9

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Nothing is runnable: move to the next instant that somebody waits for."""
        sleepers = self._sleepers
        while sleepers and sleepers[0][2].task is None:
            heapq.heappop(sleepers)
        if sleepers and sleepers[0][0] / 1e9 <= deadline:
            # Later than the sleeper only if a float deadline, far out, has moved time past it.
            self._now_ns = max(self._now_ns, sleepers[0][0])
            while sleepers and sleepers[0][0] <= self._now_ns:
                heapq.heappop(sleepers)[2].wake()
            return 0
        if deadline != math.inf:
            self._now_ns = max(self._now_ns, math.ceil(deadline * 1e9))
            while self.current_time() < deadline:  # the product may have been rounded down
                self._now_ns += 1
            return 0
        return math.inf


class Sleeper:
    """The task that made it, which may be parked; woken once, unless it is cancelled first."""

    __slots__ = ("task",)

    def __init__(self) -> None:
        self.task: trio.lowlevel.Task | None = trio.lowlevel.current_task()

    async def park(self) -> None:
        """Wait to be woken."""
        await trio.lowlevel.wait_task_rescheduled(self._abort)

    def wake(self) -> None:
        """Let the task go on, if it still waits."""
        if self.task is not None:
            trio.lowlevel.reschedule(self.task)
            self.task = None

    def _abort(self, _raise_cancel: object) -> trio.lowlevel.Abort:
        self.task = None
        return trio.lowlevel.Abort.SUCCEEDED


class WallClock:
    """Real time, ``speed`` times as fast as the machine's monotonic clock."""

    def __init__(self, speed: float = 1.0) -> None:
        self._speed = speed
        self._short = ShortSleeps()
        self._started_ns = time.perf_counter_ns()

    def now_ns(self) -> int:
        """The present instant."""
        return round((time.perf_counter_ns() - self._started_ns) * self._speed)

    async def sleep_until_ns(self, instant_ns: int) -> None:
        """Sleep on the machine's clock for what is left until ``instant_ns``."""
        ahead_ns = instant_ns - self.now_ns()
        if ahead_ns > 0:
            await self._short.sleep_ns(math.ceil(ahead_ns / self._speed))

    def wake_at(self, sleeper: Sleeper, _instant_ns: int) -> None:
        """Wake ``sleeper`` now: whoever waits for an instant sleeps for the rest of the time."""
        sleeper.wake()
