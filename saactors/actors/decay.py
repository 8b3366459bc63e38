"""The decay timer: time passes for the metrics, whatever the traffic does (claim 10)."""

from __future__ import annotations

from saactors.model.burst import Tick
from saactors.placement.change import RuleChange
from saactors.runtime.clock import Clock
from saactors.runtime.edges import Inlet, Outlet


async def run_decay(
    signals: Inlet[RuleChange],
    keeper: Outlet[Tick],
    period_ns: int | None,
    clock: Clock,
) -> None:
    """Tell the keeper once per period, until the run is cancelled.

    Ticks carry their nominal time: a keeper that was busy hears late, but of the right instant. A
    changed period begins when the present one ends; a rule without one gets no ticks, until another
    rule comes that has one.
    """
    number, due_ns = 1, period_ns or 0
    while True:
        if period_ns is None:
            async for change in signals:
                period_ns = change.parameters.period_ns
                if period_ns is not None:
                    due_ns = clock.now_ns() + period_ns
                    break
            else:
                return
        await clock.sleep_until_ns(due_ns)
        for change in signals.earlier_than(due_ns):
            period_ns = change.parameters.period_ns
        if period_ns is None:
            continue
        next_ns = due_ns + period_ns
        await keeper.send(Tick(number, due_ns, next_ns))
        number, due_ns = number + 1, next_ns
