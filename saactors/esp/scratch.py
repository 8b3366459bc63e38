"""Memory that a sealer or an opener works in, kept from burst to burst and grown when needed.

A burst's packets are numbered twice: by row, as they came, and from 0 the **live** ones, those that
are not refused before any cryptography. Scratch speaks of live packets.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from saactors.esp.words import STRIP_BYTES
from saactors.model.packets import PACKET

BURST_PACKETS: Final = 256  # the largest burst of the actors; scratch begins with room for one
_HEAD_BYTES: Final = 64  # guess of a head's size: IPv4, UDP, ESP, IV and a little more
_PLAIN_BYTES: Final = 1536  # guess of a packet's: Ethernet's 1500 and padding

EDGE_ROWS: Final = 4
HEAD, PLAIN, SA, EXTENDED = range(EDGE_ROWS)
"""The rows of ``SealScratch.edges``."""

SPAN_ROWS: Final = 10
CIPHER, CIPHER_END, OUTER, OUTER_END, INNER, INNER_END, ROW, SPAN_SA, SPAN_EXTENDED, SPAN_ECN = (
    range(SPAN_ROWS)
)
"""The rows of ``OpenScratch.spans``."""


class Laid(NamedTuple):
    """What ``seal_layout.lay_out`` says of a burst."""

    live: int  # packets
    extended: int  # of them, with extended sequence number
    checksums: int  # of them, in UDP over IPv6, where a checksum is to be computed at the end
    same_head_bytes: int  # size of all heads if it is one and the same, else 0
    sealed_bytes: int  # of all sealed packets together


class SealScratch:
    """Heads and plains of a burst, nonces and associated data.

    Of live packet k, ``edges[HEAD, k]`` and ``edges[HEAD, k + 1]`` bound the head in ``heads`` (all
    before the ciphertext), ``edges[PLAIN]`` alike the plain in ``plains`` (all that becomes
    ciphertext); ``edges[SA, k]`` is its SA, and ``edges[EXTENDED, k]`` is 1 if that has extended
    sequence numbers. ``strips[k]`` is its strip of ``words``.
    """

    __slots__ = ("edges", "heads", "packets", "plains", "rows", "strips")

    def __init__(self) -> None:
        self.heads = np.empty(BURST_PACKETS * _HEAD_BYTES, np.uint8)
        self.plains = np.empty(BURST_PACKETS * _PLAIN_BYTES, np.uint8)
        self.fit(BURST_PACKETS)

    def fit(self, packets: int) -> None:
        """Have room for so many packets."""
        self.strips = np.zeros((packets, STRIP_BYTES), np.uint8)
        self.edges = np.zeros((EDGE_ROWS, packets + 1), np.int64)
        self.packets = np.zeros(packets, PACKET)
        self.rows = np.arange(packets, dtype=np.int32)

    def enlarge(self) -> None:
        """Have room for more bytes."""
        self.heads = np.empty(2 * len(self.heads), np.uint8)
        self.plains = np.empty(2 * len(self.plains), np.uint8)


class Located(NamedTuple):
    """What ``open_layout.locate`` says of a burst."""

    live: int  # packets
    extended: int  # of them, with extended sequence number
    transport: int  # of them, whose IP headers are wanted again
    joined_bytes: int  # of all wanted headers and plaintexts together


class OpenScratch:
    """Where in a burst everything is, nonces and associated data.

    Of live packet k, ``spans[CIPHER, k]`` and ``spans[CIPHER_END, k]`` bound ciphertext and ICV;
    ``OUTER`` and ``OUTER_END`` the IP headers that transport mode wants again (nothing in tunnel
    mode); ``INNER`` and ``INNER_END`` the place of the plaintext where these headers and the
    plaintexts are joined; ``ROW`` is its row, ``SPAN_SA`` its SA, ``SPAN_EXTENDED`` 1 if that has
    extended sequence numbers, ``SPAN_ECN`` the congestion bits of its outer header. ``strips[k]``
    is its strip of ``words``.
    """

    __slots__ = ("packets", "rows", "spans", "strips")

    def __init__(self) -> None:
        self.fit(BURST_PACKETS)

    def fit(self, packets: int) -> None:
        """Have room for so many packets."""
        self.strips = np.zeros((packets, STRIP_BYTES), np.uint8)
        self.spans = np.zeros((SPAN_ROWS, packets), np.int64)
        self.packets = np.zeros(packets, PACKET)
        self.rows = np.arange(packets, dtype=np.int32)
