"""Builders of capture files and packets, from the format's own description with ``struct``.

They stand apart from the code under test on purpose: what a builder writes and the reader reads
agrees only if both follow the specification.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import numpy.typing as npt
import pytest

from saactors.traces.reader import open_capture

Record = tuple[int, bytes] | tuple[int, bytes, int]  # epoch ns, captured bytes, length on the wire

ADDRESS_4 = (0x0A000001, 0xC0A80102)  # 10.0.0.1, 192.168.1.2
ADDRESS_6 = (0x20010DB8_00000000_00000000_00000001, 0x20010DB8_00000000_00000000_00000002)


def pcap(
    records: Iterable[Record],
    *,
    order: str = "<",
    unit_ns: int = 1,
    link_type: int = 101,
    snap_bytes: int = 262_144,
) -> bytes:
    """A pcap file of ``records`` in byte ``order`` (of ``struct``)."""
    magic = {1: 0xA1B23C4D, 1000: 0xA1B2C3D4}[unit_ns]
    parts = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, snap_bytes, link_type)]
    for time_ns, captured, *wire in records:
        seconds, fraction_ns = divmod(time_ns, 10**9)
        lengths = (len(captured), *(wire or [len(captured)]))
        parts += [struct.pack(order + "IIII", seconds, fraction_ns // unit_ns, *lengths), captured]
    return b"".join(parts)


def block(order: str, kind: int, body: bytes) -> bytes:
    """A pcapng block."""
    body += bytes(-len(body) % 4)
    length = struct.pack(order + "I", 12 + len(body))
    return struct.pack(order + "I", kind) + length + body + length


def section(order: str = "<", major: int = 1) -> bytes:
    """A section header block of unknown section length, with a comment as its option."""
    body = struct.pack(order + "IHHq", 0x1A2B3C4D, major, 0, -1)
    return block(order, 0x0A0D0D0A, body + option(order, 1, b"made up") + option(order, 0, b""))


def option(order: str, code: int, value: bytes) -> bytes:
    """An option of a pcapng block."""
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def interface(
    order: str = "<",
    link_type: int = 101,
    snap_bytes: int = 0,
    resolution: int | None = None,
    offset_s: int | None = None,
) -> bytes:
    """An interface description block, with if_tsresol and if_tsoffset if given."""
    body = struct.pack(order + "HHI", link_type, 0, snap_bytes)
    body += option(order, 2, b"eth0")
    if resolution is not None:
        body += option(order, 9, bytes([resolution]))
    if offset_s is not None:
        body += option(order, 14, struct.pack(order + "q", offset_s))
    return block(order, 1, body + option(order, 0, b""))


def enhanced(
    order: str, interface_id: int, ticks: int, captured: bytes, wire_bytes: int | None = None
) -> bytes:
    """An enhanced packet block with a comment behind the packet."""
    lengths = (len(captured), len(captured) if wire_bytes is None else wire_bytes)
    body = struct.pack(order + "IIIII", interface_id, ticks >> 32, ticks & 0xFFFFFFFF, *lengths)
    padded = captured + bytes(-len(captured) % 4)
    return block(order, 6, body + padded + option(order, 1, b"hello") + option(order, 0, b""))


def obsolete(order: str, interface_id: int, ticks: int, captured: bytes) -> bytes:
    """A packet block, which enhanced packet blocks replaced."""
    times = (ticks >> 32, ticks & 0xFFFFFFFF)
    body = struct.pack(order + "HHIIII", interface_id, 7, *times, len(captured), len(captured))
    return block(order, 2, body + captured)


def simple(order: str, captured: bytes, wire_bytes: int | None = None) -> bytes:
    """A simple packet block."""
    wire_bytes = len(captured) if wire_bytes is None else wire_bytes
    return block(order, 3, struct.pack(order + "I", wire_bytes) + captured)


def ipv4(
    upper: bytes,
    protocol: int = 17,
    *,
    options: bytes = b"",
    position: int = 0,
    total_length: int | None = None,
    first_octet: int | None = None,
) -> bytes:
    """An IPv4 packet (RFC 791) from ADDRESS_4[0] to ADDRESS_4[1]."""
    header_bytes = 20 + len(options)
    first = 0x40 | header_bytes // 4 if first_octet is None else first_octet
    total = header_bytes + len(upper) if total_length is None else total_length
    header = struct.pack(">BBHHHBBHII", first, 0, total, 1, position, 64, protocol, 0, *ADDRESS_4)
    return header + options + upper


def ipv6(payload: bytes, next_header: int = 17, *, payload_length: int | None = None) -> bytes:
    """An IPv6 packet (RFC 8200) from ADDRESS_6[0] to ADDRESS_6[1]."""
    length = len(payload) if payload_length is None else payload_length
    addresses = b"".join(address.to_bytes(16, "big") for address in ADDRESS_6)
    return struct.pack(">IHBB", 6 << 28, length, next_header, 64) + addresses + payload


def udp(payload: bytes = b"payload!", source: int = 4000, destination: int = 53) -> bytes:
    """A UDP datagram (RFC 768)."""
    length = (8 + len(payload)) & 0xFFFF  # of what is too long for the field, nobody reads it
    return struct.pack(">HHHH", source, destination, length, 0) + payload


def ethernet(payload: bytes, ethertype: int = 0x0800, tags: Iterable[int] = ()) -> bytes:
    """An Ethernet frame, tagged with a VLAN of each EtherType in ``tags``, outermost first."""
    tagged = b"".join(struct.pack(">HH", tag, 7) for tag in tags)
    return b"\x02\0\0\0\0\1\x02\0\0\0\0\2" + tagged + struct.pack(">H", ethertype) + payload


@pytest.fixture(scope="session")
def build() -> SimpleNamespace:
    """The builders of this file, by name."""
    builders: tuple[Callable[..., bytes], ...] = (
        *(pcap, block, section, option, interface, enhanced, obsolete, simple),
        *(ipv4, ipv6, udp, ethernet),
    )
    return SimpleNamespace(**{builder.__name__: builder for builder in builders})


@pytest.fixture
def read(tmp_path: Path) -> Callable[[bytes], npt.NDArray[np.void]]:
    """Read a capture given as bytes from a file: the columns of all its packets."""

    def columns(capture: bytes) -> npt.NDArray[np.void]:
        path = tmp_path / "capture"
        path.write_bytes(capture)
        with open_capture(path) as reader:
            return np.concatenate([chunk.packets for chunk in reader])

    return columns
