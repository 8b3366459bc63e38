"""A trace as the lab's driver takes it: packets as records, and the bursts they form.

Which packets make a burst depends on the trace alone, not on the rule, so bursts are formed once,
by the function that the running system forms them with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from saactors.model.compiled import compiled
from saactors.model.packets import NO_SA
from saactors.model.verdicts import Verdict
from saactors.traces.burst_former import BURST_MAX, BURST_WAIT_NS, BurstFormer, next_burst
from saactors.traces.columns import TraceColumns

# What of ``saactors.model.packets.PACKET`` a rule may look at; the same compiled functions take it.
LAB_PACKET: Final = np.dtype(
    [
        ("time_ns", "i8"),
        ("metric", "f8"),
        ("finish_ns", "i8"),  # when it leaves the card; of packets on the card only
        ("sa", "i4"),
        ("length_bytes", "i4"),
        ("verdict", "u1"),
        ("route", "u1"),
    ],
    align=True,
)

LAB_BURST: Final = np.dtype(
    [
        ("placed_ns", "i8"),  # when it is handed on and decided
        ("stop", "i8"),  # row behind its last
        ("sa_count", "i8"),  # SAs received by then
    ],
    align=True,
)


@dataclass(frozen=True, slots=True, eq=False)
class LabTrace:
    """What the driver reads; ``packets`` is written to by every run (metric, finish, route)."""

    columns: TraceColumns
    packets: npt.NDArray[np.void]  # (n,) of LAB_PACKET
    bursts: npt.NDArray[np.void]  # (bursts,) of LAB_BURST

    @property
    def placed_ns(self) -> npt.NDArray[np.int64]:
        """When each packet is placed: the instant at which its burst is decided; shape (n,)."""
        sizes = np.diff(self.bursts["stop"], prepend=0)
        return np.repeat(self.bursts["placed_ns"], sizes)


def lab_trace(
    columns: TraceColumns, burst_max: int = BURST_MAX, burst_wait_ns: int = BURST_WAIT_NS
) -> LabTrace:
    """Form the bursts of a trace; bursts of one packet give decisions packet by packet.

    Raises:
        ParameterError: the burst's limits are out of range.
    """
    former = BurstFormer(burst_max, burst_wait_ns)
    packets = np.zeros(len(columns), LAB_PACKET)
    packets["time_ns"] = columns.time_ns
    packets["sa"] = columns.sa
    packets["length_bytes"] = columns.length_bytes
    packets["verdict"] = int(Verdict.PASSED)
    bursts = np.zeros(len(columns), LAB_BURST)
    count = _form(packets, columns.chunk_stops, bursts, former.burst_max, former.wait_ns)
    return LabTrace(columns, packets, bursts[:count].copy())


@compiled
def _form(
    packets: npt.NDArray[np.void],
    chunk_stops: npt.NDArray[np.int64],
    bursts: npt.NDArray[np.void],
    burst_max: int,
    wait_ns: int,
) -> int:
    """Write the bursts; returns how many."""
    count = 0
    sa_count = 0
    first = 0
    for chunk_stop in chunk_stops:
        chunk = packets[first:chunk_stop]
        start = 0
        while start < len(chunk):
            stop, placed_ns, _ = next_burst(chunk, start, burst_max, wait_ns)
            for row in range(start, stop):
                if chunk[row]["sa"] != NO_SA:
                    sa_count = max(sa_count, chunk[row]["sa"] + 1)
            burst = bursts[count]
            burst["placed_ns"] = placed_ns
            burst["stop"] = first + stop
            burst["sa_count"] = sa_count
            count += 1
            start = stop
        first = chunk_stop
    return count
