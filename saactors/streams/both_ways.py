"""Both directions in one system: each burst is of one direction, and says of which.

Outbound and inbound SAs stand in one table and are told apart by nothing but who knows them: the
outbound classifier by their policies, the inbound one by their SPIs. So one rule compares them, and
one card holds them, as cards do whose cache serves both directions (Linux's netdevsim).
"""

from __future__ import annotations

from saactors.esp.lifetimes import LifetimeEvent
from saactors.model.burst import Burst, Component, Finished, Share
from saactors.streams.crypto import Opening, Sealing
from saactors.streams.inbound import InboundClassifier
from saactors.streams.outbound import OutboundClassifier


class BothWaysClassifier:
    """Classifies each burst by its direction."""

    def __init__(self, outbound: OutboundClassifier, inbound: InboundClassifier) -> None:
        self.outbound = outbound
        self.inbound = inbound

    def classify(self, burst: Burst, now_ns: int) -> range:
        """Classify a burst; returns the indices of the SAs that were made for it."""
        if burst.inbound:
            return self.inbound.classify(burst, now_ns)
        return self.outbound.classify(burst, now_ns)

    def poll_events(self) -> list[LifetimeEvent]:
        """Limits of lifetimes that were reached since this was last asked."""
        return self.outbound.poll_events()

    def order(self, sa: int, *, inbound: bool) -> int:
        """How many packets of an SA have come so far."""
        return self.inbound.order(sa) if inbound else self.outbound.order(sa)


class BothWaysCrypto:
    """Seals or opens a share, as its burst's direction wants."""

    def __init__(self, sealing: Sealing, opening: Opening) -> None:
        self._sealing = sealing
        self._opening = opening

    def process(self, share: Share, component: Component) -> Finished:
        """Process every row of the share; what fails carries its verdict afterwards."""
        crypto = self._opening if share.burst.inbound else self._sealing
        return crypto.process(share, component)

    def forget(self, sa: int) -> None:
        """Forget what was made of an SA's keys."""
        self._sealing.forget(sa)
        self._opening.forget(sa)
