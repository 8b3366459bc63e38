"""The metric keeper: an SA's metric goes up with packets, up when cached, down with time."""

from __future__ import annotations

from dataclasses import replace

import trio

from saactors.model.burst import Burst, Completion, Review, Tick
from saactors.observe.events import Ticked
from saactors.observe.hottest import HottestSas
from saactors.observe.observer import Emitter
from saactors.placement.change import RuleChange
from saactors.placement.rule import Decide, MetricKeeper
from saactors.runtime.clock import Clock
from saactors.runtime.edges import Inlet, Outlet


async def run_keeper(
    classifier: Inlet[Burst],
    decay: Inlet[Tick],
    card: Inlet[Completion],
    arbiter: Outlet[Burst | Review | RuleChange],
    keeper: MetricKeeper,
    clock: Clock,
    first_tick_ns: int | None,
    decide: Decide,
    hottest: HottestSas,
    signals: Inlet[RuleChange] | None = None,
    emit: Emitter | None = None,
) -> None:
    """Keep the metrics and stamp every burst with them.

    A tick comes before the bursts of its own instant, whichever arrives first: bursts wait for the
    tick that is due. ``card`` tells of SAs that have entered the cache. Like what it tells, a
    signal is known to what happens after it, strictly (law 7).
    """
    due_ns = first_tick_ns
    ticked = trio.lowlevel.ParkingLot()
    sa_count = 0

    def learn(instant_ns: int) -> None:
        for completion in card.earlier_than(instant_ns):
            keeper.cached(completion.sa)

    async def follow_signals(instant_ns: int) -> bool:
        nonlocal decide
        followed = False
        for change in signals.earlier_than(instant_ns) if signals is not None else ():
            keeper.follow(change.parameters)
            decide = change.parameters.decide
            await arbiter.send(replace(change, tick=keeper.ticks))
            followed = True
        return followed

    async def follow_time() -> None:
        nonlocal due_ns
        async for tick in decay:
            await follow_signals(tick.time_ns)
            keeper.tick()
            if emit is not None and emit.wants(Ticked):
                emit(Ticked(tick.time_ns, keeper.ticks, sa_count))
            if decide is Decide.PERIODIC:
                learn(tick.time_ns)
                sas, metrics = keeper.candidates()
                await arbiter.send(Review(tick.time_ns, keeper.ticks, sa_count, sas, metrics))
            due_ns = tick.next_ns
            ticked.unpark_all()

    async def catch_up() -> None:
        while True:
            if due_ns is not None and due_ns <= clock.now_ns():
                await ticked.park()
            elif not await follow_signals(clock.now_ns()):
                return

    with arbiter:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(follow_time)
            async for burst in classifier:
                await catch_up()
                burst.observed_ns = clock.now_ns()
                learn(burst.observed_ns)
                sa_count = burst.sa_count
                keeper.receive(sa_count)
                keeper.observe(burst.packets)
                burst.tick = keeper.ticks
                hottest.observe(burst.observed_ns, burst.packets, sa_count)
                await arbiter.send(burst)
            nursery.cancel_scope.cancel()
