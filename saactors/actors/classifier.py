"""The stream classifier: associates every packet's stream with an SA (claim 1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from saactors.model.burst import Burst
from saactors.runtime.edges import Inlet, Outlet


class Classifier(Protocol):
    """``streams.outbound`` or ``streams.inbound``."""

    def classify(self, burst: Burst) -> range:
        """Write the burst's stream columns; returns the indices of the SAs made for it."""
        ...


async def run_classifier(
    source: Inlet[Burst],
    keeper: Outlet[Burst],
    classifier: Classifier,
    announce: Callable[[range], None],
) -> None:
    """Classify every burst; ``announce`` tells of SAs that the agent has just received."""
    with keeper:
        async for burst in source:
            received = classifier.classify(burst)
            if received:
                announce(received)
            await keeper.send(burst)
