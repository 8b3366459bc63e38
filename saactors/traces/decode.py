"""One captured frame → one record of ``PACKET``.

What the reader looks at is what the security policy database selects by (RFC 4301 §4.4.1.1):
addresses, upper-layer protocol and ports, behind whatever IPv6 extension headers there are. A
packet whose headers cannot be read as IP gets a verdict that says why:

    NOT_IP              the link layer says it carries something else, or the frame ends before it
                        says what
    MALFORMED_IP        wrong version or lengths, or the packet itself ends inside its IP headers
    CUT_BY_SNAP_LENGTH  the capture, not the packet, ends inside the link or IP headers

Such a record holds the frame as it was captured: ``offset``, ``length_bytes`` and
``captured_bytes`` are those of the whole frame, link header included, and the rest is zero. A
packet of which only payload is missing has passed, with ``captured_bytes`` below ``length_bytes``.

Captures taken above segmentation offload hold packets too long for their length field, which then
reads 0; their length is what the link carried.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from saactors.model.compiled import compiled
from saactors.model.packets import NO_SA
from saactors.model.verdicts import Verdict
from saactors.traces import links
from saactors.traces.octets import Octets, network_u16, network_u32, network_u64, octet

# Longer than anything a link hands over: Linux merges up to 524 280 bytes (GSO_MAX_SIZE). A file
# that claims more for a packet is taken by its word only up to here.
WIRE_BYTES_MAX: Final = 1 << 20

PASSED: Final = int(Verdict.PASSED)
NOT_IP: Final = int(Verdict.NOT_IP)
MALFORMED_IP: Final = int(Verdict.MALFORMED_IP)
CUT_BY_SNAP_LENGTH: Final = int(Verdict.CUT_BY_SNAP_LENGTH)

IPV4_HEADER_BYTES: Final = 20
IPV6_HEADER_BYTES: Final = 40

# Protocol numbers (IANA).
HOP_BY_HOP: Final = 0
TCP: Final = 6
UDP: Final = 17
ROUTING: Final = 43
FRAGMENT: Final = 44
AUTHENTICATION: Final = 51
NO_NEXT_HEADER: Final = 59
DESTINATION_OPTIONS: Final = 60
SCTP: Final = 132
UDP_LITE: Final = 136

# What part of a fragmented packet this is.
WHOLE: Final = 0
FIRST_FRAGMENT: Final = 1
LATER_FRAGMENT: Final = 2

CHAIN_ENDS_EARLY: Final = -1  # in place of a protocol number


@compiled
def fill_packet(
    packet: np.record,
    data: Octets,
    frame: int,
    captured_bytes: int,
    wire_bytes: int,
    link_type: int,
    time_ns: int,
) -> None:
    """Fill in a zeroed ``packet`` from ``data[frame : frame + captured_bytes]``.

    ``wire_bytes`` is the frame's length before the snap length cut it, as the file states it.
    """
    wire_bytes = max(min(wire_bytes, WIRE_BYTES_MAX), captured_bytes)
    end = frame + captured_bytes
    packet.time_ns = time_ns
    packet.sa = NO_SA
    packet.offset = frame
    packet.length_bytes = wire_bytes
    packet.captured_bytes = captured_bytes

    ends_early = CUT_BY_SNAP_LENGTH if captured_bytes < wire_bytes else MALFORMED_IP
    ip, announced = links.link_payload(data, frame, end, link_type)
    if announced == links.NOT_IP:
        packet.verdict = NOT_IP
    elif announced == links.HEADER_CUT:
        packet.verdict = CUT_BY_SNAP_LENGTH if captured_bytes < wire_bytes else NOT_IP
    elif ip == end:
        packet.verdict = ends_early
    else:
        version = octet(data, ip) >> 4
        ip_wire_bytes = frame + wire_bytes - ip
        if announced not in (version, links.EITHER_VERSION):
            packet.verdict = MALFORMED_IP
        elif version == 4:
            packet.verdict = fill_ipv4(packet, data, ip, end, ip_wire_bytes, ends_early)
        elif version == 6:
            packet.verdict = fill_ipv6(packet, data, ip, end, ip_wire_bytes, ends_early)
        else:
            packet.verdict = MALFORMED_IP


@compiled
def fill_ipv4(
    packet: np.record, data: Octets, ip: int, end: int, wire_bytes: int, ends_early: int
) -> int:
    """Fill in what the IPv4 header at ``ip`` says (RFC 791 §3.1); returns the verdict."""
    if ip + IPV4_HEADER_BYTES > end:
        return ends_early
    header_bytes = (octet(data, ip) & 0x0F) * 4
    length_bytes = network_u16(data, ip + 2)
    if length_bytes == 0:
        length_bytes = wire_bytes
    if header_bytes < IPV4_HEADER_BYTES or length_bytes < header_bytes:
        return MALFORMED_IP
    if ip + header_bytes > end:
        return ends_early

    position = network_u16(data, ip + 6)
    part = WHOLE
    if position & 0x1FFF:
        part = LATER_FRAGMENT
    elif position & 0x2000:
        part = FIRST_FRAGMENT

    mapped = np.uint64(0xFFFF_0000_0000)
    packet.source_low = mapped | np.uint64(network_u32(data, ip + 12))
    packet.destination_low = mapped | np.uint64(network_u32(data, ip + 16))
    packet.ip_version = 4
    fill_upper_layer(packet, data, ip, end, length_bytes, header_bytes, octet(data, ip + 9), part)
    return PASSED


@compiled
def fill_ipv6(
    packet: np.record, data: Octets, ip: int, end: int, wire_bytes: int, ends_early: int
) -> int:
    """Fill in what the IPv6 headers at ``ip`` say (RFC 8200 §3, §4); returns the verdict."""
    if ip + IPV6_HEADER_BYTES > end:
        return ends_early
    payload_bytes = network_u16(data, ip + 4)
    length_bytes = IPV6_HEADER_BYTES + payload_bytes
    if payload_bytes == 0 and octet(data, ip + 6) != NO_NEXT_HEADER:
        length_bytes = wire_bytes

    headers_end = min(end, ip + length_bytes)
    if headers_end < end:
        ends_early = MALFORMED_IP  # the chain runs out of the packet, not out of the capture
    protocol, header_bytes, part = upper_layer(data, ip, headers_end)
    if protocol == CHAIN_ENDS_EARLY:
        return ends_early

    packet.source_high = network_u64(data, ip + 8)
    packet.source_low = network_u64(data, ip + 16)
    packet.destination_high = network_u64(data, ip + 24)
    packet.destination_low = network_u64(data, ip + 32)
    packet.ip_version = 6
    fill_upper_layer(packet, data, ip, end, length_bytes, header_bytes, protocol, part)
    return PASSED


@compiled
def upper_layer(data: Octets, ip: int, end: int) -> tuple[int, int, int]:
    """Walk IPv6 extension headers: (upper-layer protocol, its offset from ``ip``, which part).

    The walk stops at ESP, whose content is not to be read here, and behind the fragment header of
    a later fragment, where no header follows. The protocol is ``CHAIN_ENDS_EARLY`` when a header
    reaches beyond ``end``.
    """
    protocol = octet(data, ip + 6)
    at = ip + IPV6_HEADER_BYTES
    part = WHOLE
    while True:
        if protocol in (HOP_BY_HOP, ROUTING, DESTINATION_OPTIONS):
            unit_bytes, first_bytes = 8, 8
        elif protocol == AUTHENTICATION:
            unit_bytes, first_bytes = 4, 8  # RFC 4302 §2.2: in 4-byte units, minus 2
        elif protocol == FRAGMENT:
            unit_bytes, first_bytes = 0, 8
        else:
            return protocol, at - ip, part
        if at + 8 > end:
            return CHAIN_ENDS_EARLY, 0, WHOLE
        header_bytes = first_bytes + unit_bytes * octet(data, at + 1)
        if at + header_bytes > end:
            return CHAIN_ENDS_EARLY, 0, WHOLE
        if protocol == FRAGMENT:
            position = network_u16(data, at + 2)
            if position & 0xFFF8:
                return octet(data, at), at + 8 - ip, LATER_FRAGMENT
            if position & 1:
                part = FIRST_FRAGMENT  # without it: an atomic fragment (RFC 6946), a whole packet
        protocol = octet(data, at)
        at += header_bytes


@compiled
def fill_upper_layer(
    packet: np.record,
    data: Octets,
    ip: int,
    end: int,
    length_bytes: int,
    header_bytes: int,
    protocol: int,
    part: int,
) -> None:
    """Fill in lengths, protocol and ports; ``header_bytes`` is from ``ip`` to the upper layer."""
    captured_bytes = min(end - ip, length_bytes)
    packet.offset = ip
    packet.length_bytes = length_bytes
    packet.captured_bytes = captured_bytes
    packet.transport_offset = header_bytes
    packet.protocol = protocol
    packet.fragment = 0 if part == WHOLE else 1
    has_ports = protocol in (TCP, UDP, SCTP, UDP_LITE) and part != LATER_FRAGMENT
    if has_ports and header_bytes + 4 <= captured_bytes:
        packet.source_port = network_u16(data, ip + header_bytes)
        packet.destination_port = network_u16(data, ip + header_bytes + 2)
