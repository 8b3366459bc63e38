"""Where packets go when they leave: capture files, and the check of what was made."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from saactors.esp.open import Opener
from saactors.model.burst import Component, Finished
from saactors.model.compiled import compiled
from saactors.model.sa import Mode, SaTable
from saactors.model.verdicts import Verdict
from saactors.traces.writer import CaptureWriter

_PASSED = int(Verdict.PASSED)


class Dated(Protocol):
    """A trace that knows when its first packet came."""

    @property
    def first_time_epoch_ns(self) -> int:
        """Nanoseconds since 1970; known once the first packet has been read."""
        ...


class CaptureSink:
    """Writes packets as they leave, raw IP, at the trace's own time.

    With ``only_processed`` packets that needed no crypto are left out.
    """

    def __init__(
        self, writer: CaptureWriter, trace: Dated, *, only_processed: bool = False
    ) -> None:
        self._writer = writer
        self._trace = trace
        self._only_processed = only_processed

    def take(self, finished: Finished, positions: npt.NDArray[np.int32], now_ns: int) -> None:
        """Write the packets at these positions."""
        if finished.data is None or (self._only_processed and finished.component is Component.NONE):
            return
        starts, lengths = finished.starts, finished.lengths
        if len(positions) != len(starts):
            starts, lengths = starts[positions], lengths[positions]
        times = np.full(len(starts), self._trace.first_time_epoch_ns + now_ns)
        self._writer.write(finished.data, starts, lengths, times)


class Verifier:
    """Decrypts every sealed packet as a receiver would and compares it with the original."""

    def __init__(self, sas: SaTable) -> None:
        self._sas = sas
        self._opener = Opener(sas)
        self.checked = 0
        self.failed = 0

    def take(self, finished: Finished, positions: npt.NDArray[np.int32], _now_ns: int) -> None:
        """Check the packets at these positions."""
        if finished.data is None or finished.component is Component.NONE:
            return
        packets = finished.burst.packets
        rows = finished.rows[positions]
        sa, sequence = _sa_and_sequence(packets, rows)
        opened = self._opener.open_burst(
            np.frombuffer(finished.data, np.uint8),
            finished.starts[positions],
            finished.lengths[positions],
            sa,
            sequence,
        )
        transport = self._sas.records["mode"][sa] == Mode.TRANSPORT
        self.checked += len(rows)
        self.failed += count_different(
            opened.data,
            opened.starts,
            opened.lengths,
            opened.verdicts,
            opened.sequences,
            packets,
            rows,
            finished.burst.data,
            transport,
        )


def _sa_and_sequence(
    packets: npt.NDArray[np.void], rows: npt.NDArray[np.int32]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint64]]:
    taken = packets[rows]
    return np.ascontiguousarray(taken["sa"]), np.ascontiguousarray(taken["sequence"])


@compiled
def count_different(
    opened: npt.NDArray[np.uint8],
    starts: npt.NDArray[np.int64],
    lengths: npt.NDArray[np.int32],
    verdicts: npt.NDArray[np.uint8],
    sequences: npt.NDArray[np.uint64],
    packets: npt.NDArray[np.void],
    rows: npt.NDArray[np.int32],
    original: npt.NDArray[np.uint8],
    transport: npt.NDArray[np.bool_],
) -> int:
    """How many opened packets are not, byte for byte, the originals padded to their length.

    In transport mode the IPv4 header checksum is left out: ESP makes a new one, and captures of
    outgoing packets often hold one that the card had yet to fill in.
    """
    different = 0
    for place in range(len(rows)):
        packet = packets[rows[place]]
        wrong = (
            verdicts[place] != _PASSED
            or sequences[place] != packet.sequence
            or lengths[place] != packet.length_bytes
        )
        at = 0
        while not wrong and at < packet.length_bytes:
            checksum = transport[place] and packet.ip_version == 4 and 10 <= at < 12
            expected = original[packet.offset + at] if at < packet.captured_bytes else 0
            wrong = opened[starts[place] + at] != expected and not checksum
            at += 1
        different += wrong
    return different
