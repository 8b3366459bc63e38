"""One IP packet as bytes, for what is rare: fragments and ICMP. What is frequent has columns.

Every packet can be seen as a part of a larger one, a whole packet as the only part:

    headers that every part repeats | [Fragment header, IPv6] | body

Nothing here raises for any bytes; what cannot be read is None.
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address
from typing import Final, NamedTuple, TypeAlias

from saactors.esp.wire import (
    DESTINATION_OPTIONS,
    FRAGMENT,
    HOP_BY_HOP,
    IPV4_CHECKSUM_AT,
    IPV4_HEADER_BYTES,
    IPV4_PROTOCOL_AT,
    IPV6_HEADER_BYTES,
    IPV6_NEXT_HEADER_AT,
    LENGTH_MAX,
    ROUTING,
)

Address: TypeAlias = IPv4Address | IPv6Address

UNIT_BYTES: Final = 8  # in which fragment offsets count
FRAGMENT_HEADER_BYTES: Final = 8  # of IPv6, RFC 8200 §4.5
DO_NOT_FRAGMENT: Final = 0x4000  # IPv4's flags, in the 16 bits before which the fragment offset is
MORE_FRAGMENTS: Final = 0x2000
IPV6_EXTENSIONS: Final = (HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION_OPTIONS)

_OFFSET_MASK: Final = 0x1FFF
_U16: Final = struct.Struct("!H")
_FRAGMENT: Final = struct.Struct("!BxHI")  # next header, offset and M bit, identification


class Part(NamedTuple):
    """What an IP packet says of itself as a part; places and sizes are in bytes."""

    version: int
    header_bytes: int  # what every part repeats: IPv4's header, IPv6's down to what may be split
    field: int  # where the protocol number of what follows these headers stands
    body_at: int  # where this part's body begins
    length: int  # of the packet, as its header says
    offset: int  # of the body in the whole packet's
    more: bool  # whether it is not the last part
    identification: int  # IPv6: 0 without a Fragment header
    protocol: int  # of the body of the whole packet

    @property
    def is_fragment(self) -> bool:
        """Whether there are other parts; an IPv6 packet may have a header for them and none."""
        return self.more or self.offset > 0

    @property
    def is_aligned(self) -> bool:
        """Whether the next part could begin where this one ends."""
        return not self.more or self.body_bytes % UNIT_BYTES == 0

    @property
    def is_possible(self) -> bool:
        """Whether there can be a packet that has this part."""
        return self.is_aligned and self.offset + self.body_bytes <= LENGTH_MAX

    @property
    def body_bytes(self) -> int:
        """How much of the whole packet's body this part has."""
        return self.length - self.body_at


def read_part(packet: bytes, *, quoted: bool = False) -> Part | None:
    """Read the headers of the IP packet at the start of ``packet``.

    None if it is none, or its headers or length do not fit; what follows the packet is ignored.
    With ``quoted`` the packet may be cut off behind the headers, as ICMP errors quote it.
    """
    version = packet[0] >> 4 if packet else 0
    if version == 4:
        part = _read_ipv4(packet)
    elif version == 6:
        part = _read_ipv6(packet)
    else:
        return None
    if part is None or (part.length > len(packet) and not quoted):
        return None
    return part if part.body_at <= min(part.length, len(packet)) else None


def _read_ipv4(packet: bytes) -> Part | None:
    if len(packet) < IPV4_HEADER_BYTES:
        return None
    header_bytes = (packet[0] & 15) * 4
    length, identification, word = struct.unpack_from("!HHH", packet, 2)
    if header_bytes < IPV4_HEADER_BYTES:
        return None
    return Part(
        version=4,
        header_bytes=header_bytes,
        field=IPV4_PROTOCOL_AT,
        body_at=header_bytes,
        length=length,
        offset=(word & _OFFSET_MASK) * 8,
        more=bool(word & MORE_FRAGMENTS),
        identification=identification,
        protocol=packet[IPV4_PROTOCOL_AT],
    )


def _read_ipv6(packet: bytes) -> Part | None:
    """RFC 8200 §4.5: every part repeats what nodes on the way look at.

    These are the headers up to the last routing header, or else the hop-by-hop options.
    """
    if len(packet) < IPV6_HEADER_BYTES:
        return None
    length = IPV6_HEADER_BYTES + _U16.unpack_from(packet, 4)[0]
    header_bytes, field = IPV6_HEADER_BYTES, IPV6_NEXT_HEADER_AT
    at, at_field = header_bytes, field
    while (kind := packet[at_field]) in IPV6_EXTENSIONS:
        if at + 8 > len(packet):
            return None
        if kind == FRAGMENT:
            protocol, word, identification = _FRAGMENT.unpack_from(packet, at)
            body_at, offset, more = at + FRAGMENT_HEADER_BYTES, word & 0xFFF8, bool(word & 1)
            return Part(
                6, at, at_field, body_at, length, offset, more, identification, protocol
            )  # fmt: skip
        size = 8 + 8 * packet[at + 1]
        at_field, at = at, at + size
        if at > len(packet):
            return None
        if kind != DESTINATION_OPTIONS:
            header_bytes, field = at, at_field
    return Part(6, header_bytes, field, header_bytes, length, 0, False, 0, packet[field])


def upper_layer(packet: bytes, part: Part) -> tuple[int, int]:
    """Protocol number and place of the first header in the body that is no IPv6 extension.

    They may lie beyond the packet's end; the protocol is then the last one that could be read. A
    part that is not the first one holds no header: it is asked in vain.
    """
    protocol, at = part.protocol, part.body_at
    if part.version == 4 or part.offset:
        return protocol, at
    while protocol in IPV6_EXTENSIONS and at + 8 <= min(part.length, len(packet)):
        size = 8 if protocol == FRAGMENT else 8 + 8 * packet[at + 1]
        protocol, at = packet[at], at + size
    return protocol, at


def addresses(packet: bytes, version: int) -> tuple[Address, Address]:
    """Source and destination of an IP packet whose fixed header is there."""
    if version == 4:
        return IPv4Address(packet[12:16]), IPv4Address(packet[16:20])
    return IPv6Address(packet[8:24]), IPv6Address(packet[24:40])


def fragment_header(protocol: int, offset: int, identification: int, *, more: bool) -> bytes:
    """IPv6's Fragment header (RFC 8200 §4.5)."""
    return _FRAGMENT.pack(protocol, offset | more, identification)


def internet_checksum(octets: bytes) -> int:
    """RFC 1071, of any number of bytes; 0 over what holds a right checksum."""
    padded = octets + b"\0" * (len(octets) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def with_ipv4_checksum(header: bytes) -> bytes:
    """An IPv4 header with its checksum, whatever stood there."""
    after = IPV4_CHECKSUM_AT + 2
    blank = header[:IPV4_CHECKSUM_AT] + b"\0\0" + header[after:]
    return header[:IPV4_CHECKSUM_AT] + _U16.pack(internet_checksum(blank)) + header[after:]
