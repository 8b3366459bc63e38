"""The decay timer: time passes for the metrics, whatever the traffic does (claim 10)."""

from __future__ import annotations

import trio

from saactors.model.burst import Tick
from saactors.placement.change import RuleChange
from saactors.runtime.clock import Clock
from saactors.runtime.edges import Inlet, Outlet


async def run_decay(
    signals: Inlet[RuleChange],
    keeper: Outlet[Tick | RuleChange],
    period_ns: int | None,
    clock: Clock,
) -> None:
    """Tell the keeper once per period, until the run is cancelled.

    Ticks carry their nominal time: a keeper that was busy hears late, but of the right instant. A
    changed period begins when the present one ends.
    """

    async def follow_signals() -> None:
        nonlocal period_ns
        async for change in signals:
            period_ns = change.parameters.period_ns
            await keeper.send(change)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(follow_signals)
        number, due_ns = 1, period_ns
        while period_ns is not None and due_ns is not None:
            await clock.sleep_until_ns(due_ns)
            next_ns = due_ns + period_ns
            await keeper.send(Tick(number, due_ns, next_ns))
            number, due_ns = number + 1, next_ns
