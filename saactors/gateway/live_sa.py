"""An SA of a gateway beside its row of the table, and which of several is the newest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from saactors.esp.association import Address
from saactors.esp.lifetime import NO_LIMIT, Lifetime
from saactors.esp.sa_formats.dpdk import Direction

ABSENT_ROW, OUTBOUND_ROW, INBOUND_ROW = range(3)


@dataclass(slots=True)
class LiveSa:
    """What is known of an SA beside its row of the table; no keys."""

    sa: int
    name: str
    direction: Direction
    spi: int
    suite: str
    source: Address | None
    destination: Address | None
    added_ns: int
    lifetime: Lifetime = NO_LIMIT
    fingerprint: bytes = b""  # outbound: what its numbers are reserved under
    last: int = 0  # outbound: the last number that is reserved
    most: int = 0  # outbound: the last number that it may ever send

    @property
    def text(self) -> str:
        """What it may be searched by, in lower case: name, SPI both ways, endpoints."""
        words = (self.name, f"{self.spi:#010x}", self.spi, self.source, self.destination)
        return " ".join(str(word) for word in words if word is not None).lower()


class NewestSas:
    """Of the outbound SAs of one name, and of those to one peer, the one that came last.

    Rekeying so is adding: a policy leads to the newest, and back to the one before if that goes.
    """

    def __init__(self) -> None:
        self._named: dict[str, LiveSa] = {}
        self._to: dict[Address, LiveSa] = {}

    def named(self, name: str) -> LiveSa | None:
        """The newest of that name."""
        return self._named.get(name)

    def to(self, peer: Address) -> LiveSa | None:
        """The newest to that peer."""
        return self._to.get(peer)

    def add(self, known: LiveSa) -> None:
        """An outbound SA has come: it is the newest."""
        self._named[known.name] = known
        if known.destination is not None:
            self._to[known.destination] = known

    def remove(self, known: LiveSa, others: Iterable[LiveSa]) -> None:
        """An outbound SA goes; ``others`` are all that stay, in the order of their indices."""
        peer = known.destination
        was_named = self._named.get(known.name) is known
        was_to = peer is not None and self._to.get(peer) is known
        if was_named:
            del self._named[known.name]
        if was_to and peer is not None:
            del self._to[peer]
        if not (was_named or was_to):
            return
        outbound = (other for other in others if other.direction == "out")
        for other in sorted(outbound, key=lambda each: each.added_ns):
            if was_named and other.name == known.name:
                self._named[other.name] = other
            if was_to and peer is not None and other.destination == peer:
                self._to[peer] = other
