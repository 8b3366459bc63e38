"""Opening: ESP packets in, IP packets out, a burst at a time and no Python object per packet.

The mirror of ``seal``: compiled code locates everything (``open_layout``), a ``BurstCipher`` checks
and decrypts, and compiled code again takes the inner packets out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from saactors.esp.burst_cipher import BurstCipher, best_cipher
from saactors.esp.open_layout import locate, unwrap
from saactors.esp.scratch import Located, OpenScratch
from saactors.esp.suites import SUITE_SIZES
from saactors.esp.window import WINDOW_PACKETS
from saactors.model.sa import SaTable


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

    __slots__ = ("_cipher", "_sas", "_scratch", "_window_packets")

    def __init__(
        self,
        sas: SaTable,
        cipher: BurstCipher | None = None,
        window_packets: int = WINDOW_PACKETS,
    ) -> None:
        self._sas = sas
        self._cipher = best_cipher(sas) if cipher is None else cipher
        self._window_packets = window_packets
        self._scratch = OpenScratch()

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
        scratch, sas = self._scratch, self._sas
        if count > len(scratch.rows):
            scratch.fit(count)
        located = Located._make(
            locate(
                data,
                packets,
                rows,
                SUITE_SIZES,
                sas.records,
                sas.keys,
                highest_sequence,
                self._window_packets,
                scratch.strips,
                scratch.spans,
                sequences,
                verdicts,
            )
        )
        opened = self._cipher.decrypt(data, scratch, located, verdicts)
        unwrap(opened, sas.records, scratch.spans, located.live, starts, lengths, verdicts)
        return Opened(opened, starts, lengths, sequences, verdicts)

    def forget(self, sa: int) -> None:
        """Forget what was made of an SA's keys: its place in the table is wiped."""
        self._cipher.forget(sa)

    def open_burst(
        self,
        data: npt.NDArray[np.uint8],
        starts: npt.NDArray[np.int64],
        lengths: npt.NDArray[np.int32],
        sa: npt.NDArray[np.int32],
        highest_sequence: npt.NDArray[np.uint64],
    ) -> Opened:
        """Open packets given as columns (n,), for callers that have no ``PACKET`` records."""
        if len(starts) > len(self._scratch.rows):
            self._scratch.fit(len(starts))
        packets = self._scratch.packets[: len(starts)]
        packets["offset"] = starts
        packets["captured_bytes"] = lengths
        packets["length_bytes"] = lengths
        packets["sa"] = sa
        return self.open_packets(data, packets, self._scratch.rows[: len(starts)], highest_sequence)
