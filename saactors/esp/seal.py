"""Sealing: IP packets in, ESP packets out, a burst at a time and no Python object kept per packet.

Three steps. Compiled code lays out everything but the ciphertext (``seal_layout``); one call per
packet of the primitive encrypts; one join puts heads and ciphertexts together. Only the second
step is Python per packet, and it is little more than the primitive itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from saactors.esp.contexts import ContextCache
from saactors.esp.outer_headers import write_udp_checksums
from saactors.esp.seal_layout import (
    EDGE_ROWS,
    EXTENDED,
    HEAD,
    NO_ROOM,
    PLAIN,
    SA,
    lay_out,
    plan_lengths,
)
from saactors.esp.suites import SUITE_SIZES
from saactors.esp.words import Words
from saactors.model.packets import PACKET
from saactors.model.sa import SaTable

Columns = tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.uint8]]


@dataclass(slots=True, eq=False)
class Sealed:
    """A sealed burst: packet i is ``data[starts[i] : starts[i] + lengths[i]]``, ready for the wire.

    ``verdicts`` says what became of each; a packet that is not PASSED has length 0.
    """

    data: npt.NDArray[np.uint8]
    starts: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int32]
    verdicts: npt.NDArray[np.uint8]


class Sealer:
    """Seals packets of the SAs of a table.

    It keeps no sequence numbers: whoever owns an SA's counter hands them in, and a (key, IV) pair
    repeats exactly if a number does (law 2). One sealer may serve all workers of a thread.
    """

    __slots__ = (
        "_contexts",
        "_edges",
        "_heads",
        "_packets",
        "_plains",
        "_rows",
        "_sas",
        "_view",
        "_words",
    )

    def __init__(self, sas: SaTable, contexts: ContextCache | None = None) -> None:
        self._sas = sas
        self._contexts = ContextCache(sas) if contexts is None else contexts
        assert self._contexts.sas is sas, "contexts of another SA table"
        self._resize(rows=256, head_bytes=256 * 64, plain_bytes=256 * 1536)

    def seal_packets(
        self,
        data: npt.NDArray[np.uint8],
        packets: npt.NDArray[np.void],
        rows: npt.NDArray[np.int32],
    ) -> Sealed:
        """Seal rows (n,) of ``packets``, a record array of ``PACKET`` over ``data``.

        Of the records it reads ``offset``, ``length_bytes``, ``captured_bytes``, ``sa`` and
        ``sequence``; what lies between captured and length is zeroes. Verdicts: PACKET_TOO_LONG
        where ESP does not fit a 16-bit length, OUTER_FRAGMENT for a fragment in transport mode (ESP
        protects whole packets there, RFC 4303 §3.3.4), MALFORMED_IP, CUT_BY_SNAP_LENGTH where not
        even the headers were captured, SEQUENCE_ZERO and SEQUENCE_EXHAUSTED for numbers that the
        SA must not send.
        """
        starts, lengths, verdicts = columns = _result_columns(len(rows))
        if len(rows) > len(self._words):
            self._resize(rows=len(rows))
        self._contexts.grow()
        while True:
            live, extended, checksums, head_bytes = lay_out(
                data,
                packets,
                rows,
                SUITE_SIZES,
                self._sas.records,
                self._sas.keys,
                self._contexts.used,
                self._words.strips,
                self._edges,
                self._heads,
                self._plains,
                *columns,
            )
            if live != NO_ROOM:
                break
            self._resize(head_bytes=2 * len(self._heads), plain_bytes=2 * len(self._plains))

        parts: list[bytes] = [b""] * (2 * live)
        parts[0::2] = self._head_parts(live, head_bytes)
        parts[1::2] = self._encrypt(live, extended)
        sealed = np.frombuffer(bytearray().join(parts), np.uint8)
        if checksums:
            write_udp_checksums(sealed, starts, lengths)
        return Sealed(sealed, starts, lengths, verdicts)

    def seal_burst(
        self,
        data: npt.NDArray[np.uint8],
        starts: npt.NDArray[np.int64],
        captured: npt.NDArray[np.int32],
        lengths: npt.NDArray[np.int32],
        sa: npt.NDArray[np.int32],
        sequence: npt.NDArray[np.uint64],
    ) -> Sealed:
        """Seal packets given as columns (n,), for callers that have no ``PACKET`` records.

        Packet i lies at ``starts[i]``, is ``lengths[i]`` bytes long of which ``captured[i]`` are
        there, and goes out on SA ``sa[i]`` with number ``sequence[i]``.
        """
        if len(starts) > len(self._words):
            self._resize(rows=len(starts))
        packets = self._packets[: len(starts)]
        packets["offset"] = starts
        packets["captured_bytes"] = captured
        packets["length_bytes"] = lengths
        packets["sa"] = sa
        packets["sequence"] = sequence
        return self.seal_packets(data, packets, self._rows[: len(starts)])

    def sealed_lengths(
        self,
        data: npt.NDArray[np.uint8],
        packets: npt.NDArray[np.void],
        rows: npt.NDArray[np.int32],
    ) -> Columns:
        """``starts``, ``lengths`` and ``verdicts`` of ``seal_packets``, without sealing."""
        columns = _result_columns(len(rows))
        plan_lengths(data, packets, rows, SUITE_SIZES, self._sas.records, *columns)
        return columns

    def _encrypt(self, live: int, extended: int) -> list[bytes]:
        """Ciphertexts, each with its ICV. One call per packet: this is where the time goes."""
        known, make, view = self._contexts.known, self._contexts.make, self._view
        return [
            (known[sa] or make(sa)).encrypt(nonce, view[start:end], associated)
            for sa, nonce, (start, end), associated in zip(
                self._edges[SA, :live].tolist(),
                self._words.nonces(live),
                pairwise(self._edges[PLAIN, : live + 1].tolist()),
                self._words.associated_data(self._edges[EXTENDED, :live], extended),
                strict=True,
            )
        ]

    def _head_parts(self, live: int, head_bytes: int) -> list[bytes]:
        """Heads as bytes; quickly where all have one size, as packets of one kind of tunnel do."""
        if head_bytes:
            same: list[bytes] = (
                self._heads[: live * head_bytes].view(_bytes_dtype(head_bytes)).tolist()
            )
            return same
        edges = self._edges[HEAD, : live + 1].tolist()
        heads = self._heads[: edges[-1]].tobytes()
        return [heads[start:end] for start, end in pairwise(edges)]

    def _resize(self, rows: int = 0, head_bytes: int = 0, plain_bytes: int = 0) -> None:
        """Make scratch: as many rows and bytes as the largest burst so far needed."""
        if rows:
            self._words = Words(rows)
            self._edges = np.zeros((EDGE_ROWS, rows + 1), np.int64)
            self._packets = np.zeros(rows, PACKET)
            self._rows = np.arange(rows, dtype=np.int32)
        if head_bytes:
            self._heads = np.empty(head_bytes, np.uint8)
        if plain_bytes:
            self._plains = np.empty(plain_bytes, np.uint8)
            self._view = self._plains.data


def _result_columns(rows: int) -> Columns:
    return np.empty(rows, np.int64), np.empty(rows, np.int32), np.empty(rows, np.uint8)


@cache
def _bytes_dtype(size: int) -> np.dtype[np.void]:
    """Elements that ``tolist`` makes ``bytes`` of; making the type costs as much as using it."""
    return np.dtype((np.void, size))
