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
    changed period begins when the present one ends; a rule without one never gets any.
    """
    if period_ns is None:
        async for _ in signals:
            pass
        return
    number, due_ns = 1, period_ns
    while True:
        await clock.sleep_until_ns(due_ns)
        for change in signals.earlier_than(due_ns):
            period_ns = change.parameters.period_ns or period_ns
        next_ns = due_ns + period_ns
        await keeper.send(Tick(number, due_ns, next_ns))
        number, due_ns = number + 1, next_ns
