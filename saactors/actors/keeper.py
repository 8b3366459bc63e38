"""The metric keeper: an SA's metric goes up with packets, up when cached, down with time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import trio

from saactors.actors.burst_news import BurstNews
from saactors.model.burst import Burst, Completion, Review, Tick
from saactors.model.packets import NO_SA
from saactors.observe.events import MetricSampled, Ticked
from saactors.observe.hottest import HottestSas
from saactors.observe.observer import Emitter
from saactors.placement.change import RuleChange
from saactors.placement.rule import Decide, MetricKeeper
from saactors.placement.steered_keeper import SteeredKeeper
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
    news: BurstNews,
    signals: Inlet[RuleChange] | None = None,
    emit: Emitter | None = None,
    spi_of: Callable[[int], int] = int,
    *,
    follows_at_once: bool = False,
) -> None:
    """Keep the metrics and stamp every burst with them.

    A tick comes before the bursts of its own instant, and before the end of all bursts, whichever
    arrives first: bursts and end wait for the tick that is due. ``card`` tells of SAs that have
    entered the cache. Like what it tells, a signal is known to what happens after it, strictly
    (law 7); by the wall clock, where nothing happens twice at one instant, it may be followed at
    once (``follows_at_once``).
    """
    due_ns, has_ticks = first_tick_ns, first_tick_ns is not None
    ticked = trio.lowlevel.ParkingLot()
    sa_count = 0

    def learn(instant_ns: int) -> None:
        for completion in card.earlier_than(instant_ns):
            keeper.cached(completion.sa)

    async def follow(change: RuleChange) -> None:
        nonlocal decide, due_ns, has_ticks
        if change.plan is None:
            keeper.follow(change.parameters)
        else:
            assert isinstance(keeper, SteeredKeeper), "only a gateway exchanges rules"
            keeper.go_on_by(change.plan)
        decide = change.parameters.decide
        has_ticks = change.parameters.period_ns is not None
        if not has_ticks:
            due_ns = None  # nothing may wait for a tick that will not come
            ticked.unpark_all()
        await arbiter.send(replace(change, tick=keeper.ticks))

    async def follow_signals(instant_ns: int) -> bool:
        followed = False
        for change in signals.earlier_than(instant_ns) if signals is not None else ():
            await follow(change)
            followed = True
        return followed

    async def follow_at_once() -> None:
        assert signals is not None, "there is nobody to follow"
        async for change in signals:
            await follow(change)

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
            due_ns = tick.next_ns if has_ticks else None
            ticked.unpark_all()

    def tell_metrics(burst: Burst, emit: Emitter) -> None:
        packets = burst.packets
        for sa in np.unique(packets["sa"][packets["sa"] != NO_SA]).tolist():
            metric = float(packets["metric"][packets["sa"] == sa][-1])
            emit(MetricSampled(burst.observed_ns, sa, spi_of(sa), metric))

    async def catch_up() -> None:
        while True:
            if due_ns is not None and due_ns <= clock.now_ns():
                await ticked.park()
            elif not await follow_signals(clock.now_ns()):
                return

    with arbiter:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(follow_time)
            if follows_at_once:
                nursery.start_soon(follow_at_once)
            async for burst in classifier:
                began_ns = news.begin()
                await catch_up()
                burst.observed_ns = clock.now_ns()
                learn(burst.observed_ns)
                sa_count = burst.sa_count
                keeper.receive(sa_count)
                keeper.observe(burst.packets)
                burst.tick = keeper.ticks
                hottest.observe(burst.observed_ns, burst.packets, sa_count)
                if emit is not None and emit.wants(MetricSampled):
                    tell_metrics(burst, emit)
                news.handled("keeper", burst, None, began_ns)
                await arbiter.send(burst)
            await catch_up()
            nursery.cancel_scope.cancel()
