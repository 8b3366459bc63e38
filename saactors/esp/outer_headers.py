"""Everything that stands before the ciphertext of a packet that goes out: IP, UDP, ESP, IV.

A tunnel's outer IP header is made from the SA and the inner packet (RFC 4301 §5.1.2); in transport
mode the packet's own headers are copied by ``seal_layout`` and only mended here.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from saactors.esp.header_rules import FIXED_DSCP, HOP_LIMIT, DontFragment, Ecn, FlowLabel
from saactors.esp.wire import (
    ESP,
    ESP_HEADER_BYTES,
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

_DO_NOT_FRAGMENT: Final = 0x4000
_ECN_MASK: Final = 3
_DSCP_MASK: Final = 0xFC
_ECN_COPY: Final = int(Ecn.COPY)
_DF_COPY: Final = int(DontFragment.COPY)
_DF_SET: Final = int(DontFragment.SET)
_FLOW_LABEL_COPY: Final = int(FlowLabel.COPY)
_HALF: Final = np.uint64(32)
_LOW_MASK: Final = np.uint64(0xFFFF_FFFF)


@compiled
def write_outer_header(
    inner: Bytes, record: np.void, low: int, head: Bytes
) -> tuple[int, int, int]:
    """Write a tunnel's outer IP header (RFC 4301 §5.1.2), except its length and protocol.

    DSCP, ECN and flow label are copied unless the SA says otherwise. So is don't-fragment from
    IPv4; for IPv6, whose packets no router fragments, it counts as set. The identification, which
    only fragments need (RFC 6864), is 0 with it and comes from the sequence number without.

    Returns the header's size, where its protocol number stands, and that of the inner packet.
    """
    if inner[0] >> 4 == 4:
        inside = IPV4
        flow_label = 0
        fragmenting = read_u16(inner, 6) & _DO_NOT_FRAGMENT
        traffic_class = signed(inner[1])
    else:
        inside = IPV6
        first_word = read_u32(inner, 0)
        flow_label = first_word & 0xFFFFF if record["flow_label"] == _FLOW_LABEL_COPY else 0
        fragmenting = _DO_NOT_FRAGMENT
        traffic_class = (first_word >> 20) & 0xFF
    traffic_class = _outer_traffic_class(record, traffic_class)
    hop_limit = signed(record["hop_limit"])
    if hop_limit == 0:
        hop_limit = HOP_LIMIT
    if record["outer_version"] == 4:
        if record["dont_fragment"] != _DF_COPY:
            fragmenting = _DO_NOT_FRAGMENT if record["dont_fragment"] == _DF_SET else 0
        write_u16(head, 0, (0x45 << 8) | traffic_class)
        write_u16(head, 4, 0 if fragmenting else low)
        write_u16(head, 6, fragmenting)
        head[8] = hop_limit
        write_u32(head, 12, signed(record["source_low"] & _LOW_MASK))
        write_u32(head, 16, signed(record["destination_low"] & _LOW_MASK))
        return IPV4_HEADER_BYTES, IPV4_PROTOCOL_AT, inside
    write_u32(head, 0, (6 << 28) | (traffic_class << 20) | flow_label)
    head[7] = hop_limit
    _write_u64(head, 8, record["source_high"])
    _write_u64(head, 16, record["source_low"])
    _write_u64(head, 24, record["destination_high"])
    _write_u64(head, 32, record["destination_low"])
    return IPV6_HEADER_BYTES, IPV6_NEXT_HEADER_AT, inside


@compiled
def _outer_traffic_class(record: np.void, inner: int) -> int:
    """DSCP and ECN of the outer header; see ``header_rules`` for the record's numbers."""
    dscp = inner & _DSCP_MASK
    if record["dscp"] & FIXED_DSCP:
        dscp = (signed(record["dscp"]) << 2) & _DSCP_MASK
    return dscp | (inner & _ECN_MASK if record["ecn"] == _ECN_COPY else 0)


@compiled
def finish_head(
    head: Bytes, place: int, field: int, length: int, record: np.void, high: int, low: int
) -> None:
    """Write UDP header, ESP header and IV behind the IP headers, and fit the IP headers to them.

    The IV is the sequence number, in as many bytes as the head has left: none, 8 or 16.
    """
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
    if len(esp) > ESP_HEADER_BYTES:
        esp[ESP_HEADER_BYTES:] = 0
        write_u32(esp, len(esp) - 8, high)
        write_u32(esp, len(esp) - 4, low)


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
