"""The stream classifier: associates every packet's stream with an SA (claim 1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from saactors.actors.burst_news import BurstNews
from saactors.esp.lifetimes import LifetimeEvent
from saactors.model.burst import Burst
from saactors.runtime.clock import Clock
from saactors.runtime.edges import Inlet, Outlet


class Classifier(Protocol):
    """``streams.outbound``, ``streams.inbound`` or, of both, ``streams.both_ways``."""

    def classify(self, burst: Burst, now_ns: int, /) -> range:
        """Write the burst's stream columns; returns the indices of the SAs made for it."""
        ...

    def poll_events(self) -> list[LifetimeEvent]:
        """Limits of lifetimes that were reached since this was last asked."""
        ...


async def run_classifier(
    source: Inlet[Burst],
    keeper: Outlet[Burst],
    classifier: Classifier,
    announce: Callable[[range], None],
    limits: Callable[[LifetimeEvent], None],
    clock: Clock,
    news: BurstNews,
) -> None:
    """Classify every burst.

    ``announce`` tells of SAs that the agent has just received, ``limits`` of lifetimes.
    """
    with keeper:
        async for burst in source:
            began_ns = news.begin()
            received = classifier.classify(burst, clock.now_ns())
            if received:
                announce(received)
            for event in classifier.poll_events():
                limits(event)
            news.handled("classifier", burst, None, began_ns)
            await keeper.send(burst)
