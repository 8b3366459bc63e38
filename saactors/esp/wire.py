"""Bytes of IP and ESP packets, for compiled code: big-endian numbers, checksums, header chains.

Everything here works on a uint8 array and offsets in it; callers check bounds first.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from saactors.esp.verdict_numbers import MALFORMED_IP, OUTER_FRAGMENT, PASSED
from saactors.model.compiled import compiled

Bytes = npt.NDArray[np.uint8]
Records = npt.NDArray[np.void]

ESP_HEADER_BYTES: Final = 8  # SPI and sequence number, RFC 4303 §2
ESP_TRAILER_BYTES: Final = 2  # pad length and next header
UDP_HEADER_BYTES: Final = 8
IPV4_HEADER_BYTES: Final = 20  # without options
IPV6_HEADER_BYTES: Final = 40  # without extension headers
LENGTH_MAX: Final = 65535  # what a 16-bit length field can say

# Protocol numbers (IANA).
HOP_BY_HOP: Final = 0
IPV4: Final = 4
UDP: Final = 17
IPV6: Final = 41
ROUTING: Final = 43
FRAGMENT: Final = 44
ESP: Final = 50
NO_NEXT_HEADER: Final = 59
DESTINATION_OPTIONS: Final = 60

# Where header fields stand.
IPV4_PROTOCOL_AT: Final = 9
IPV4_CHECKSUM_AT: Final = 10
IPV6_NEXT_HEADER_AT: Final = 6

_IPV4_FRAGMENT_BITS: Final = 0x3FFF  # more fragments, fragment offset
_IPV6_FRAGMENT_BITS: Final = 0xFFF9  # fragment offset, more fragments


@compiled
def signed(number: np.integer[Any] | int) -> int:
    """A number from an array, as Numba's signed 64-bit integer.

    All arithmetic on lengths and offsets is done in these: Numba makes a float of a signed and an
    unsigned number, and NumPy keeps to eight bits what began as a byte.
    """
    return np.int64(number)  # type: ignore[return-value]  # an int to all who call it


@compiled
def read_u16(data: Bytes, at: int) -> int:
    """The 16-bit number at ``at``."""
    return (signed(data[at]) << 8) | signed(data[at + 1])


@compiled
def read_u32(data: Bytes, at: int) -> int:
    """The 32-bit number at ``at``."""
    return (read_u16(data, at) << 16) | read_u16(data, at + 2)


@compiled
def write_u16(data: Bytes, at: int, number: int) -> None:
    """Put the low 16 bits of ``number`` at ``at``."""
    data[at] = (number >> 8) & 0xFF
    data[at + 1] = number & 0xFF


@compiled
def write_u32(data: Bytes, at: int, number: int) -> None:
    """Put the low 32 bits of ``number`` at ``at``."""
    write_u16(data, at, number >> 16)
    write_u16(data, at + 2, number)


@compiled
def copy_bytes(target: Bytes, source: Bytes) -> None:
    """Fill ``target`` with as many bytes of ``source``.

    A loop over two slices becomes one vectorised copy; assigning a slice to a slice is ten times as
    slow in Numba 0.68, and so is a loop with offsets, which might be negative.
    """
    for i in range(len(target)):
        target[i] = source[i]


@compiled
def words_sum(data: Bytes, start: int, end: int) -> int:
    """Sum of the big-endian 16-bit words of ``data[start:end]``, an even number of bytes.

    IP headers are that, and so is all that ESP is padded to (RFC 4303 §2.4).
    """
    total = 0
    for at in range(start, end, 2):
        total += read_u16(data, at)
    return total


@compiled
def checksum(total: int) -> int:
    """The Internet checksum (RFC 1071) of what has been summed."""
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


@compiled
def set_ipv4_checksum(data: Bytes, start: int, header_bytes: int) -> None:
    """Compute the header checksum of the IPv4 packet at ``start`` and put it in."""
    header = data[start : start + header_bytes]
    write_u16(header, IPV4_CHECKSUM_AT, 0)
    write_u16(header, IPV4_CHECKSUM_AT, checksum(words_sum(header, 0, header_bytes)))


@compiled
def replace_u16(data: Bytes, at: int, number: int, checksum_at: int) -> None:
    """Put a 16-bit number at ``at`` and bring the checksum up to date (RFC 1624, equation 3).

    A checksum that was wrong stays wrong, as it should: who computes it anew hides the damage.
    """
    total = (~read_u16(data, checksum_at) & 0xFFFF) + (~read_u16(data, at) & 0xFFFF) + number
    write_u16(data, at, number)
    write_u16(data, checksum_at, checksum(total))


@compiled
def header_chain(data: Bytes, start: int, end: int) -> tuple[int, int, int, int, int]:
    """Walk the headers of the IP packet at ``start``, whose fixed header ends before ``end``.

    Returns verdict, place, place_field, stop, stop_field, all offsets from ``start``:

    - ``place`` is where an ESP header is put (RFC 4303 §3.1.1): behind IPv4 options, or behind the
      last hop-by-hop, routing or fragment header. Destination options behind those are for the
      final destination; they may stand on either side and are better protected.
    - ``stop`` is where the first header stands that is none of these.
    - ``*_field`` is where the protocol number of what stands there is written.

    The verdict is PASSED, OUTER_FRAGMENT, or MALFORMED_IP if the chain does not end before ``end``.
    A fragment header of a whole packet (RFC 6946) is passed over.
    """
    if data[start] >> 4 == 4:
        size = (signed(data[start]) & 15) * 4
        verdict = PASSED
        if size < IPV4_HEADER_BYTES or start + size > end:
            verdict = MALFORMED_IP
        elif read_u16(data, start + 6) & _IPV4_FRAGMENT_BITS:
            verdict = OUTER_FRAGMENT
        return verdict, size, IPV4_PROTOCOL_AT, size, IPV4_PROTOCOL_AT

    place, place_field = IPV6_HEADER_BYTES, IPV6_NEXT_HEADER_AT
    stop, stop_field = place, place_field
    verdict = PASSED
    while True:
        header = data[start + stop_field]
        if header not in (HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION_OPTIONS):
            break
        size = 8
        if start + stop + size > end:
            verdict = MALFORMED_IP
            break
        if header != FRAGMENT:
            size += 8 * signed(data[start + stop + 1])
        elif read_u16(data, start + stop + 2) & _IPV6_FRAGMENT_BITS:
            verdict = OUTER_FRAGMENT
            break
        if start + stop + size > end:
            verdict = MALFORMED_IP
            break
        stop_field = stop
        stop += size
        if header != DESTINATION_OPTIONS:
            place, place_field = stop, stop_field
    return verdict, place, place_field, stop, stop_field


@compiled
def set_ip_length(data: Bytes, start: int, length: int) -> None:
    """Make the IP packet at ``start`` say that it is ``length`` bytes long; checksum included."""
    if data[start] >> 4 == 4:
        write_u16(data, start + 2, length)
        set_ipv4_checksum(data, start, (signed(data[start]) & 15) * 4)
    else:
        write_u16(data, start + 4, length - IPV6_HEADER_BYTES)


@compiled
def ip_length(data: Bytes, start: int, end: int) -> int:
    """Bytes of the IP packet at ``start`` as its header says; 0 if it is none that fits."""
    held = end - start
    length = 0
    if held >= IPV4_HEADER_BYTES and data[start] >> 4 == 4:
        header_bytes = (signed(data[start]) & 15) * 4
        length = read_u16(data, start + 2)
        if header_bytes < IPV4_HEADER_BYTES or length < header_bytes:
            length = 0
    elif held >= IPV6_HEADER_BYTES and data[start] >> 4 == 6:
        length = IPV6_HEADER_BYTES + read_u16(data, start + 4)
    return length if length <= held else 0
