"""Bursts: packets that a driver gets to see together.

A card raises an interrupt not for every packet but at most so many times a second; whatever
arrived meanwhile is handed over at once. So a burst begins with a packet and ends when ``wait_ns``
have passed since that packet or when it holds ``burst_max`` packets, whichever comes first:

    packets   | | |      |                        |||||||| (burst_max)
    wait_ns   ├──────────┤        ├──────────┤    ├──┤
    ready                ▲                   ▲       ▲

A packet that arrives at the very instant when the wait ends comes too late for that burst.

The replay and the lab form bursts with the same ``next_burst`` over the same chunks, so that they
decide alike (law 8). No burst spans two chunks: at a chunk's end the burst is closed as it stands.
A chunk holds thousands of packets, so that is rare, and it depends on the capture alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from saactors.errors import ParameterError
from saactors.model.compiled import compiled

BURST_WAIT_NS: Final = 50_000
"""Default wait: 20 000 interrupts a second, with which Linux's ixgbe driver (Intel 82599) starts a
receive queue (``IXGBE_20K_ITR`` in ixgbe.h), as its i40e driver does (``I40E_ITR_RX_DEF``)."""

BURST_MAX: Final = 256
"""Default and greatest number of packets in a burst."""

WAIT_NS_MAX: Final = 1_000_000_000
"""A second: no card waits longer, and no sum of times overflows."""


class BurstFormer:
    """Cuts chunks into bursts of at most ``burst_max`` packets that wait ``wait_ns`` at most."""

    def __init__(self, burst_max: int = BURST_MAX, wait_ns: int = BURST_WAIT_NS) -> None:
        """Check the parameters.

        Raises:
            ParameterError: ``burst_max`` is not 1 to ``BURST_MAX``, or ``wait_ns`` is negative.
        """
        if not 1 <= burst_max <= BURST_MAX:
            raise ParameterError("burst", burst_max, f"1 to {BURST_MAX} packets")
        if not 0 <= wait_ns <= WAIT_NS_MAX:
            raise ParameterError("burst_wait_ns", wait_ns, f"0 to {WAIT_NS_MAX} ns")
        self.burst_max = burst_max
        self.wait_ns = wait_ns

    def bursts(self, packets: npt.NDArray[np.void]) -> Iterator[tuple[int, int, int]]:
        """The bursts of one chunk in order: (first row, row behind the last, ``ready_ns``).

        ``packets`` is a record array of ``PACKET`` whose times never run backwards; then
        ``ready_ns``, when the burst is handed on, never does so either.
        """
        start = 0
        while start < len(packets):
            stop, ready_ns, _ = next_burst(packets, start, self.burst_max, self.wait_ns)
            yield start, stop, ready_ns
            start = stop


@compiled
def next_burst(
    packets: npt.NDArray[np.void], start: int, burst_max: int, wait_ns: int
) -> tuple[int, int, bool]:
    """The burst that begins at row ``start``: (row behind its last, ``ready_ns``, complete).

    ``complete`` is False where the chunk's end closed the burst; it is ready with its last packet
    then. A full burst is ready with its last packet too, any other when its wait is over.
    """
    deadline_ns = packets[start]["time_ns"] + wait_ns
    stop = start + 1
    while stop < len(packets) and stop - start < burst_max:
        if packets[stop]["time_ns"] >= deadline_ns:
            return stop, deadline_ns, True
        stop += 1
    return stop, packets[stop - 1]["time_ns"], stop - start == burst_max
