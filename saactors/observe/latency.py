"""How long packets took, as a histogram of bounded size.

Buckets are log-linear: every octave (values from one power of two to the next) is cut into 128
buckets of equal width. A value is told by the middle of its bucket, so the relative error is below
1/256, whatever the range; values under 256 ns are exact. 64-bit nanoseconds fit in 7296 buckets
(57 KiB), and recording a value is a handful of shifts, compiled.

Gil Tene's HdrHistogram made the scheme well known; the arithmetic here is our own.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from saactors.model.compiled import compiled

_OCTAVE_BITS: Final = 7
_OCTAVE: Final = 1 << _OCTAVE_BITS
_BUCKETS: Final = (64 - _OCTAVE_BITS) * _OCTAVE


class Percentiles(NamedTuple):
    """The latency that this share of the packets stayed within."""

    p50_ns: int
    p99_ns: int
    p999_ns: int


class LatencyHistogram:
    """Latencies in ns; one writer, any number of values, 57 KiB."""

    __slots__ = ("_counts", "_extremes_ns")

    def __init__(self) -> None:
        self._counts = np.zeros(_BUCKETS, np.int64)
        self._extremes_ns = np.array([np.iinfo(np.int64).max, 0], np.int64)

    def record(self, values_ns: npt.NDArray[np.int64]) -> None:
        """Count latencies: a contiguous int64 array, none of them negative."""
        _record(values_ns, self._counts, self._extremes_ns)
        assert self._extremes_ns[0] >= 0, "a packet left before it came"

    def record_since(
        self,
        packets: npt.NDArray[np.void],
        rows: npt.NDArray[np.int32],
        places: npt.NDArray[np.int32],
        now_ns: int,
    ) -> None:
        """Count how long these packets took until now: places in rows of a burst's ``packets``."""
        _record_since(packets, rows, places, now_ns, self._counts, self._extremes_ns)
        assert self._extremes_ns[0] >= 0, "a packet left before it came"

    def merge(self, other: LatencyHistogram) -> None:
        """Count what ``other`` has counted, too."""
        self._counts += other._counts
        self._extremes_ns[0] = min(self._extremes_ns[0], other._extremes_ns[0])
        self._extremes_ns[1] = max(self._extremes_ns[1], other._extremes_ns[1])

    def __len__(self) -> int:
        """How many values have been counted."""
        return int(self._counts.sum())

    def percentile_ns(self, share: float) -> int | None:
        """The least latency that ``share`` (0 to 1) of the values stay within; None of no value."""
        cumulated = np.cumsum(self._counts)
        if not cumulated[-1]:
            return None
        rank = max(1, math.ceil(share * float(cumulated[-1])))
        middle_ns = _middle_ns(int(np.searchsorted(cumulated, rank)))
        lowest_ns, highest_ns = (int(extreme) for extreme in self._extremes_ns)
        return min(max(middle_ns, lowest_ns), highest_ns)

    def percentiles(self) -> Percentiles | None:
        """p50, p99 and p99.9; None if nothing has been counted."""
        p50_ns, p99_ns, p999_ns = (self.percentile_ns(share) for share in (0.5, 0.99, 0.999))
        if p50_ns is None or p99_ns is None or p999_ns is None:
            return None
        return Percentiles(p50_ns, p99_ns, p999_ns)


@compiled
def _record(
    values_ns: npt.NDArray[np.int64],
    counts: npt.NDArray[np.int64],
    extremes_ns: npt.NDArray[np.int64],
) -> None:
    for value in values_ns:
        _record_one(value, counts, extremes_ns)


@compiled
def _record_since(
    packets: npt.NDArray[np.void],
    rows: npt.NDArray[np.int32],
    places: npt.NDArray[np.int32],
    now_ns: int,
    counts: npt.NDArray[np.int64],
    extremes_ns: npt.NDArray[np.int64],
) -> None:
    for place in places:
        _record_one(now_ns - packets[rows[place]].time_ns, counts, extremes_ns)


@compiled
def _record_one(
    value: int, counts: npt.NDArray[np.int64], extremes_ns: npt.NDArray[np.int64]
) -> None:
    extremes_ns[0] = min(extremes_ns[0], value)
    extremes_ns[1] = max(extremes_ns[1], value)
    shift = 0
    mantissa = max(value, 0)
    while mantissa >= 2 * _OCTAVE:
        mantissa >>= 1
        shift += 1
    counts[shift * _OCTAVE + mantissa] += 1


def _middle_ns(bucket: int) -> int:
    """The inverse of ``_record_one``'s last line, for the middle of the bucket."""
    shift = max(bucket // _OCTAVE - 1, 0)
    mantissa = bucket - shift * _OCTAVE
    return (mantissa << shift) + ((1 << shift) >> 1)
