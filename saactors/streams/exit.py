"""The exit: packets leave in order, each once, and every one is accounted for (laws 1 and 3).

Here an inbound packet meets its SA's replay window (RFC 4303 §3.4.3): after its ICV has been
checked, whoever checked it, and in the order of arrival, because the windows have one owner and
that is the exit. Behind the window it is charged to its SA's lifetime: what is not accepted has
used nothing.

What left and what was dropped is told to sinks, which write files or check the packets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
from numba import njit

from saactors.esp.lifetimes import LifetimeEvent, Lifetimes
from saactors.esp.window import ReplayWindows
from saactors.model.burst import Component, Finished, Share
from saactors.model.compiled import compiled
from saactors.model.verdicts import Verdict
from saactors.observe.counters import SaCounters
from saactors.observe.latency import LatencyHistogram
from saactors.observe.series import DROPS, TRAFFIC, SumSeries
from saactors.streams.delivery import InOrder

_PASSED: Final = int(Verdict.PASSED)


class Sink(Protocol):
    """Takes packets that leave."""

    def take(self, finished: Finished, positions: npt.NDArray[np.int32], now_ns: int) -> None:
        """Take the packets at these positions of the share; they leave at ``now_ns``."""
        ...


Refused = Callable[[Finished, npt.NDArray[np.int32], int], None]  # share, its rows, now in ns


class Exit:
    """Lets packets out and keeps the ledger; ``sinks`` get what leaves.

    ``windows`` is None outbound, where there is nothing to replay, and so is ``lifetimes``, which
    the classifier charges there; a system of both directions has both, for its inbound bursts.
    ``on_refused`` is told of rows that have had crypto and do not leave.
    """

    def __init__(
        self,
        windows: ReplayWindows | None,
        sinks: Sequence[Sink],
        lifetimes: Lifetimes | None = None,
        on_refused: Refused | None = None,
    ) -> None:
        self._in_order = InOrder()
        self._windows = windows
        self._lifetimes = Lifetimes() if lifetimes is None else lifetimes
        self._sinks = sinks
        self._on_refused = on_refused
        self._verdicts = np.zeros(256, np.int64)
        self._told = np.zeros(256, np.int64)
        self.counters = SaCounters()
        self.latencies: Mapping[Component, LatencyHistogram] = {
            component: LatencyHistogram() for component in Component
        }
        self.packets = dict.fromkeys(Component, 0)
        self.bytes = dict.fromkeys(Component, 0)
        self.padded = 0  # packets that were cut by the snap length and left with their full length
        self.traffic = SumSeries(*TRAFFIC)
        self.dropped = SumSeries(*DROPS)

    @property
    def left(self) -> int:
        """Packets that have left."""
        return int(self._verdicts[_PASSED])

    @property
    def drops(self) -> dict[str, int]:
        """Packets that were dropped, by reason."""
        return _by_reason(self._verdicts)

    def newly_dropped(self) -> dict[str, int]:
        """Packets that were dropped since this was last asked, by reason."""
        new = self._verdicts - self._told
        self._told[:] = self._verdicts
        return _by_reason(new)

    def poll_events(self) -> list[LifetimeEvent]:
        """Limits of lifetimes that were reached since this was last asked."""
        return self._lifetimes.poll_events()

    @property
    def held_back(self) -> int:
        """Packets that are done and wait for an earlier one of their SA."""
        return self._in_order.held_back

    def turn(self, sa: int) -> int:
        """How many of an SA's packets have been let out or dropped here, in their order."""
        return self._in_order.turn(sa)

    def forget(self, sa: int) -> None:
        """Let an SA of which nothing is under way be as if it had never had a packet."""
        self.counters.forget(sa)
        if self._windows is not None:
            self._windows.forget(sa)

    def accept(self, finished: Finished, now_ns: int) -> int:
        """Take a share that a component is done with; returns how many packets were dropped."""
        dropped = 0
        for share, positions in self._in_order.release(finished):
            dropped += self._let_out(share, positions, now_ns)
        return dropped

    def accept_unprocessed(self, share: Share, now_ns: int) -> int:
        """Take a share that needs no crypto: packets that bypass it, packets already dropped."""
        starts, lengths = _as_captured(share.burst.packets, share.rows)
        data = share.burst.data
        return self.accept(
            Finished(share.burst, share.rows, Component.NONE, data, starts, lengths), now_ns
        )

    def _let_out(self, share: Finished, positions: npt.NDArray[np.int32], now_ns: int) -> int:
        packets = share.burst.packets
        whole = len(positions) == len(share.rows)
        rows = share.rows if whole else share.rows[positions]
        if share.component is not Component.NONE:
            self._judge(share, rows, positions, now_ns)
        count, cut = tally(packets, rows, self._verdicts)
        leaving = positions if count == len(rows) else positions[passed_places(packets, rows)]
        if share.component is not Component.NONE:
            self.packets[share.component] += len(rows)
            self.padded += cut
            size = self.counters.record(packets, rows, share.component, share.burst.sa_count)
            self.bytes[share.component] += size
            self.latencies[share.component].record_since(packets, share.rows, leaving, now_ns)
        else:
            self.packets[Component.NONE] += count
        self._note(share.component, len(rows), count, now_ns)
        if count:
            for sink in self._sinks:
                sink.take(share, leaving, now_ns)
        if self._on_refused is not None and count < len(rows):
            self._on_refused(share, rows, now_ns)
        return len(rows) - count

    def _judge(
        self,
        share: Finished,
        rows: npt.NDArray[np.int32],
        positions: npt.NDArray[np.int32],
        now_ns: int,
    ) -> None:
        """Let windows and lifetimes write their verdicts on the rows, in order."""
        if not share.burst.inbound:
            return  # what is sealed has no window, and the classifier has charged it
        if self._windows is None and not self._lifetimes.has_limits:
            return
        packets = share.burst.packets
        sa, sequence, verdict = _judged_columns(packets, rows)
        if self._windows is not None:
            self._windows.grow(share.burst.sa_count)
            self._windows.check_and_update(sa, sequence, verdict)
        if self._lifetimes.has_limits:
            self._lifetimes.charge(sa, share.lengths[positions], verdict, now_ns)
        _write_verdicts(packets, rows, verdict)

    def _note(self, component: Component, handled: int, passed: int, now_ns: int) -> None:
        software = handled if component is Component.SOFTWARE else 0
        nic = handled if component is Component.NIC else 0
        bypass = passed if component is Component.NONE else 0
        self.traffic.add(now_ns, software, nic, bypass)
        if passed < handled:
            self.dropped.add(now_ns, handled - passed)


def _by_reason(counts: npt.NDArray[np.int64]) -> dict[str, int]:
    return {
        verdict.label: int(counts[verdict])
        for verdict in Verdict
        if verdict is not Verdict.PASSED and counts[verdict]
    }


@compiled
def tally(
    packets: npt.NDArray[np.void], rows: npt.NDArray[np.int32], verdicts: npt.NDArray[np.int64]
) -> tuple[int, int]:
    """Count the rows by verdict; returns how many pass, and how many of those had been cut."""
    count = cut = 0
    for row in rows:
        packet = packets[row]
        verdicts[packet.verdict] += 1
        if packet.verdict == _PASSED:
            count += 1
            cut += packet.captured_bytes < packet.length_bytes
    return count, cut


def passed_places(
    packets: npt.NDArray[np.void], rows: npt.NDArray[np.int32]
) -> npt.NDArray[np.int64]:
    """Which of the rows pass."""
    return np.flatnonzero(packets["verdict"][rows] == _PASSED)


@njit(cache=True)
def _judged_columns(
    packets: npt.NDArray[np.void], rows: npt.NDArray[np.int32]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint64], npt.NDArray[np.uint8]]:
    sa = np.empty(len(rows), np.int32)
    sequence = np.empty(len(rows), np.uint64)
    verdict = np.empty(len(rows), np.uint8)
    for place in range(len(rows)):
        packet = packets[rows[place]]
        sa[place], sequence[place], verdict[place] = packet.sa, packet.sequence, packet.verdict
    return sa, sequence, verdict


@njit(cache=True)
def _write_verdicts(
    packets: npt.NDArray[np.void], rows: npt.NDArray[np.int32], verdict: npt.NDArray[np.uint8]
) -> None:
    for place in range(len(rows)):
        packets[rows[place]].verdict = verdict[place]


@njit(cache=True)
def _as_captured(
    packets: npt.NDArray[np.void], rows: npt.NDArray[np.int32]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    starts = np.empty(len(rows), np.int64)
    lengths = np.empty(len(rows), np.int32)
    for place in range(len(rows)):
        packet = packets[rows[place]]
        starts[place], lengths[place] = packet.offset, packet.captured_bytes
    return starts, lengths
