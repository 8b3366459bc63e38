"""What each SA's packets came to: counted by the egress, read when the run has ended."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

from saactors.model.burst import Component
from saactors.model.packets import NO_SA
from saactors.model.sa import grown

SA_COUNTS: Final = np.dtype([("packets", "i8"), ("bytes", "i8"), ("nic_packets", "i8")])


class SaCounters:
    """Packets and bytes per SA, and how many of the packets the card encrypted; 24 bytes an SA."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts = np.zeros(64, SA_COUNTS)

    def record(
        self,
        packets: npt.NDArray[np.void],
        rows: npt.NDArray[np.int32],
        component: Component,
        sa_count: int,
    ) -> int:
        """Count these rows of a burst, which ``component`` has handled.

        ``packets`` is a contiguous record array of ``PACKET``, ``rows`` int32 indices into it,
        ``sa_count`` the burst's. Returns how many bytes the rows hold, by their length on the wire.
        """
        if sa_count > len(self._counts):
            self._counts = grown(self._counts, sa_count)
        return _count(packets, rows, component == Component.NIC, self._counts)

    def of(self, sa_count: int) -> npt.NDArray[np.void]:
        """A record array of ``SA_COUNTS`` with ``sa_count`` rows, one per SA."""
        self._counts = grown(self._counts, sa_count)
        return self._counts[:sa_count]

    def forget(self, sa: int) -> None:
        """Let an SA have had no packets: its index may be used for another."""
        if sa < len(self._counts):
            self._counts[sa] = np.zeros((), SA_COUNTS)

    def hottest(self, count: int) -> npt.NDArray[np.int64]:
        """Indices of the SAs with the most packets, most first; equals in the order of index."""
        packets = self._counts["packets"]
        order = np.argsort(-packets, kind="stable")[:count]
        return order[packets[order] > 0]


@njit(cache=True)
def _count(
    packets: npt.NDArray[np.void],
    rows: npt.NDArray[np.int32],
    on_nic: bool,
    counts: npt.NDArray[np.void],
) -> int:
    total_bytes = 0
    for row in rows:
        packet = packets[row]
        total_bytes += packet.length_bytes
        if packet.sa == NO_SA:
            continue
        entry = counts[packet.sa]
        entry.packets += 1
        entry.bytes += packet.length_bytes
        entry.nic_packets += on_nic
    return total_bytes
