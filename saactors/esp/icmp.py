"""ICMP errors that a gateway sends, and the one that it has to understand.

A packet that does not fit, or has travelled too far, is answered to its sender (``too_big``,
``time_exceeded``); with some packets nobody may be (RFC 1122 §3.2.2, RFC 4443 §2.4(e)), because
errors would answer errors, or one packet would be answered by many.

From the ciphertext side come such errors about our own ESP packets (``read_too_big``). Nobody
authenticates them: RFC 4301 §8.2 has the gateway believe them about the path's MTU only, and with
care. What is quoted is looked at, so that it takes a look at our packets to make one up.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from saactors.esp.header_rules import HOP_LIMIT
from saactors.esp.ip_packet import (
    DO_NOT_FRAGMENT,
    IPV6_EXTENSIONS,
    Address,
    Part,
    addresses,
    internet_checksum,
    read_part,
    upper_layer,
    with_ipv4_checksum,
)
from saactors.esp.wire import ESP, IPV4_HEADER_BYTES, IPV6_HEADER_BYTES, UDP, UDP_HEADER_BYTES

MTU_MIN_BYTES: Final = {4: 68, 6: 1280}  # RFC 791 §3.2, RFC 8200 §5

_ICMP: Final = {4: 1, 6: 58}  # protocol numbers
_ERROR_BYTES_MAX: Final = {4: 576, 6: 1280}  # RFC 1812 §4.3.2.3, RFC 4443 §2.4(c)
_PRECEDENCE: Final = 6 << 5  # internetwork control, RFC 1812 §4.3.2.5
_MTU_MAX: Final = {4: 0xFFFF, 6: 0xFFFF_FFFF}  # what the field can say

# Types and codes (RFC 792, RFC 1191, RFC 4443).
_TOO_BIG: Final = {4: (3, 4), 6: (2, 0)}
_TIME_EXCEEDED: Final = {4: (11, 0), 6: (3, 0)}
_IPV4_ERRORS: Final = frozenset({3, 4, 5, 11, 12})  # RFC 1122 §3.2.2, and redirects
_IPV6_REDIRECT: Final = 137
_IPV6_ERROR_MAX: Final = 127

_NON_ESP_MARKER: Final = bytes(4)  # RFC 3948 §2.2; no SPI is 0 (RFC 4303 §2.1)

# What an error without an MTU can mean: the next lower one in use somewhere (RFC 1191 §7.1).
_PLATEAUS: Final = (32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68)


class TooBig(NamedTuple):
    """A path took one of our packets for too big: where it was going, and what goes through."""

    destination: Address
    spi: int  # 0: the quote does not reach it
    mtu_bytes: int
    source_port: int  # of the UDP that the ESP packet was in (RFC 3948); 0: none
    destination_port: int


def too_big(packet: bytes, mtu_bytes: int, sender: Address) -> bytes:
    """The error for a packet too big to go on, from ``sender`` to the packet's source.

    IPv4: "fragmentation needed" with the next hop's MTU (RFC 1191 §4); IPv6: "packet too big" (RFC
    4443 §3.2). An MTU less than any link has (``MTU_MIN_BYTES``) would not be believed; that is
    told instead, and what is still too big then has to be cut (RFC 2473 §7.1).

    b"" where no error may be sent, or ``sender`` is of another IP version than the packet.
    """
    version = sender.version
    told = min(max(mtu_bytes, MTU_MIN_BYTES[version]), _MTU_MAX[version])
    return _error(packet, sender, _TOO_BIG[version], told, also_multicast=version == 6)


def time_exceeded(packet: bytes, sender: Address) -> bytes:
    """The error for a packet whose hop limit is used up (RFC 792, RFC 4443 §3.3); b"" as above."""
    return _error(packet, sender, _TIME_EXCEEDED[sender.version], 0, also_multicast=False)


def read_too_big(packet: bytes) -> TooBig | None:
    """Understand an IP packet that says that one of our ESP packets was too big.

    None for all else: other packets, fragments, wrong checksums, quotes that do not have the
    receiver as their source or are not ESP, and MTUs below the least that there are.
    """
    part = read_part(packet)
    if part is None or part.is_fragment:
        return None
    protocol, at = upper_layer(packet, part)
    message = packet[at : part.length]
    if protocol != _ICMP[part.version] or len(message) < 8:
        return None
    if tuple(message[:2]) != _TOO_BIG[part.version] or not _is_intact(packet, part, message):
        return None
    return _read_quote(message[8:], part.version, addresses(packet, part.version)[1], message)


def _read_quote(quote: bytes, version: int, receiver: Address, message: bytes) -> TooBig | None:
    part = read_part(quote, quoted=True)
    if part is None or part.version != version or part.offset:
        return None
    source, destination = addresses(quote, version)
    mtu_bytes = struct.unpack_from("!HH" if version == 4 else "!I", message, 4)[-1]
    if version == 4 and mtu_bytes == 0:
        mtu_bytes = next((each for each in _PLATEAUS if each < part.length), 0)
    if source != receiver or mtu_bytes < MTU_MIN_BYTES[version]:
        return None
    protocol, at = upper_layer(quote, part)
    ports = (0, 0)
    if protocol == UDP:
        ports = struct.unpack_from("!HH", quote.ljust(at + 4, b"\0"), at)
        at += UDP_HEADER_BYTES
    elif protocol != ESP:
        return None
    spi = quote[at : at + 4]
    if spi == _NON_ESP_MARKER:
        return None
    number = int.from_bytes(spi) if len(spi) == 4 else 0
    return TooBig(destination, number, mtu_bytes, *ports)


def _error(
    packet: bytes, sender: Address, kind: tuple[int, int], field: int, *, also_multicast: bool
) -> bytes:
    part = read_part(packet)
    if part is None or part.version != sender.version:
        return b""
    if not _may_be_answered(packet, part, also_multicast=also_multicast):
        return b""
    source, _ = addresses(packet, part.version)
    header_bytes = IPV4_HEADER_BYTES if part.version == 4 else IPV6_HEADER_BYTES
    most = _ERROR_BYTES_MAX[part.version] - header_bytes - 8
    quote = packet[: min(part.length, most)]
    message = struct.pack("!BBHI", *kind, 0, field) + quote
    if part.version == 4:
        checksum = internet_checksum(message)
    else:
        checksum = internet_checksum(_pseudo_header(sender, source, len(message)) + message)
    message = message[:2] + struct.pack("!H", checksum) + message[4:]
    return _ip_header(sender, source, len(message)) + message


def _ip_header(sender: Address, receiver: Address, body_bytes: int) -> bytes:
    if sender.version == 6:
        fixed = struct.pack("!IHBB", 6 << 28, body_bytes, _ICMP[6], HOP_LIMIT)
        return fixed + sender.packed + receiver.packed
    length = IPV4_HEADER_BYTES + body_bytes
    fixed = struct.pack(
        "!BBHHHBBH", 0x45, _PRECEDENCE, length, 0, DO_NOT_FRAGMENT, HOP_LIMIT, _ICMP[4], 0
    )
    return with_ipv4_checksum(fixed + sender.packed + receiver.packed)


def _pseudo_header(source: Address, destination: Address, body_bytes: int) -> bytes:
    """What an ICMPv6 checksum covers besides the message (RFC 8200 §8.1)."""
    return source.packed + destination.packed + struct.pack("!II", body_bytes, _ICMP[6])


def _is_intact(packet: bytes, part: Part, message: bytes) -> bool:
    """Whether the checksum is right. A routing header leaves the last destination to be guessed."""
    before = b""
    if part.version == 6:
        before = _pseudo_header(*addresses(packet, 6), len(message))
    return internet_checksum(before + message) == 0


def _may_be_answered(packet: bytes, part: Part, *, also_multicast: bool) -> bool:
    """Whether the packet has one sender, is for one receiver, and is no error itself."""
    source, destination = addresses(packet, part.version)
    if source.is_multicast or source.is_unspecified or source.is_loopback:
        return False
    if destination.is_multicast and not also_multicast:
        return False
    if part.version == 4:
        # 0.0.0.0/8 is nobody's source; 240.0.0.0/4 is for nobody, or for all (RFC 1122 §3.2.1.3).
        octets = (source.packed[0], destination.packed[0])
        if octets[0] == 0 or max(octets) >= 240 or part.offset:
            return False
    return not _is_icmp_error(packet, part)


def _is_icmp_error(packet: bytes, part: Part) -> bool:
    """Whether the packet is an ICMP error or might be: its type may be in another fragment."""
    protocol, at = upper_layer(packet, part)
    if part.version == 6 and protocol in IPV6_EXTENSIONS:
        return True
    if protocol != _ICMP[part.version]:
        return False
    if part.offset or at >= part.length:
        return True
    kind = packet[at]
    if part.version == 4:
        return kind in _IPV4_ERRORS
    return kind <= _IPV6_ERROR_MAX or kind == _IPV6_REDIRECT
