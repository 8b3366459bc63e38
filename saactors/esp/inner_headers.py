"""What a tunnel does to the headers of the packets inside (RFC 4301 §5.1.2).

On the way in, the hop limit is lowered if the SA forwards. On the way out also, and the outer
header's congestion mark comes in (RFC 6040 §4.2, figure 4):

    inner, outer:  Not-ECT   ECT(0)    ECT(1)    CE
    Not-ECT         Not-ECT   Not-ECT   Not-ECT   drop
    ECT(0)          ECT(0)    ECT(0)    ECT(1)    CE
    ECT(1)          ECT(1)    ECT(1)    ECT(1)    CE
    CE              CE        CE        CE        CE

The inner DSCP stays. Whatever changes in an IPv4 header, its checksum follows.
"""

from __future__ import annotations

from typing import Final

from saactors.esp.verdict_numbers import CONGESTION_ON_NOT_ECT, HOP_LIMIT_EXCEEDED, PASSED
from saactors.esp.wire import IPV4_CHECKSUM_AT, Bytes, read_u16, replace_u16, signed, write_u16
from saactors.model.compiled import compiled

NOT_ECT: Final = 0
ECT_1: Final = 1
ECT_0: Final = 2
CE: Final = 3

_IPV4_HOP_LIMIT_AT: Final = 8
_IPV6_HOP_LIMIT_AT: Final = 7
_IPV6_ECN_SHIFT: Final = 4  # in the first 16 bits: version, traffic class, flow label begins


@compiled
def ecn_of(data: Bytes, start: int) -> int:
    """The congestion bits of the IP packet at ``start``."""
    if data[start] >> 4 == 4:
        return signed(data[start + 1]) & 3
    return (signed(data[start + 1]) >> _IPV6_ECN_SHIFT) & 3


@compiled
def hop_limit_of(data: Bytes, start: int) -> int:
    """TTL or hop limit of the IP packet at ``start``."""
    at = _IPV4_HOP_LIMIT_AT if data[start] >> 4 == 4 else _IPV6_HOP_LIMIT_AT
    return signed(data[start + at])


@compiled
def lower_hop_limit(packet: Bytes) -> None:
    """Lower TTL or hop limit by one; it is not 0."""
    if packet[0] >> 4 == 4:
        word = read_u16(packet, _IPV4_HOP_LIMIT_AT) - (1 << 8)
        replace_u16(packet, _IPV4_HOP_LIMIT_AT, word, IPV4_CHECKSUM_AT)
    else:
        packet[_IPV6_HOP_LIMIT_AT] -= 1


@compiled
def leave_tunnel(packet: Bytes, outer_ecn: int, forwards: int) -> int:
    """Bring the outer congestion mark in and lower the hop limit; the verdict on the packet."""
    inner_ecn = ecn_of(packet, 0)
    if outer_ecn == CE and inner_ecn == NOT_ECT:
        return CONGESTION_ON_NOT_ECT
    if outer_ecn == CE or (outer_ecn == ECT_1 and inner_ecn == ECT_0):
        _set_ecn(packet, outer_ecn)
    if forwards:
        if hop_limit_of(packet, 0) <= 1:
            return HOP_LIMIT_EXCEEDED
        lower_hop_limit(packet)
    return PASSED


@compiled
def _set_ecn(packet: Bytes, ecn: int) -> None:
    word = read_u16(packet, 0)
    if packet[0] >> 4 == 4:
        replace_u16(packet, 0, (word & ~3) | ecn, IPV4_CHECKSUM_AT)
    else:
        write_u16(packet, 0, (word & ~(3 << _IPV6_ECN_SHIFT)) | (ecn << _IPV6_ECN_SHIFT))
