"""A capture that is played at its own pace as a port, and a capture of what is sent to it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

import numpy as np
import numpy.typing as npt

from saactors.esp.association import Address
from saactors.gateway.ports.port import SLOT_BYTES, Octets
from saactors.model.packets import Chunk
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
        self._speed = speed
        self._files = files
        self._chunk: Chunk | None = None
        self._row = 0
        self._began_ns: int | None = None
        self._counts = dict.fromkeys(
            (
                "received_packets",
                "received_bytes",
                "sent_packets",
                "sent_bytes",
                "ring_dropped",
                "send_refused",
                "truncated",
            ),
            0,
        )

    def fileno(self) -> int:
        """None: packets are due by time."""
        return -1

    def next_ns(self) -> int | None:
        """When the next packet is due; None behind the last."""
        if not self._more() or self._began_ns is None:
            return 0 if self._more() else None
        assert self._chunk is not None
        return self._began_ns + round(int(self._chunk.packets["time_ns"][self._row]) / self._speed)

    def receive(self, arena: Octets, packets: npt.NDArray[np.void], now_ns: int) -> int:
        """Take the packets whose time has come; what a snap length cut stays as it was captured."""
        if self._began_ns is None:
            self._began_ns = now_ns
        count = 0
        while count < len(packets) and (due_ns := self.next_ns()) is not None and due_ns <= now_ns:
            assert self._chunk is not None
            packet = self._chunk.packets[self._row]
            self._row += 1
            start, size = int(packet["offset"]), int(packet["captured_bytes"])
            if size > SLOT_BYTES:
                self._counts["truncated"] += 1
                continue
            at = count * SLOT_BYTES
            arena[at : at + size] = self._chunk.data[start : start + size]
            packets[count] = packet
            packets[count]["offset"], packets[count]["time_ns"] = at, now_ns
            self._counts["received_packets"] += 1
            self._counts["received_bytes"] += size
            count += 1
        return count

    def send(
        self, data: Octets, starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int32]
    ) -> int:
        """Write packets, if they are wanted."""
        self._counts["sent_packets"] += len(starts)
        self._counts["sent_bytes"] += int(lengths.sum())
        if self._writer is not None:
            times = np.full(len(starts), time.time_ns())
            self._writer.write(data, starts, lengths, times)
        return len(starts)

    def poll_path_mtus(self) -> Sequence[tuple[Address, int]]:
        """None: nothing lies behind it."""
        return ()

    def statistics(self) -> dict[str, int]:
        """Counts since the port was opened."""
        return dict(self._counts)

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


def open_played(name: str, side: str, path: str, write: str | None, speed: float) -> CapturePort:
    """Open a capture to be played, and perhaps one to be written.

    Raises:
        CaptureError: it cannot be read.
        OutputError: the other cannot be written.
    """
    with ExitStack() as opening:
        trace = opening.enter_context(open_capture(path))
        writer = opening.enter_context(CaptureWriter(write)) if write is not None else None
        return CapturePort(name, side, path, trace, writer, speed, opening.pop_all())
