"""Echo requests of our own making (RFC 792, RFC 4443), and what answers them."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address
from typing import Final, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address

_ICMP, _ICMPV6 = 1, 58
_REQUEST: Final = {4: 8, 6: 128}
_REPLY: Final = {4: 0, 6: 129}
_TTL: Final = 64


def echo_request(
    source: Address, destination: Address, identifier: int, number: int, octets: bytes
) -> bytes:
    """An IP packet that asks for its octets back."""
    message = _message(_REQUEST, source, destination, identifier, number, octets)
    return _ip_packet(source, destination, message)


def answers(packet: bytes, request: bytes) -> bool:
    """Whether an IP packet is the reply to a request, octet for octet.

    Only what the one who answers chooses is left out: of IPv4 the identification, the
    don't-fragment bit and what follows of them in the checksum, of IPv6 the flow label.
    """
    version = request[0] >> 4
    if len(packet) != len(request) or packet[0] >> 4 != version:
        return False
    kind = IPv4Address if version == 4 else IPv6Address
    first, size = (12, 4) if version == 4 else (8, 16)
    source, destination = (kind(request[at : at + size]) for at in (first, first + size))
    start = first + 2 * size
    _, _, _, identifier, number = struct.unpack_from(">BBHHH", request, start)
    octets = request[start + 8 :]
    expected = _message(_REPLY, destination, source, identifier, number, octets)
    addresses = destination.packed + source.packed
    return packet[first:] == addresses + expected


def checksum(octets: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    padded = octets + b"\0" * (len(octets) % 2)
    total = sum(struct.unpack(f">{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _message(
    kinds: dict[int, int],
    source: Address,
    destination: Address,
    identifier: int,
    number: int,
    octets: bytes,
) -> bytes:
    version = source.version
    message = struct.pack(">BBHHH", kinds[version], 0, 0, identifier, number) + octets
    pseudo_header = b""
    if version == 6:
        ends = source.packed + destination.packed
        pseudo_header = ends + struct.pack(">II", len(message), _ICMPV6)
    return message[:2] + struct.pack(">H", checksum(pseudo_header + message)) + message[4:]


def _ip_packet(source: Address, destination: Address, message: bytes) -> bytes:
    if source.version == 6:
        header = struct.pack(">IHBB", 6 << 28, len(message), _ICMPV6, _TTL)
        return header + source.packed + destination.packed + message
    size = 20 + len(message)
    header = struct.pack(">BBHHHBBH", 0x45, 0, size, 0, 0, _TTL, _ICMP, 0)
    header += source.packed + destination.packed
    return header[:10] + struct.pack(">H", checksum(header)) + header[12:] + message
