"""A capture that is played at its own pace as a port, and a capture of what is sent to it."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

import numpy as np
import numpy.typing as npt

from saactors.esp.association import Address
from saactors.gateway.ports.port import SLOT_BYTES, Octets, read_only
from saactors.gateway.ports.system_calls import (
    COUNTS,
    RECEIVED,
    RECEIVED_BYTES,
    SENT,
    SENT_BYTES,
    TRUNCATED,
)
from saactors.model.compiled import compiled
from saactors.model.packets import PACKET, Chunk
from saactors.traces.reader import CaptureReader, open_capture
from saactors.traces.writer import CaptureWriter


class CapturePort:
    """A trace as a port: each packet is there when its time has come, ``speed`` times as fast."""

    kind = "capture"
    ip_version = 0

    def __init__(
        self,
        name: str,
        side: str,
        path: str,
        trace: CaptureReader,
        writer: CaptureWriter | None,
        speed: float,
        files: ExitStack,
    ) -> None:
        self.name, self.side, self.detail = name, side, path
        self._chunks: Iterator[Chunk] = iter(trace)
        self._writer = writer
        self._speed = float(speed)
        self._files = files
        self._chunk: Chunk | None = None
        self._row = 0
        self._began_ns: int | None = None
        self._counts = np.zeros(COUNTS, np.int64)

    def fileno(self) -> int:
        """None: packets are due by time."""
        return -1

    def next_ns(self) -> int | None:
        """When the next packet is due; None behind the last."""
        if not self._more():
            return None
        if self._began_ns is None:
            return 0
        assert self._chunk is not None
        time_ns = int(self._chunk.packets["time_ns"][self._row])
        return self._began_ns + math.ceil(time_ns / self._speed)

    def receive(self, arena: Octets, packets: npt.NDArray[np.void], now_ns: int) -> int:
        """Take the packets whose time has come; what a snap length cut stays as it was captured."""
        if self._began_ns is None:
            self._began_ns = now_ns
        count = 0
        while count < len(packets) and self._more():
            assert self._chunk is not None
            row, count = take_due(
                self._chunk.packets,
                read_only(self._chunk.data),
                self._row,
                arena,
                packets,
                count,
                now_ns,
                now_ns - self._began_ns,
                self._speed,
                self._counts,
            )
            if row == self._row:
                break  # the next one is not due
            self._row = row
        return count

    def send(
        self, data: Octets, starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int32]
    ) -> int:
        """Write packets, if they are wanted.

        Raises:
            OutputError: the file cannot be written on.
        """
        self._counts[SENT] += len(starts)
        self._counts[SENT_BYTES] += lengths.sum()
        if self._writer is not None:
            times = np.full(len(starts), time.time_ns())
            self._writer.write(data, starts, lengths, times)
        return len(starts)

    def poll_path_mtus(self) -> Sequence[tuple[Address, int]]:
        """None: nothing lies behind it."""
        return ()

    def statistics(self) -> dict[str, int]:
        """Counts since the port was opened."""
        counts = self._counts
        return {
            "received_packets": int(counts[RECEIVED]),
            "received_bytes": int(counts[RECEIVED_BYTES]),
            "sent_packets": int(counts[SENT]),
            "sent_bytes": int(counts[SENT_BYTES]),
            "send_refused": 0,
            "truncated": int(counts[TRUNCATED]),
            "ring_dropped": 0,
        }

    def close(self) -> None:
        """Close both captures."""
        self._files.close()

    def _more(self) -> bool:
        """Whether there is a next packet; reads the next chunk where that is needed."""
        while self._chunk is None or self._row == len(self._chunk.packets):
            self._chunk, self._row = next(self._chunks, None), 0
            if self._chunk is None:
                return False
        return True


@compiled
def take_due(
    captured: npt.NDArray[np.void],
    data: Octets,
    row: int,
    arena: Octets,
    packets: npt.NDArray[np.void],
    count: int,
    now_ns: int,
    played_ns: int,
    speed: float,
    counts: npt.NDArray[np.int64],
) -> tuple[int, int]:
    """Copy what is due ``played_ns`` after the start, from ``row`` on, to ``packets[count:]``.

    Returns the row to go on with and the packets there are then.
    """
    while row < len(captured) and count < len(packets):
        if math.ceil(captured[row].time_ns / speed) > played_ns:
            break
        start, size = captured[row].offset, captured[row].captured_bytes
        row += 1
        if size > SLOT_BYTES:
            counts[TRUNCATED] += 1
            continue
        slot = count * SLOT_BYTES
        for place in range(size):
            arena[slot + place] = data[start + place]
        packets[count] = captured[row - 1]
        packets[count].offset = slot
        packets[count].time_ns = now_ns
        counts[RECEIVED] += 1
        counts[RECEIVED_BYTES] += size
        count += 1
    return row, count


def _compile() -> None:
    """Have the compiler done before the clock of the trace runs."""
    octets, none = np.zeros(0, np.uint8), np.zeros(0, PACKET)
    counts = np.zeros(COUNTS, np.int64)
    take_due(none, read_only(octets), 0, octets, none, 0, 0, 0, 1.0, counts)


def open_played(name: str, side: str, path: str, write: str | None, speed: float) -> CapturePort:
    """Open a capture to be played, and perhaps one to be written.

    Raises:
        CaptureError: it cannot be read.
        OutputError: the other cannot be written.
    """
    with ExitStack() as opening:
        trace = opening.enter_context(open_capture(path))
        writer = opening.enter_context(CaptureWriter(write)) if write is not None else None
        _compile()
        return CapturePort(name, side, path, trace, writer, speed, opening.pop_all())
