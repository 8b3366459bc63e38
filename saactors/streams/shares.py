"""A placed burst cut into shares, one per component that gets any of its packets.

Software workers split SAs between them by index, as receive-side scaling splits flows: an SA's
packets stay with one worker. Rows keep the burst's order, and no packet is copied.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from numba import njit

from saactors.model.burst import Burst, Share
from saactors.model.packets import Route


class Splitter:
    """Cuts bursts. Destinations are numbered: 0 the exit, 1 the card, 2 … the software workers."""

    EXIT = 0
    NIC = 1
    FIRST_SOFTWARE = 2

    def __init__(self, software_workers: int) -> None:
        self._workers = software_workers
        self._ends = np.zeros(self.FIRST_SOFTWARE + software_workers, np.int64)

    def split(self, burst: Burst) -> Iterator[tuple[int, Share]]:
        """Pairs of a destination and its share; only shares with rows."""
        rows = _rows_by_destination(burst.packets, self._workers, self._ends)
        start = 0
        for destination, end in enumerate(self._ends.tolist()):
            if end > start:
                yield destination, Share(burst, rows[start:end])
            start = end


@njit(cache=True)
def _rows_by_destination(
    packets: npt.NDArray[np.void], workers: int, ends: npt.NDArray[np.int64]
) -> npt.NDArray[np.int32]:
    """Rows sorted by destination (stable); ``ends`` gets where each destination's rows end."""
    ends[:] = 0
    for row in range(len(packets)):
        ends[_destination(packets[row], workers)] += 1
    start = 0
    for destination in range(len(ends)):
        count = ends[destination]
        ends[destination] = start
        start += count
    rows = np.empty(len(packets), np.int32)
    for row in range(len(packets)):
        destination = _destination(packets[row], workers)
        rows[ends[destination]] = row
        ends[destination] += 1
    return rows


@njit(cache=True)
def _destination(packet: np.record, workers: int) -> int:
    if packet.route == Route.NIC:
        return 1
    if packet.route == Route.SOFTWARE:
        return 2 + int(packet.sa) % workers
    return 0
