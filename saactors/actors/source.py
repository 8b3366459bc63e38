"""The source: from a trace to bursts, each handed on when a card would raise its interrupt."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from saactors.actors.burst_news import BurstNews
from saactors.model.burst import Burst
from saactors.model.packets import Chunk
from saactors.model.verdicts import Verdict
from saactors.observe.events import PacketsDropped
from saactors.observe.observer import Emitter
from saactors.runtime.clock import Clock
from saactors.runtime.edges import Outlet
from saactors.traces.receive_ring import ReceiveRing


@dataclass(slots=True)
class TraceSource:
    """Everything that ``run_source`` is given but the edge."""

    trace: Iterable[Chunk]
    ring: ReceiveRing
    clock: Clock
    emit: Emitter
    progress: Callable[[int], None]
    news: BurstNews
    inbound: bool

    async def __call__(self, classifier: Outlet[Burst]) -> None:
        """Send the whole trace."""
        await run_source(
            self.trace,
            self.ring,
            classifier,
            self.clock,
            self.emit,
            self.progress,
            self.news,
            inbound=self.inbound,
        )


async def run_source(
    trace: Iterable[Chunk],
    ring: ReceiveRing,
    classifier: Outlet[Burst],
    clock: Clock,
    emit: Emitter,
    progress: Callable[[int], None],
    news: BurstNews,
    *,
    inbound: bool = False,
) -> None:
    """Send every packet of ``trace`` that the receive ring had room for.

    ``inbound`` says that they are to be opened, not sealed.

    ``progress`` is told how many packets have been sent or dropped so far.
    """
    number = told = 0

    def report() -> None:
        nonlocal told
        if ring.dropped > told:
            reason = Verdict.RX_RING_FULL.label
            emit(PacketsDropped(clock.now_ns(), reason, ring.dropped - told))
            told = ring.dropped
        progress(ring.passed)

    for chunk in trace:
        ring.open(chunk.packets)
        while (ready_ns := ring.next_burst(clock.now_ns())) is not None:
            report()
            await clock.sleep_until_ns(ready_ns)
            packets = ring.take(clock.now_ns())
            burst = Burst(chunk.data, packets, number, inbound=inbound)
            news.handled("source", burst, None, ready_ns)
            await classifier.send(burst)
            number += 1
        report()
