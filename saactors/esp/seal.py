"""Sealing: IP packets in, ESP packets out, a burst at a time and no Python object per packet.

Compiled code lays out everything but the ciphertext (``seal_layout``), then a ``BurstCipher``
encrypts and puts the packets together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from saactors.esp.burst_cipher import BurstCipher, best_cipher
from saactors.esp.outer_headers import write_udp_checksums
from saactors.esp.scratch import Laid, SealScratch
from saactors.esp.seal_layout import NO_ROOM, lay_out, plan_lengths
from saactors.esp.suites import SUITE_SIZES
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

    __slots__ = ("_cipher", "_sas", "_scratch")

    def __init__(self, sas: SaTable, cipher: BurstCipher | None = None) -> None:
        self._sas = sas
        self._cipher = best_cipher(sas) if cipher is None else cipher
        self._scratch = SealScratch()

    def seal_packets(
        self,
        data: npt.NDArray[np.uint8],
        packets: npt.NDArray[np.void],
        rows: npt.NDArray[np.int32],
        *,
        dummies: bool = False,
    ) -> Sealed:
        """Seal rows (n,) of ``packets``, a record array of ``PACKET`` over ``data``.

        Of the records it reads ``offset``, ``length_bytes``, ``captured_bytes``, ``sa`` and
        ``sequence``; what lies between captured and length is zeroes. Verdicts: PACKET_TOO_LONG
        where ESP does not fit a 16-bit length, OUTER_FRAGMENT for a fragment in transport mode (ESP
        protects whole packets there, RFC 4303 §3.3.4), MALFORMED_IP, CUT_BY_SNAP_LENGTH where not
        even the headers were captured, SEQUENCE_ZERO and SEQUENCE_EXHAUSTED for numbers that the
        SA must not send, PACKET_TOO_BIG and HOP_LIMIT_EXCEEDED where an ICMP message is due.

        With ``dummies`` each becomes the payload of a dummy packet (RFC 4303 §2.6), which the other
        end throws away; an SA needs endpoints for that, also in transport mode.
        """
        columns = starts, lengths, verdicts = _result_columns(len(rows))
        scratch, sas = self._scratch, self._sas
        if len(rows) > len(scratch.rows):
            scratch.fit(len(rows))
        while True:
            laid = Laid._make(
                lay_out(
                    data,
                    packets,
                    rows,
                    SUITE_SIZES,
                    sas.records,
                    sas.keys,
                    scratch.strips,
                    scratch.edges,
                    scratch.heads,
                    scratch.plains,
                    *columns,
                    dummies,
                )
            )
            if laid.live != NO_ROOM:
                break
            scratch.enlarge()
        sealed = self._cipher.encrypt(scratch, laid)
        if laid.checksums:
            write_udp_checksums(sealed, starts, lengths)
        return Sealed(sealed, starts, lengths, verdicts)

    def forget(self, sa: int) -> None:
        """Forget what was made of an SA's keys: its place in the table is wiped."""
        self._cipher.forget(sa)

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
        if len(starts) > len(self._scratch.rows):
            self._scratch.fit(len(starts))
        packets = self._scratch.packets[: len(starts)]
        packets["offset"] = starts
        packets["captured_bytes"] = captured
        packets["length_bytes"] = lengths
        packets["sa"] = sa
        packets["sequence"] = sequence
        return self.seal_packets(data, packets, self._scratch.rows[: len(starts)])

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


def _result_columns(rows: int) -> Columns:
    return np.empty(rows, np.int64), np.empty(rows, np.int32), np.empty(rows, np.uint8)
