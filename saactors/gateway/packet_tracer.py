"""Tracing single packets, in the manner of VPP: which ones, and which number each gets.

A trace is asked for so many packets, by a filter or without. They are chosen behind the classifier,
where it is known whose SA they are; from then on every actor tells of its step, and of those before
it is told in retrospect (``actors.burst_news``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network

import numpy as np
import numpy.typing as npt

from saactors.actors.classifier import Classifier
from saactors.esp.association import halves
from saactors.esp.lifetimes import LifetimeEvent
from saactors.model.burst import Burst


@dataclass(slots=True)
class PacketTrace:
    """What somebody wants to trace: ``left`` packets still; None in the filter means any."""

    left: int
    inbound: bool | None = None
    sa: int | None = None
    protocol: int | None = None
    source: IPv4Network | IPv6Network | None = None
    destination: IPv4Network | IPv6Network | None = None
    numbers: set[int] = field(default_factory=set)  # of the packets that it has chosen

    def fits(self, burst: Burst) -> npt.NDArray[np.bool_]:
        """Which packets of a burst it is about."""
        packets = burst.packets
        fitting = np.full(len(packets), self.inbound in (None, burst.inbound))
        if self.sa is not None:
            fitting &= packets["sa"] == self.sa
        if self.protocol is not None:
            fitting &= packets["protocol"] == self.protocol
        for end, network in (("source", self.source), ("destination", self.destination)):
            if network is not None:
                fitting &= packets["ip_version"] == network.version
                fitting &= _within(packets, end, network)
        return fitting


class PacketTracer:
    """Chooses packets for the traces that are open; false while there is none."""

    def __init__(self) -> None:
        self._traces: list[PacketTrace] = []
        self._chosen = 0

    def __bool__(self) -> bool:
        return bool(self._traces)

    def add(self, trace: PacketTrace) -> None:
        """Choose packets for this trace from now on."""
        self._traces.append(trace)

    def remove(self, trace: PacketTrace) -> None:
        """Choose no more for it."""
        if trace in self._traces:
            self._traces.remove(trace)

    def choose(self, burst: Burst) -> None:
        """Mark the packets of a burst that a trace is about."""
        traced: list[tuple[int, int]] = []
        for trace in tuple(self._traces):
            for row in np.flatnonzero(trace.fits(burst))[: trace.left].tolist():
                self._chosen += 1
                trace.left -= 1
                trace.numbers.add(self._chosen)
                traced.append((row, self._chosen))
            if trace.left == 0:
                self._traces.remove(trace)
        burst.traced = traced


class TracedClassifier:
    """A classifier behind which packets are chosen."""

    def __init__(self, inner: Classifier, tracer: PacketTracer) -> None:
        self._inner = inner
        self._tracer = tracer

    def classify(self, burst: Burst, now_ns: int) -> range:
        """Classify a burst, and mark the packets that a trace is about."""
        made = self._inner.classify(burst, now_ns)
        if self._tracer:
            self._tracer.choose(burst)
        return made

    def poll_events(self) -> list[LifetimeEvent]:
        """Limits of lifetimes that were reached since this was last asked."""
        return self._inner.poll_events()


def _within(
    packets: npt.NDArray[np.void], end: str, network: IPv4Network | IPv6Network
) -> npt.NDArray[np.bool_]:
    """Which packets have that end in the network, by halves as PACKET holds them."""
    high, low = halves(network.network_address)
    host_bits = network.max_prefixlen - network.prefixlen
    mask = (1 << 128) - (1 << host_bits)
    masks = np.uint64(mask >> 64), np.uint64(mask & (1 << 64) - 1)
    found_high = packets[f"{end}_high"] & masks[0] == np.uint64(high) & masks[0]
    found_low = packets[f"{end}_low"] & masks[1] == np.uint64(low) & masks[1]
    within: npt.NDArray[np.bool_] = found_high & found_low
    return within
