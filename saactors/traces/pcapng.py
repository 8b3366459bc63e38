"""The pcapng file format: a sequence of blocks (draft-ietf-opsawg-pcapng).

    block  type 4 · total length 4 · body, padded to 4 bytes · total length again 4

A section header block begins a section and sets its byte order; interface description blocks
follow, numbered from 0 in each section, each with a link type, a snap length and a clock of its
own; then packets name their interface. The scan is compiled and handles packets and blocks to be
skipped; at the rare blocks that describe something it returns to Python.

A simple packet block has no time: its packet gets the time of the one before it.
"""

from __future__ import annotations

import struct
from typing import Final

import numpy as np
import numpy.typing as npt

from saactors.errors import CaptureError
from saactors.model.compiled import compiled
from saactors.model.packets import PACKET
from saactors.model.sa import grown
from saactors.traces import links
from saactors.traces.decode import fill_packet
from saactors.traces.octets import Octets, ordered_u16, ordered_u32
from saactors.traces.scan import (
    BLOCK_BYTES_MAX,
    CHUNK_BYTES,
    DAMAGED,
    DESCRIPTION,
    FULL,
    MORE,
    PACKET_BYTES_MAX,
    read_ahead,
)
from saactors.traces.times import TICKS, epoch_ns_of, ticks_of, trace_time_ns

# Block types. The section header's reads the same in both byte orders.
SECTION_HEADER: Final = 0x0A0D0D0A
INTERFACE_DESCRIPTION: Final = 1
PACKET_OBSOLETE: Final = 2
SIMPLE_PACKET: Final = 3
ENHANCED_PACKET: Final = 6

MAGIC: Final = SECTION_HEADER.to_bytes(4, "little")
BYTE_ORDER_MAGIC: Final = 0x1A2B3C4D
VERSION_MAJOR: Final = 1

BLOCK_BYTES_MIN: Final = 12
SECTION_HEADER_BYTES_MIN: Final = 28
INTERFACE_BYTES_MIN: Final = 20

# Options of an interface description, and the clock of one that has none: microseconds.
OPTION_END: Final = 0
OPTION_TSRESOL: Final = 9
OPTION_TSOFFSET: Final = 14
TSRESOL_DEFAULT: Final = 6

# An obsolete packet block numbers its interface in 16 bits; no more than that may be described.
INTERFACES_MAX: Final = 1 << 16

INTERFACE: Final = np.dtype(
    [
        ("link_type", "i8"),
        ("snap_bytes", "i8"),  # 0: no limit
        ("ticks", TICKS),
    ]
)


class Pcapng:
    """A pcapng file of which everything before the first packet has been read."""

    def __init__(self, name: str, data: Octets, clock: npt.NDArray[np.void]) -> None:
        """Read what precedes the first packet; ``clock`` is an array of one ``CLOCK`` record.

        Raises:
            CaptureError: the section header cannot be read, or none of the interfaces
                described before the first packet has a link type that we read.
        """
        self._clock = clock
        self._big_endian = False
        self._interfaces = np.zeros(1, INTERFACE)
        self._interface_count = 0
        self.link_types: list[int] = []
        self.warnings: list[str] = []
        no_rows = np.zeros(0, PACKET)
        _, self.first_record, _ = self.scan(data, 0, min(len(data), CHUNK_BYTES), no_rows)
        if self.first_record == 0:
            raise CaptureError(
                name,
                "starts like a pcapng file, but its section header is cut off, damaged or of a "
                "version other than 1",
            )
        if self.link_types and not any(number in links.NAMES for number in self.link_types):
            raise CaptureError(name, links.unsupported(self.link_types[0]))

    def scan(
        self, data: Octets, start: int, end: int, packets: npt.NDArray[np.void]
    ) -> tuple[int, int, int]:
        """See ``saactors.traces.scan.Format``."""
        row, at = 0, start
        while True:
            interfaces = self._interfaces[: self._interface_count]
            filled, at, stopped = scan_blocks(
                data, at, end, self._big_endian, interfaces, self._clock, packets[row:]
            )
            row += filled
            if stopped == DESCRIPTION:
                block_bytes, stopped = self._describe(data, at, end)
                at += block_bytes
            if stopped != DESCRIPTION:
                return row, at, stopped

    def _describe(self, data: Octets, at: int, end: int) -> tuple[int, int]:
        """Take in the section header or interface description at ``at``.

        Returns (its length, ``DESCRIPTION``), or (0, ``MORE`` or ``DAMAGED``).
        """
        big_endian, body_bytes_min = self._big_endian, INTERFACE_BYTES_MIN
        is_section = ordered_u32(data, at, big_endian) == SECTION_HEADER
        if is_section:
            if at + SECTION_HEADER_BYTES_MIN > end:
                return 0, MORE
            big_endian, body_bytes_min = bool(data[at + 8] == 0x1A), SECTION_HEADER_BYTES_MIN
            if ordered_u32(data, at + 8, big_endian) != BYTE_ORDER_MAGIC:
                return 0, DAMAGED
        block_bytes = ordered_u32(data, at + 4, big_endian)
        if block_bytes % 4 or not body_bytes_min <= block_bytes <= BLOCK_BYTES_MAX:
            return 0, DAMAGED
        block_end = at + block_bytes
        if block_end > end:
            return 0, MORE
        if ordered_u32(data, block_end - 4, big_endian) != block_bytes:
            return 0, DAMAGED
        if is_section:
            if ordered_u16(data, at + 12, big_endian) != VERSION_MAJOR:
                return 0, DAMAGED
            self._big_endian, self._interface_count = big_endian, 0
        elif self._interface_count == INTERFACES_MAX:
            return 0, DAMAGED
        else:
            self._add_interface(data, at, block_end - 4)
        return block_bytes, DESCRIPTION

    def _add_interface(self, data: Octets, at: int, end: int) -> None:
        """Add the interface described at ``at``; its options end at ``end`` at the latest."""
        number = self._interface_count
        link_type = ordered_u16(data, at + 8, self._big_endian)
        if link_type not in self.link_types:
            self.link_types.append(link_type)
            if link_type not in links.NAMES:
                self.warnings.append(
                    f"packets of interface {number} count as not_ip: "
                    + links.unsupported(link_type)
                )
        snap_bytes = ordered_u32(data, at + 12, self._big_endian)
        ticks = interface_ticks(data[at + 16 : end].tobytes(), self._big_endian)
        self._interfaces = grown(self._interfaces, number + 1)
        self._interfaces[number] = (link_type, snap_bytes, ticks)
        self._interface_count = number + 1


def interface_ticks(options: bytes, big_endian: bool) -> tuple[int, int, int, int]:
    """The ``TICKS`` record that an interface's options ask for; microseconds without any."""
    order = ">" if big_endian else "<"
    resolution, offset_s = TSRESOL_DEFAULT, 0
    at = 0
    while at + 4 <= len(options):
        code, value_bytes = struct.unpack_from(order + "HH", options, at)
        value = options[at + 4 : at + 4 + value_bytes]
        if code == OPTION_END:
            break
        if code == OPTION_TSRESOL and len(value) == 1:
            resolution = value[0]
        elif code == OPTION_TSOFFSET and len(value) == 8:
            (offset_s,) = struct.unpack(order + "q", value)
        at += 4 + (value_bytes + 3) // 4 * 4
    return ticks_of(resolution, offset_s)


@compiled
def scan_blocks(
    data: Octets,
    start: int,
    end: int,
    big_endian: bool,
    interfaces: npt.NDArray[np.void],
    clock: npt.NDArray[np.void],
    packets: npt.NDArray[np.void],
) -> tuple[int, int, int]:
    """See ``saactors.traces.scan.Format.scan``; also stops with ``DESCRIPTION``."""
    at = start
    cached = start
    row = 0
    while at + 8 <= end:
        if at + 8 > cached:
            cached = read_ahead(data, at, end, clock)
        block_type = ordered_u32(data, at, big_endian)
        if block_type in (SECTION_HEADER, INTERFACE_DESCRIPTION):
            return row, at, DESCRIPTION
        block_bytes = ordered_u32(data, at + 4, big_endian)
        if block_bytes < BLOCK_BYTES_MIN or block_bytes % 4 != 0:
            return row, at, DAMAGED
        if block_type in (ENHANCED_PACKET, SIMPLE_PACKET, PACKET_OBSOLETE):
            if row == len(packets):
                return row, at, FULL
            if block_bytes > BLOCK_BYTES_MAX:
                return row, at, DAMAGED
            if at + block_bytes > end:
                return row, at, MORE
            if ordered_u32(data, at + block_bytes - 4, big_endian) != block_bytes:
                return row, at, DAMAGED
            filled = fill_from_block(
                packets[row], data, at, at + block_bytes - 4, big_endian, interfaces, clock
            )
            if not filled:
                return row, at, DAMAGED
            row += 1
        at += block_bytes
    return row, at, MORE


@compiled
def fill_from_block(
    packet: np.record,
    data: Octets,
    at: int,
    body_end: int,
    big_endian: bool,
    interfaces: npt.NDArray[np.void],
    clock: npt.NDArray[np.void],
) -> bool:
    """Fill ``packet`` from the packet block at ``at``; False if the block contradicts itself."""
    block_type = ordered_u32(data, at, big_endian)
    simple = block_type == SIMPLE_PACKET
    frame = at + (12 if simple else 28)
    if frame > body_end:
        return False
    interface = 0
    if block_type == ENHANCED_PACKET:
        interface = ordered_u32(data, at + 8, big_endian)
    elif block_type == PACKET_OBSOLETE:
        interface = ordered_u16(data, at + 8, big_endian)
    if interface >= len(interfaces):
        return False
    described = interfaces[interface]

    if simple:
        wire_bytes = ordered_u32(data, at + 8, big_endian)
        captured_bytes = min(wire_bytes, body_end - frame)
        if described.snap_bytes > 0:
            captured_bytes = min(captured_bytes, described.snap_bytes)
        time_ns = clock[0].latest_ns
    else:
        captured_bytes = ordered_u32(data, at + 20, big_endian)
        wire_bytes = ordered_u32(data, at + 24, big_endian)
        high = np.uint64(ordered_u32(data, at + 12, big_endian))
        low = np.uint64(ordered_u32(data, at + 16, big_endian))
        epoch_ns = epoch_ns_of(high << np.uint64(32) | low, described.ticks)
        if captured_bytes > min(body_end - frame, PACKET_BYTES_MAX):
            return False
        time_ns = trace_time_ns(clock, epoch_ns)
    fill_packet(packet, data, frame, captured_bytes, wire_bytes, described.link_type, time_ns)
    return True
