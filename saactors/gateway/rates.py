"""Once a second: how fast each SA is, and what the gateway did in that second."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from saactors.observe.counters import SaCounters

WIDTH_NS: Final = 1_000_000_000
POINTS_MAX: Final = 600


@dataclass(frozen=True, slots=True)
class Point:
    """What happened between the second before and ``time_ns``."""

    time_ns: int
    software_packets: int
    nic_packets: int
    bypass_packets: int
    dropped_packets: int
    residents: int
    loads: int


class Rates:
    """Differences between snapshots; all SAs at once, as columns."""

    def __init__(self) -> None:
        self.points: deque[Point] = deque(maxlen=POINTS_MAX)
        self._packets = np.zeros(0, np.int64)
        self._bytes = np.zeros(0, np.int64)
        self._packets_per_s = np.zeros(0)
        self._bytes_per_s = np.zeros(0)
        self._sampled_ns = 0
        self._totals = (0, 0, 0, 0, 0)

    def sample(
        self,
        now_ns: int,
        counters: SaCounters,
        rows: int,
        totals: tuple[int, int, int, int, int],
        residents: int,
    ) -> None:
        """Take a snapshot.

        ``totals`` are packets by software, card and bypass, packets dropped, and loads, since the
        start.
        """
        spent_s = max(now_ns - self._sampled_ns, 1) / 1e9
        counts = counters.of(rows)
        packets, size = counts["packets"].copy(), counts["bytes"].copy()
        known = min(rows, len(self._packets))
        self._packets_per_s, self._bytes_per_s = packets / spent_s, size / spent_s
        # An index that has been given to another SA counts from 0 again.
        for rate, now, before in (
            (self._packets_per_s, packets, self._packets),
            (self._bytes_per_s, size, self._bytes),
        ):
            rate[:known] = np.maximum(now[:known] - before[:known], 0) / spent_s
        self._packets, self._bytes = packets, size
        software, nic, bypass, dropped, loads = (
            now - before for now, before in zip(totals, self._totals, strict=True)
        )
        self.points.append(Point(now_ns, software, nic, bypass, dropped, residents, loads))
        self._totals, self._sampled_ns = totals, now_ns

    def packets_per_s(self, rows: int) -> npt.NDArray[np.float64]:
        """Packets a second of every SA."""
        return _fitted(self._packets_per_s, rows)

    def bits_per_s(self, rows: int) -> npt.NDArray[np.float64]:
        """Bits a second of every SA."""
        return _fitted(self._bytes_per_s, rows) * 8


def _fitted(rates: npt.NDArray[np.float64], rows: int) -> npt.NDArray[np.float64]:
    fitted = np.zeros(rows)
    count = min(rows, len(rates))
    fitted[:count] = rates[:count]
    return fitted
