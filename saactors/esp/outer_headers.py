"""Everything that stands before the ciphertext of a packet that goes out: IP, UDP, ESP, IV.

A tunnel's outer IP header is made from the SA and the inner packet (RFC 4301 §5.1.2); in transport
mode the packet's own headers are copied by ``seal_layout`` and only mended here.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from saactors.esp.wire import (
    ESP,
    IPV4,
    IPV4_HEADER_BYTES,
    IPV4_PROTOCOL_AT,
    IPV6,
    IPV6_HEADER_BYTES,
    IPV6_NEXT_HEADER_AT,
    UDP,
    UDP_HEADER_BYTES,
    Bytes,
    checksum,
    header_chain,
    read_u16,
    read_u32,
    set_ip_length,
    signed,
    words_sum,
    write_u16,
    write_u32,
)
from saactors.model.compiled import compiled

HOP_LIMIT: Final = 64  # RFC 1700's default TTL, and Linux's

_DO_NOT_FRAGMENT: Final = 0x4000
_HALF: Final = np.uint64(32)
_LOW_MASK: Final = np.uint64(0xFFFF_FFFF)


@compiled
def write_outer_header(
    inner: Bytes, record: np.void, low: int, head: Bytes
) -> tuple[int, int, int]:
    """Write a tunnel's outer IP header (RFC 4301 §5.1.2), except its length and protocol.

    DSCP and, by RFC 6040's normal mode, ECN are copied. Don't-fragment is copied from IPv4 and set
    for IPv6, whose packets no router fragments; the identification, which only fragments need (RFC
    6864), is 0 with it and comes from the sequence number without. The flow label is copied.

    Returns the header's size, where its protocol number stands, and that of the inner packet.
    """
    inner_is_ipv4 = inner[0] >> 4 == 4
    if inner_is_ipv4:
        traffic_class = signed(inner[1])
        flow_label = 0
        fragmenting = read_u16(inner, 6) & _DO_NOT_FRAGMENT
    else:
        first_word = read_u32(inner, 0)
        traffic_class = (first_word >> 20) & 0xFF
        flow_label = first_word & 0xFFFFF
        fragmenting = _DO_NOT_FRAGMENT
    inside = IPV4 if inner_is_ipv4 else IPV6
    if record["outer_version"] == 4:
        write_u16(head, 0, (0x45 << 8) | traffic_class)
        write_u16(head, 4, 0 if fragmenting else low)
        write_u16(head, 6, fragmenting)
        head[8] = HOP_LIMIT
        write_u32(head, 12, signed(record["source_low"] & _LOW_MASK))
        write_u32(head, 16, signed(record["destination_low"] & _LOW_MASK))
        return IPV4_HEADER_BYTES, IPV4_PROTOCOL_AT, inside
    write_u32(head, 0, (6 << 28) | (traffic_class << 20) | flow_label)
    head[7] = HOP_LIMIT
    _write_u64(head, 8, record["source_high"])
    _write_u64(head, 16, record["source_low"])
    _write_u64(head, 24, record["destination_high"])
    _write_u64(head, 32, record["destination_low"])
    return IPV6_HEADER_BYTES, IPV6_NEXT_HEADER_AT, inside


@compiled
def finish_head(
    head: Bytes, place: int, field: int, length: int, record: np.void, high: int, low: int
) -> None:
    """Write UDP header, ESP header and IV behind the IP headers, and fit the IP headers to them."""
    esp = head[place:]
    head[field] = ESP
    if record["source_port"]:
        head[field] = UDP
        write_u16(esp, 0, signed(record["source_port"]))
        write_u16(esp, 2, signed(record["destination_port"]))
        write_u16(esp, 4, length - place)
        write_u16(esp, 6, 0)  # RFC 3948 §2.1; over IPv6 see write_udp_checksums
        esp = esp[UDP_HEADER_BYTES:]
    set_ip_length(head, 0, length)
    write_u32(esp, 0, signed(record["spi"]))
    write_u32(esp, 4, low)
    write_u32(esp, 8, high)
    write_u32(esp, 12, low)


@compiled
def _write_u64(data: Bytes, at: int, number: np.uint64) -> None:
    write_u32(data, at, signed(number >> _HALF))
    write_u32(data, at + 4, signed(number & _LOW_MASK))


@compiled
def write_udp_checksums(
    sealed: Bytes, starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int32]
) -> None:
    """Compute the UDP checksum of every IPv6 packet in UDP (RFC 8200 §8.1: 0 is not allowed).

    The destination is the one in the header, also where a routing header names a later one.
    """
    for i in range(len(starts)):
        start, end = starts[i], starts[i] + lengths[i]
        if lengths[i] == 0 or sealed[start] >> 4 != 6:
            continue
        _, _, _, udp, field = header_chain(sealed, start, end)
        if sealed[start + field] != UDP:
            continue
        total = words_sum(sealed, start + 8, start + 40) + (lengths[i] - udp) + UDP
        value = checksum(total + words_sum(sealed, start + udp, end))
        write_u16(sealed, start + udp + 6, value or 0xFFFF)
