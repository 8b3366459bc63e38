"""The egress: where packets leave, in order, each once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import trio

from saactors.actors.burst_news import BurstNews
from saactors.esp.lifetimes import LifetimeEvent
from saactors.model.burst import Finished, Share
from saactors.observe.events import PacketsDropped
from saactors.observe.observer import Emitter
from saactors.runtime.clock import Clock
from saactors.runtime.edges import Inlet
from saactors.streams.exit import Exit


async def run_egress(
    components: Sequence[Inlet[Finished]],
    arbiter: Inlet[Share],
    leave: Exit,
    clock: Clock,
    emit: Emitter,
    limits: Callable[[LifetimeEvent], None],
    news: BurstNews,
    flush: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Let out what every component is done with, and what the arbiter sent past them.

    Where packets leave by ports, ``flush`` waits until those have taken them: a port without room
    is the first to hold back all before it.
    """

    async def drain(component: Inlet[Finished]) -> None:
        async for finished in component:
            began_ns = news.begin()
            tell(leave.accept(finished, clock.now_ns()))
            news.handled("egress", finished.burst, finished.rows, began_ns)
            if flush is not None:
                await flush()

    def tell(dropped: int) -> None:
        for event in leave.poll_events():
            limits(event)
        if dropped and emit:
            for reason, count in leave.newly_dropped().items():
                emit(PacketsDropped(clock.now_ns(), reason, count))

    async with trio.open_nursery() as nursery:
        for component in components:
            nursery.start_soon(drain, component)
        async for share in arbiter:
            began_ns = news.begin()
            tell(leave.accept_unprocessed(share, clock.now_ns()))
            news.handled("egress", share.burst, share.rows, began_ns)
            if flush is not None:
                await flush()
    assert leave.held_back == 0, f"{leave.held_back} packets never had their turn"
