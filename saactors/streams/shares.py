"""A placed burst cut into shares, one per component that gets any of its packets.

Software workers split SAs between them by index, as receive-side scaling splits flows: an SA's
packets stay with one worker. Rows keep the burst's order, and no packet is copied.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from saactors.model.burst import Burst, Share
from saactors.model.compiled import compiled
from saactors.model.packets import Route


class Splitter:
    """Cuts bursts. Destinations are numbered: 0 the exit, 1 the card, 2 … the software workers."""

    EXIT = 0
    NIC = 1
    FIRST_SOFTWARE = 2

    def __init__(self, software_workers: int) -> None:
        self._workers = software_workers
        self._ends = np.zeros(self.FIRST_SOFTWARE + software_workers, np.int64)

    def split(self, burst: Burst) -> Sequence[tuple[int, Share]]:
        """Pairs of a destination and its share; only shares with rows."""
        rows = np.empty(len(burst.packets), np.int32)
        only = rows_by_destination(burst.packets, self._workers, self._ends, rows)
        if only >= 0:
            return ((only, Share(burst, rows)),)
        starts = (0, *self._ends.tolist())
        return [
            (destination, Share(burst, rows[start:end]))
            for destination, (start, end) in enumerate(pairwise(starts))
            if end > start
        ]


@compiled
def rows_by_destination(
    packets: npt.NDArray[np.void],
    workers: int,
    ends: npt.NDArray[np.int64],
    rows: npt.NDArray[np.int32],
) -> int:
    """Fill ``rows`` sorted by destination (stable), and ``ends`` with where each one's rows end.

    Returns the destination of all packets, or -1 if there are several.
    """
    ends[:] = 0
    for row in range(len(packets)):
        ends[_destination(packets[row], workers)] += 1
    start = 0
    for destination in range(len(ends)):
        count = ends[destination]
        ends[destination] = start
        start += count
    for row in range(len(packets)):
        destination = _destination(packets[row], workers)
        rows[ends[destination]] = row
        ends[destination] += 1
    last = _destination(packets[len(packets) - 1], workers)
    return last if ends[last] == len(rows) and (last == 0 or ends[last - 1] == 0) else -1


@compiled
def _destination(packet: np.record, workers: int) -> int:
    if packet.route == Route.NIC:
        return 1
    if packet.route == Route.SOFTWARE:
        return 2 + int(packet.sa) % workers
    return 0
