"""The fragments of one packet on their way to becoming it again (RFC 791 §3.2, RFC 8200 §4.5).

Pieces that overlap never become a packet: who looks at them on the way could have seen another one
(RFC 5722). So the pieces held never overlap, and the packet is complete as soon as as many bytes
are here as its last fragment says there are.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from enum import StrEnum
from typing import Final, NamedTuple

from saactors.esp.inner_headers import CE, NOT_ECT
from saactors.esp.ip_packet import Part, with_ipv4_checksum
from saactors.esp.wire import IPV6_HEADER_BYTES, LENGTH_MAX

_NOT_KNOWN: Final = -1
_IPV6_ECN_SHIFT: Final = 4  # in the second byte: traffic class, then flow label


class Loss(StrEnum):
    """Why a fragment became part of no packet; the values are names in statistics."""

    MALFORMED = "malformed"  # no IP packet, or a fragment of nothing
    MISALIGNED = "misaligned"  # not the last one, and no multiple of 8 bytes
    TOO_LONG = "too_long"  # the packet would have more than 65535 bytes
    OVERLAP = "overlap"
    INCONSISTENT = "inconsistent"  # about where the packet ends
    TOO_MANY_FRAGMENTS = "too_many_fragments"
    CONGESTION_ON_NOT_ECT = "congestion_on_not_ect"
    TIMED_OUT = "timed_out"
    TABLE_FULL_PACKETS = "table_full_packets"
    TABLE_FULL_BYTES = "table_full_bytes"


class Piece(NamedTuple):
    """A stretch of the packet's body."""

    offset: int
    body: bytes
    more: bool

    @property
    def end(self) -> int:
        """Behind its last byte."""
        return self.offset + len(self.body)


class FragmentSet:
    """What has come of one packet. ``began_ns`` is when, ``cost_bytes`` is the holder's business.

    Raises nothing for any fragments; ask ``conflict`` before ``add``.
    """

    __slots__ = ("_body_bytes", "_ecns", "_end", "_headers", "_part", "_pieces", "began_ns",
                 "cost_bytes")  # fmt: skip

    def __init__(self, began_ns: int) -> None:
        self.began_ns = began_ns
        self.cost_bytes = 0
        self._pieces: list[Piece] = []  # by offset, none overlapping
        self._body_bytes = 0
        self._end = _NOT_KNOWN  # of the body; the last fragment knows
        self._part: Part | None = None  # the first fragment, whose headers the packet gets
        self._headers = b""
        self._ecns = 0  # bit n: some fragment has codepoint n

    def __len__(self) -> int:
        return len(self._pieces)

    @property
    def is_complete(self) -> bool:
        """Whether all of the packet is here."""
        return self._body_bytes == self._end

    def holds(self, piece: Piece) -> bool:
        """Whether exactly this piece is here already."""
        at = bisect_left(self._pieces, piece.offset, key=_offset)
        return at < len(self._pieces) and self._pieces[at] == piece

    def conflict(self, piece: Piece) -> Loss | None:
        """Why this piece cannot belong to the same packet as the others."""
        at = bisect_left(self._pieces, piece.offset, key=_offset)
        if self._end != _NOT_KNOWN and (
            piece.end >= self._end if piece.more else piece.end != self._end
        ):
            return Loss.INCONSISTENT
        if not piece.more and self._pieces and self._pieces[-1].offset >= piece.end:
            return Loss.INCONSISTENT
        if at > 0 and self._pieces[at - 1].end > piece.offset:
            return Loss.OVERLAP
        if at < len(self._pieces) and self._pieces[at].offset < piece.end:
            return Loss.OVERLAP
        return None

    def add(self, piece: Piece, part: Part, packet: bytes) -> None:
        """Take a piece of the fragment ``packet``."""
        self._pieces.insert(bisect_left(self._pieces, piece.offset, key=_offset), piece)
        self._body_bytes += len(piece.body)
        self._ecns |= 1 << (packet[1] & 3 if part.version == 4 else packet[1] >> 4 & 3)
        if not piece.more:
            self._end = piece.end
        if piece.offset == 0:
            self._part, self._headers = part, packet[: part.header_bytes]

    def whole(self) -> bytes | Loss:
        """The packet, once it is complete."""
        assert self.is_complete
        assert self._part is not None, "complete without a first fragment"
        marked = self._ecns >> CE & 1
        if marked and self._ecns >> NOT_ECT & 1:
            return Loss.CONGESTION_ON_NOT_ECT
        fixed_bytes = 0 if self._part.version == 4 else IPV6_HEADER_BYTES  # not in its length field
        length = len(self._headers) + self._end - fixed_bytes
        if length > LENGTH_MAX:
            return Loss.TOO_LONG
        mend = _ipv4_header if self._part.version == 4 else _ipv6_headers
        headers = mend(self._part, bytearray(self._headers), length, CE if marked else 0)
        return headers + b"".join(piece.body for piece in self._pieces)


def _offset(piece: Piece) -> int:
    return piece.offset


def _ipv4_header(_part: Part, header: bytearray, length: int, ecn: int) -> bytes:
    """The first fragment's, of a packet that is whole and may be cut again."""
    header[1] |= ecn
    header[2:4] = struct.pack("!H", length)
    header[6:8] = bytes(2)
    return with_ipv4_checksum(bytes(header))


def _ipv6_headers(part: Part, headers: bytearray, length: int, ecn: int) -> bytes:
    """The first fragment's, without the Fragment header that stood behind them."""
    headers[1] |= ecn << _IPV6_ECN_SHIFT
    headers[4:6] = struct.pack("!H", length)
    headers[part.field] = part.protocol
    return bytes(headers)
