"""The pcap file format: one header, then a record per packet (draft-ietf-opsawg-pcap).

    header  magic 4 · version 2 + 2 · reserved 4 + 4 · snap length 4 · link type 4     24 bytes
    record  seconds 4 · micro- or nanoseconds 4 · captured 4 · on the wire 4 · packet  16 bytes +

The magic tells the unit of the fraction and, by how it stands in the file, the byte order of all.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from saactors.errors import CaptureError
from saactors.model.compiled import compiled
from saactors.traces import links
from saactors.traces.decode import fill_packet
from saactors.traces.octets import Octets, ordered_u32
from saactors.traces.scan import DAMAGED, FULL, MORE, PACKET_BYTES_MAX, read_ahead
from saactors.traces.times import SECOND_NS, trace_time_ns

HEADER_BYTES: Final = 24
RECORD_HEADER_BYTES: Final = 16

MAGIC_NS: Final = 0xA1B23C4D
MAGIC_US: Final = 0xA1B2C3D4

# First four bytes of the file → (big-endian, nanoseconds per unit of the fraction).
MAGICS: Final = MappingProxyType(
    {
        MAGIC_US.to_bytes(4, "big"): (True, 1000),
        MAGIC_US.to_bytes(4, "little"): (False, 1000),
        MAGIC_NS.to_bytes(4, "big"): (True, 1),
        MAGIC_NS.to_bytes(4, "little"): (False, 1),
    }
)


class Pcap:
    """A pcap file whose header has been read."""

    def __init__(self, name: str, data: Octets, clock: npt.NDArray[np.void]) -> None:
        """Read the header at the start of ``data``; ``clock`` is one ``CLOCK`` record.

        Raises:
            CaptureError: the header is cut off or names a link type that we do not read.
        """
        if len(data) < HEADER_BYTES:
            raise CaptureError(
                name, f"cut off inside its header: {len(data)} bytes found, {HEADER_BYTES} expected"
            )
        self._big_endian, self._fraction_ns = MAGICS[data[:4].tobytes()]
        # The upper half of the field says how long a checksum follows each frame, if any.
        self._link_type = ordered_u32(data, 20, self._big_endian) & 0xFFFF
        if self._link_type not in links.NAMES:
            raise CaptureError(name, links.unsupported(self._link_type))
        self._clock = clock
        self.first_record = HEADER_BYTES
        self.link_types = [self._link_type]
        self.warnings: list[str] = []

    def scan(
        self, data: Octets, start: int, end: int, packets: npt.NDArray[np.void]
    ) -> tuple[int, int, int]:
        """See ``saactors.traces.scan.Format``."""
        return scan_records(
            data,
            start,
            end,
            self._big_endian,
            self._fraction_ns,
            self._link_type,
            self._clock,
            packets,
        )


@compiled
def scan_records(
    data: Octets,
    start: int,
    end: int,
    big_endian: bool,
    fraction_ns: int,
    link_type: int,
    clock: npt.NDArray[np.void],
    packets: npt.NDArray[np.void],
) -> tuple[int, int, int]:
    """See ``saactors.traces.scan.Format.scan``."""
    at = start
    cached = start
    for row in range(len(packets)):
        frame = at + RECORD_HEADER_BYTES
        if frame > end:
            return row, at, MORE
        if frame > cached:
            cached = read_ahead(data, at, end, clock)
        captured_bytes = ordered_u32(data, at + 8, big_endian)
        if captured_bytes > PACKET_BYTES_MAX:
            return row, at, DAMAGED
        if frame + captured_bytes > end:
            return row, at, MORE
        wire_bytes = ordered_u32(data, at + 12, big_endian)
        seconds = ordered_u32(data, at, big_endian)
        fraction = ordered_u32(data, at + 4, big_endian)
        time_ns = trace_time_ns(clock, seconds * SECOND_NS + fraction * fraction_ns)
        fill_packet(packets[row], data, frame, captured_bytes, wire_bytes, link_type, time_ns)
        at = frame + captured_bytes
    return len(packets), at, FULL
