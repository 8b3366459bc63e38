"""Which SA a stream has: a hash table in one record array, probed and filled by compiled code.

A stream is what one entry of the SPD calls the packets that share an SA (RFC 4301 §4.4.1.2): a
flow, a pair of hosts, a pair of subnets. Its key is the packet's addresses, protocol and ports,
cut down to what the entry asks for, and the entry itself. The table is open-addressed with linear
probing and never more than three quarters full; it grows by doubling between bursts, up to what
``sas_max`` SAs need.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

from saactors.model.packets import PACKET
from saactors.model.selector import Stream

ASSOCIATION: Final = np.dtype(
    [
        ("source_high", "u8"),
        ("source_low", "u8"),
        ("destination_high", "u8"),
        ("destination_low", "u8"),
        ("ports", "u4"),  # source port in the upper half
        ("sa_number", "i4"),  # index of the SA plus 1; 0: this place is free
        ("entry", "u2"),  # of the SPD
        ("protocol", "u1"),
        ("ip_version", "u1"),
    ],
    align=True,
)

FIRST_PLACES: Final = 1024
_IPV4_SUBNET_MASK: Final = np.uint64(0xFFFFFFFF_FFFFFF00)  # /24 of the low half of a mapped address
_HASH_FACTOR: Final = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio, odd
_HASH_SHIFT: Final = np.uint64(32)


@njit(cache=True)
def place_of(table: npt.NDArray[np.void], packet: np.record, entry: int, stream: int) -> int:
    """Where the packet's stream stands in the table, or the free place where it would.

    A free place is given the stream's key, so that the caller has only ``sa_number`` to fill in;
    as long as it stays 0 the place counts as free.
    """
    source_high, source_low = packet.source_high, packet.source_low
    destination_high, destination_low = packet.destination_high, packet.destination_low
    ports = np.uint32(packet.source_port) << np.uint32(16) | np.uint32(packet.destination_port)
    protocol = packet.protocol
    if stream != Stream.FLOW:
        ports = np.uint32(0)
        protocol = np.uint8(0)
    if stream == Stream.SUBNET:
        if packet.ip_version == 4:
            source_low &= _IPV4_SUBNET_MASK
            destination_low &= _IPV4_SUBNET_MASK
        else:
            source_low = np.uint64(0)
            destination_low = np.uint64(0)
    mixed = source_high ^ (source_low * _HASH_FACTOR)
    mixed = (mixed ^ (mixed >> _HASH_SHIFT)) * _HASH_FACTOR + destination_high
    mixed = (mixed ^ (mixed >> _HASH_SHIFT)) * _HASH_FACTOR + destination_low
    mixed = (mixed ^ (mixed >> _HASH_SHIFT)) * _HASH_FACTOR
    mixed += np.uint64(ports) ^ (np.uint64(protocol) << _HASH_SHIFT) ^ np.uint64(entry)
    mixed = (mixed ^ (mixed >> _HASH_SHIFT)) * _HASH_FACTOR
    last = np.uint64(len(table) - 1)
    place = (mixed ^ (mixed >> _HASH_SHIFT)) & last
    while True:
        known = table[place]
        if known.sa_number == 0:
            known.source_high, known.source_low = source_high, source_low
            known.destination_high, known.destination_low = destination_high, destination_low
            known.ports, known.protocol, known.entry = ports, protocol, entry
            known.ip_version = packet.ip_version
            return int(place)
        if (
            known.source_low == source_low
            and known.destination_low == destination_low
            and known.ports == ports
            and known.source_high == source_high
            and known.destination_high == destination_high
            and known.protocol == protocol
            and known.entry == entry
            and known.ip_version == packet.ip_version
        ):
            return int(place)
        place = (place + np.uint64(1)) & last


@njit(cache=True)
def _move_all(old: npt.NDArray[np.void], new: npt.NDArray[np.void]) -> None:
    """Put every association of ``old`` into the empty table ``new``."""
    carrier = np.zeros(1, PACKET)
    for place in range(len(old)):
        known = old[place]
        if known.sa_number == 0:
            continue
        packet = carrier[0]
        packet.source_high, packet.source_low = known.source_high, known.source_low
        packet.destination_high = known.destination_high
        packet.destination_low = known.destination_low
        packet.source_port = known.ports >> np.uint32(16)
        packet.destination_port = known.ports & np.uint32(0xFFFF)
        packet.protocol, packet.ip_version = known.protocol, known.ip_version
        # The key is cut down already, and a flow's key is the whole of it.
        moved = place_of(new, packet, known.entry, Stream.FLOW)
        new[moved].sa_number = known.sa_number


def with_room(table: npt.NDArray[np.void], used: int, more: int) -> npt.NDArray[np.void]:
    """``table`` itself if ``more`` streams fit in beside ``used``, else a larger copy."""
    places = len(table)
    while 4 * (used + more) > 3 * places:
        places *= 2
    if places == len(table):
        return table
    larger = np.zeros(places, ASSOCIATION)
    _move_all(table, larger)
    return larger
