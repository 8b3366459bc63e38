"""The card's receive ring: where packets wait until the agent takes them.

While the agent keeps up, bursts are what ``burst_former`` makes of the trace. When the
classifier's edge is full the source stands still and packets go on arriving: they fill the ring,
and once it is full the next ones are dropped and counted, as a real card does it. When the source
may go on, it takes what has gathered, up to a burst, without waiting any longer.

A closed loop has no ring: whoever sends waits for the agent, so nothing is dropped.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from saactors.errors import ParameterError
from saactors.model.compiled import compiled
from saactors.model.verdicts import Verdict
from saactors.traces.burst_former import BurstFormer, next_burst

RING_PACKETS: Final = 512
"""Default: receive descriptors per queue of Linux's ixgbe driver (``IXGBE_DEFAULT_RXD``)."""

_UNBOUNDED: Final = 1 << 62
_RX_RING_FULL: Final = int(Verdict.RX_RING_FULL)


class ReceiveRing:
    """Gives out the bursts of a trace, chunk by chunk.

    ``packets_max`` bounds what may wait; None makes it a closed loop. ``passed`` counts packets
    given out or dropped, ``dropped`` the latter, ``bytes`` the length of all that arrived.

    Raises:
        ParameterError: a ring without room.
    """

    def __init__(self, former: BurstFormer, packets_max: int | None = RING_PACKETS) -> None:
        if packets_max is not None and packets_max < 1:
            raise ParameterError("rx_ring", packets_max, "1 packet or more")
        self._packets_max = _UNBOUNDED if packets_max is None else packets_max
        self._burst_max = min(former.burst_max, self._packets_max)
        self._wait_ns = former.wait_ns
        self._packets = np.zeros(0, np.void)
        self._start = 0  # the first packet that has not left the ring
        self._stop = 0  # behind the burst that is forming
        self._ready_ns = 0  # when that burst is ready
        self._seen = 0  # behind the last packet known to have arrived
        self._held = 0  # packets in the ring
        self._drops_here = False  # whether any of this chunk was dropped
        self.passed = 0
        self.dropped = 0
        self.bytes = 0

    @property
    def arrived(self) -> int:
        """Packets that have come so far: given out, dropped or waiting."""
        return self.passed + self._seen - self._start

    def open(self, packets: npt.NDArray[np.void]) -> None:
        """Go on with the next chunk (record array of PACKET); the last one is used up."""
        assert self._start == len(self._packets), "a chunk was left before its end"
        self._packets = packets
        self._start = self._stop = self._seen = self._held = 0
        self._drops_here = False

    def next_burst(self, now_ns: int) -> int | None:
        """When the chunk's next burst is ready, as seen at ``now_ns``; None if there is none."""
        self._arrive(now_ns)
        if self._drops_here:
            first = after_dropped(self._packets, self._start)
            self.passed += first - self._start
            self._start = first
        if self._start == len(self._packets):
            return None
        self._stop, self._ready_ns, _ = next_burst(
            self._packets, self._start, self._burst_max, self._wait_ns
        )
        return self._ready_ns

    def take(self, now_ns: int) -> npt.NDArray[np.void]:
        """The burst that was ready at ``now_ns`` or before: a view of the chunk's packets.

        If it had to wait, whatever else has arrived by now comes along, as far as there is room.
        """
        self._arrive(now_ns)
        start, stop = self._start, self._stop
        if now_ns > self._ready_ns:
            stop = min(max(stop, self._seen), start + self._burst_max)
        self._start = before_dropped(self._packets, start, stop) if self._drops_here else stop
        self._held -= self._start - start
        self.passed += self._start - start
        return self._packets[start : self._start]

    def _arrive(self, now_ns: int) -> None:
        if self._seen == len(self._packets):
            return
        self._seen, self._held, dropped, size = arrive(
            self._packets, self._seen, self._held, self._packets_max, now_ns
        )
        self.dropped += dropped
        self._drops_here = self._drops_here or dropped > 0
        self.bytes += size


@compiled
def arrive(
    packets: npt.NDArray[np.void], seen: int, held: int, packets_max: int, now_ns: int
) -> tuple[int, int, int, int]:
    """Let packets up to ``now_ns`` into the ring; drops those that find it full.

    Returns (row behind the last that has arrived, packets in the ring, packets dropped, bytes on
    the wire of all that arrived).
    """
    dropped = size = 0
    while seen < len(packets) and packets[seen].time_ns <= now_ns:
        if held < packets_max:
            held += 1
        else:
            packets[seen].verdict = _RX_RING_FULL
            dropped += 1
        size += packets[seen].length_bytes
        seen += 1
    return seen, held, dropped, size


@compiled
def after_dropped(packets: npt.NDArray[np.void], row: int) -> int:
    """The first row from ``row`` on that was not dropped."""
    while row < len(packets) and packets[row].verdict == _RX_RING_FULL:
        row += 1
    return row


@compiled
def before_dropped(packets: npt.NDArray[np.void], row: int, stop: int) -> int:
    """The first row from ``row`` on that was dropped, or ``stop``."""
    while row < stop and packets[row].verdict != _RX_RING_FULL:
        row += 1
    return row
