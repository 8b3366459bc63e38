"""A trace as columns: when, which SA, how long. All that a placement rule asks of a packet.

A lab replays the same trace a hundred times under other rules; what no rule looks at (addresses,
bytes) is left out, so that a packet takes 16 bytes. Packets that need no crypto stay in, with
``NO_SA`` as their SA, because they too fill bursts.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from saactors.model.packets import NO_SA


@dataclass(frozen=True, slots=True, eq=False)
class TraceColumns:
    """``n`` packets of ``sa_count`` SAs, in the order of time.

    SAs are numbered in the order of their first packets, as the classifier numbers them.
    ``chunk_stops`` are the rows behind the last row of each chunk: no burst spans two.
    ``predecessors`` names the SA that each SA took over from by rekeying, or ``NO_SA``.
    """

    name: str
    time_ns: npt.NDArray[np.int64]  # (n,), from the start of the trace, never running backwards
    sa: npt.NDArray[np.int32]  # (n,), NO_SA for a packet that no component handles
    length_bytes: npt.NDArray[np.int32]  # (n,), of the IP packet
    sa_count: int
    chunk_stops: npt.NDArray[np.int64]  # (chunks,), ascending; the last one is n
    predecessors: npt.NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))

    def __post_init__(self) -> None:
        assert len(self.time_ns) == len(self.sa) == len(self.length_bytes)
        assert len(self.predecessors) in (0, self.sa_count)

    def __len__(self) -> int:
        return len(self.time_ns)

    @property
    def duration_ns(self) -> int:
        """From the first packet to the last."""
        return int(self.time_ns[-1] - self.time_ns[0]) if len(self) else 0

    def part(self, first: int, stop: int) -> TraceColumns:
        """Rows ``first`` to ``stop``, with the SAs numbered as they are here."""
        stops = self.chunk_stops[(self.chunk_stops > first) & (self.chunk_stops < stop)] - first
        return TraceColumns(
            self.name,
            self.time_ns[first:stop],
            self.sa[first:stop],
            self.length_bytes[first:stop],
            self.sa_count,
            np.append(stops, stop - first),
            self.predecessors,
        )


def trace_columns(
    name: str,
    time_ns: npt.NDArray[np.int64],
    keys: npt.NDArray[np.int64],
    length_bytes: npt.NDArray[np.int32],
    predecessor_of: dict[int, int] | None = None,
) -> TraceColumns:
    """Columns of one chunk from packets whose SAs have any keys; sorts by time and numbers SAs.

    ``keys`` (n,) are 0 or more, or ``NO_SA``; ``predecessor_of`` maps a key to the one before it.
    Packets of one instant keep their order.
    """
    order = np.argsort(time_ns, kind="stable")
    time_ns, keys, length_bytes = time_ns[order], keys[order], length_bytes[order]
    known, first_rows, inverse = np.unique(keys, return_index=True, return_inverse=True)
    number = np.empty(len(known), np.int32)
    by_first_row = np.argsort(first_rows, kind="stable")
    by_first_row = by_first_row[known[by_first_row] != NO_SA]
    number[known == NO_SA] = NO_SA
    number[by_first_row] = np.arange(len(by_first_row), dtype=np.int32)
    predecessors = np.empty(0, np.int32)
    if predecessor_of:
        number_of = dict(zip(known.tolist(), number.tolist(), strict=True))
        predecessors = np.full(len(by_first_row), NO_SA, np.int32)
        for key, before in predecessor_of.items():
            if key in number_of and before in number_of:
                predecessors[number_of[key]] = number_of[before]
    return TraceColumns(
        name,
        np.ascontiguousarray(time_ns - time_ns[0] if len(time_ns) else time_ns, np.int64),
        np.ascontiguousarray(number[inverse], np.int32),
        np.ascontiguousarray(length_bytes, np.int32),
        len(by_first_row),
        np.array([len(time_ns)], np.int64),
        predecessors,
    )
