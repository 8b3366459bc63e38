"""Opening: ESP packets in, IP packets out, a burst at a time and no Python object kept per packet.

The mirror of ``seal``: compiled code locates (``open_layout``), one call of the primitive per
packet checks and decrypts, one join and compiled code again take the inner packets out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from cryptography.exceptions import InvalidTag

from saactors.esp.contexts import ContextCache
from saactors.esp.open_layout import (
    CIPHER,
    CIPHER_END,
    EXTENDED,
    HEAD,
    HEAD_END,
    PLAIN,
    PLAIN_END,
    ROW,
    SA,
    SPAN_ROWS,
    locate,
    unwrap,
)
from saactors.esp.suites import SUITE_SIZES, Aead
from saactors.esp.verdict_numbers import ICV_FAILED
from saactors.esp.window import WINDOW_PACKETS
from saactors.esp.words import Words
from saactors.model.packets import PACKET
from saactors.model.sa import SaTable

Job = tuple[Aead, bytes, memoryview, bytes]  # primitive, nonce, ciphertext, associated data


@dataclass(slots=True, eq=False)
class Opened:
    """An opened burst: packet i is ``data[starts[i] : starts[i] + lengths[i]]``.

    It is the inner packet in tunnel mode, and in transport mode the packet as it was before ESP
    and UDP were put in. ``sequences`` has the 64-bit sequence numbers (0 where no ESP header was
    found), ``verdicts`` what became of each; a packet that is not PASSED has length 0.

    The replay window is still to be asked: see ``ReplayWindows``.
    """

    data: npt.NDArray[np.uint8]
    starts: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int32]
    sequences: npt.NDArray[np.uint64]
    verdicts: npt.NDArray[np.uint8]


class Opener:
    """Opens packets of the SAs of a table. ``window_packets`` is the size of the replay windows.

    The size matters for extended sequence numbers, whose high half is inferred from where the
    window stands.
    """

    __slots__ = ("_contexts", "_packets", "_rows", "_sas", "_spans", "_window_packets", "_words")

    def __init__(
        self,
        sas: SaTable,
        contexts: ContextCache | None = None,
        window_packets: int = WINDOW_PACKETS,
    ) -> None:
        self._sas = sas
        self._contexts = ContextCache(sas) if contexts is None else contexts
        assert self._contexts.sas is sas, "contexts of another SA table"
        self._window_packets = window_packets
        self._resize(256)

    def open_packets(
        self,
        data: npt.NDArray[np.uint8],
        packets: npt.NDArray[np.void],
        rows: npt.NDArray[np.int32],
        highest_sequence: npt.NDArray[np.uint64],
    ) -> Opened:
        """Open rows (n,) of ``packets``, a record array of ``PACKET`` over ``data``.

        Of the records it reads ``offset``, ``length_bytes``, ``captured_bytes`` and ``sa``.
        ``highest_sequence`` (n,) is for each row the highest number that its SA has accepted, which
        only extended sequence numbers need (RFC 4303 appendix A2.2).

        Whatever the bytes are, they give a verdict: MALFORMED_IP, OUTER_FRAGMENT,
        CUT_BY_SNAP_LENGTH, NOT_ESP, UNKNOWN_SPI (another SA's), MALFORMED_ESP, ICV_FAILED,
        BAD_PADDING, DUMMY, NO_INNER_PACKET or PASSED.
        """
        count = len(rows)
        starts, lengths = np.zeros(count, np.int64), np.zeros(count, np.int32)
        sequences, verdicts = np.empty(count, np.uint64), np.empty(count, np.uint8)
        if count > len(self._words):
            self._resize(count)
        self._contexts.grow()
        live, extended, transport = locate(
            data,
            packets,
            rows,
            SUITE_SIZES,
            self._sas.records,
            self._sas.keys,
            self._contexts.used,
            highest_sequence,
            self._window_packets,
            self._words.strips,
            self._spans,
            sequences,
            verdicts,
        )
        parts = self._decrypt(data.data, live, extended, verdicts)
        if transport:
            parts = self._with_heads(data.data, parts)
        opened = np.frombuffer(bytearray().join(parts), np.uint8)
        unwrap(opened, self._sas.records, self._spans, live, starts, lengths, verdicts)
        return Opened(opened, starts, lengths, sequences, verdicts)

    def open_burst(
        self,
        data: npt.NDArray[np.uint8],
        starts: npt.NDArray[np.int64],
        lengths: npt.NDArray[np.int32],
        sa: npt.NDArray[np.int32],
        highest_sequence: npt.NDArray[np.uint64],
    ) -> Opened:
        """Open packets given as columns (n,), for callers that have no ``PACKET`` records."""
        if len(starts) > len(self._words):
            self._resize(len(starts))
        packets = self._packets[: len(starts)]
        packets["offset"] = starts
        packets["captured_bytes"] = lengths
        packets["length_bytes"] = lengths
        packets["sa"] = sa
        return self.open_packets(data, packets, self._rows[: len(starts)], highest_sequence)

    def _decrypt(
        self, view: memoryview, live: int, extended: int, verdicts: npt.NDArray[np.uint8]
    ) -> list[bytes | memoryview]:
        """Plaintexts; zeroes in place of one whose ICV is wrong, which gets its verdict.

        A forged packet is an exception of the primitive, so the whole burst is done again one by
        one; a flood of forgeries costs twice.
        """
        try:
            return [
                context.decrypt(nonce, cipher, associated)
                for context, nonce, cipher, associated in self._jobs(view, live, extended)
            ]
        except InvalidTag:
            plains: list[bytes | memoryview] = []
        for number, (context, nonce, cipher, associated) in enumerate(
            self._jobs(view, live, extended)
        ):
            try:
                plains.append(context.decrypt(nonce, cipher, associated))
            except InvalidTag:
                plain, plain_end, row = self._spans[[PLAIN, PLAIN_END, ROW], number].tolist()
                plains.append(bytes(plain_end - plain))
                verdicts[row] = ICV_FAILED
        return plains

    def _jobs(self, view: memoryview, live: int, extended: int) -> Iterator[Job]:
        """Arguments of each call of a primitive."""
        known, make, spans = self._contexts.known, self._contexts.make, self._spans
        ciphers = zip(spans[CIPHER, :live].tolist(), spans[CIPHER_END, :live].tolist(), strict=True)
        return zip(
            [known[sa] or make(sa) for sa in spans[SA, :live].tolist()],
            self._words.nonces(live),
            [view[start:end] for start, end in ciphers],
            self._words.associated_data(spans[EXTENDED, :live], extended),
            strict=True,
        )

    def _with_heads(
        self, view: memoryview, plains: list[bytes | memoryview]
    ) -> list[bytes | memoryview]:
        """IP headers and plaintexts by turns."""
        spans, live = self._spans, len(plains)
        heads = zip(spans[HEAD, :live].tolist(), spans[HEAD_END, :live].tolist(), strict=True)
        parts: list[bytes | memoryview] = [b""] * (2 * live)
        parts[0::2] = [view[start:end] for start, end in heads]
        parts[1::2] = plains
        return parts

    def _resize(self, rows: int) -> None:
        """Make scratch for bursts of so many packets."""
        self._words = Words(rows)
        self._spans = np.zeros((SPAN_ROWS, rows), np.int64)
        self._packets = np.zeros(rows, PACKET)
        self._rows = np.arange(rows, dtype=np.int32)
