"""Cutting IP packets to fit a path: IPv4 (RFC 791 §3.2) and IPv6 (RFC 8200 §4.5).

    whole      headers |              body
    parts      headers | 8n bytes     headers' | 8n bytes     headers' | the rest

Where a gateway does it is a choice (RFC 4301 §8.2, RFC 4303 §3.3.4). Cut BEFORE encryption, every
piece is an ESP packet of its own: the receiving gateway need not reassemble, but a packet that
selectors tell by ports can no longer be told by its later pieces. Cut AFTER, ESP packets go in
pieces: any packet may, IPv6 inside included, and the receiving gateway has to reassemble. In
transport mode only AFTER is allowed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import Final

from saactors.errors import ParameterError
from saactors.esp.ip_packet import (
    DO_NOT_FRAGMENT,
    FRAGMENT_HEADER_BYTES,
    MORE_FRAGMENTS,
    UNIT_BYTES,
    Part,
    fragment_header,
    read_part,
    with_ipv4_checksum,
)
from saactors.esp.wire import FRAGMENT, IPV4_HEADER_BYTES, IPV6_HEADER_BYTES

IDENTIFICATION_MAX: Final = (1 << 32) - 1

_COPIED: Final = 0x80  # in an option's type: it goes into every fragment
_END_OF_OPTIONS: Final = 0
_NO_OPERATION: Final = 1


class Fragmenting(IntEnum):
    """Where packets too big for the path are cut."""

    BEFORE = 0
    AFTER = 1


def fragment(packet: bytes, mtu_bytes: int, identification: int) -> list[bytes]:
    """Cut an IP packet into parts of at most ``mtu_bytes``, in their order.

    A packet that fits comes back as it is, and a fragment is cut further. Whether the packet may
    be cut is the caller's question (``may_be_fragmented``); the parts of an IPv4 packet no longer
    say "don't fragment". ``identification`` (32 bits, of which IPv4 has the low 16) must not have
    been used lately between these addresses. It serves packets without one: IPv6 ones without
    Fragment header, and whole IPv4 ones with "don't fragment" (RFC 6864 §4.1). Others keep theirs.

    Returns no part of what is no IP packet, is a fragment that no packet can have, or has IPv4
    options that cannot be read.

    Raises:
        ParameterError: an MTU with no room for 8 bytes behind the packet's headers, or an
            identification outside 0 to 2³² − 1.
    """
    if not 0 <= identification <= IDENTIFICATION_MAX:
        raise ParameterError("identification", identification, f"0 to {IDENTIFICATION_MAX}")
    part = read_part(packet)
    if part is None or not part.is_possible:
        return []
    if part.length <= mtu_bytes:
        return [packet]
    cut = _cut_ipv4 if part.version == 4 else _cut_ipv6
    return cut(packet[: part.length], part, mtu_bytes, identification)


def may_be_fragmented(packet: bytes) -> bool:
    """Whether a router may cut the packet: IPv4 without "don't fragment", never IPv6."""
    if len(packet) < IPV4_HEADER_BYTES or packet[0] >> 4 != 4:
        return False
    return not struct.unpack_from("!H", packet, 6)[0] & DO_NOT_FRAGMENT


def _cut_ipv4(packet: bytes, part: Part, mtu_bytes: int, identification: int) -> list[bytes]:
    copied = _copied_options(packet[IPV4_HEADER_BYTES : part.header_bytes])
    if copied is None:
        return []
    header = packet[: part.header_bytes]
    if not part.is_fragment and not may_be_fragmented(packet):
        header = header[:4] + struct.pack("!H", identification & 0xFFFF) + header[6:]
    later_header = header[:IPV4_HEADER_BYTES] + copied
    cut = []
    for at, end in _pieces(part, mtu_bytes, len(header), len(later_header)):
        offset = part.offset + at - part.body_at
        more = part.more or end < part.length
        cut.append(_ipv4_part(header, packet[at:end], offset, more=more))
        header = later_header
    return cut


def _ipv4_part(header: bytes, body: bytes, offset: int, *, more: bool) -> bytes:
    word = offset // UNIT_BYTES | (MORE_FRAGMENTS if more else 0)
    first = bytes([0x40 | len(header) // 4, header[1]])
    length = struct.pack("!H", len(header) + len(body))
    mended = first + length + header[4:6] + struct.pack("!H", word) + header[8:]
    return with_ipv4_checksum(mended) + body


def _copied_options(options: bytes) -> bytes | None:
    """The options that later fragments have too (RFC 791 §3.1), padded; None if unreadable."""
    copied = b""
    at = 0
    while at < len(options) and options[at] != _END_OF_OPTIONS:
        size = 1
        if options[at] != _NO_OPERATION:
            size = options[at + 1] if at + 1 < len(options) else 0
            if size < 2 or at + size > len(options):
                return None
        if options[at] & _COPIED:
            copied += options[at : at + size]
        at += size
    return copied + bytes(-len(copied) % 4)


def _cut_ipv6(packet: bytes, part: Part, mtu_bytes: int, identification: int) -> list[bytes]:
    headers = bytearray(packet[: part.header_bytes])
    headers[part.field] = FRAGMENT
    if part.body_at > part.header_bytes:
        identification = part.identification
    headers_bytes = len(headers) + FRAGMENT_HEADER_BYTES
    cut = []
    for at, end in _pieces(part, mtu_bytes, headers_bytes, headers_bytes):
        offset = part.offset + at - part.body_at
        more = part.more or end < part.length
        headers[4:6] = struct.pack("!H", headers_bytes - IPV6_HEADER_BYTES + end - at)
        header = fragment_header(part.protocol, offset, identification, more=more)
        cut.append(bytes(headers) + header + packet[at:end])
    return cut


def _pieces(
    part: Part, mtu_bytes: int, headers_bytes: int, later_headers_bytes: int
) -> Iterator[tuple[int, int]]:
    """Where each piece of the body begins and ends in the packet, all but the last of 8n bytes."""
    at, room = part.body_at, _room(mtu_bytes, headers_bytes)
    while at < part.length:
        end = part.length if headers_bytes + part.length - at <= mtu_bytes else at + room
        yield at, end
        at, headers_bytes = end, later_headers_bytes
        room = _room(mtu_bytes, headers_bytes)


def _room(mtu_bytes: int, headers_bytes: int) -> int:
    """How much body goes behind the headers, in whole units."""
    room = (mtu_bytes - headers_bytes) // UNIT_BYTES * UNIT_BYTES
    if room < UNIT_BYTES:
        least = headers_bytes + UNIT_BYTES
        expected = f"{least} or more, {headers_bytes} of them for the packet's headers"
        raise ParameterError("mtu_bytes", mtu_bytes, expected)
    return room
