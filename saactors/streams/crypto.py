"""Crypto for a share of a burst: the rows' columns into ``saactors.esp`` and its answer back.

Software and card call the same functions: on either side the packets come out the same, whoever
made them. Each component has contexts of its own, as each would hold keys of its own.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt
from numba import njit

from saactors.esp.open import Opener
from saactors.esp.seal import Sealer
from saactors.esp.window import ReplayWindows
from saactors.model.burst import Component, Finished, Share
from saactors.model.compiled import compiled
from saactors.model.sa import SaTable
from saactors.model.verdicts import Verdict

_PASSED = int(Verdict.PASSED)


class Crypto(Protocol):
    """What a component does to a share."""

    def process(self, share: Share, component: Component) -> Finished:
        """Process every row of the share; what fails carries its verdict afterwards."""
        ...


class Sealing:
    """Outbound: ESP around every packet; or only its length, if ``real`` is not wanted."""

    def __init__(self, sas: SaTable, *, real: bool = True) -> None:
        self._sealer = Sealer(sas)
        self._real = real

    def forget(self, sa: int) -> None:
        """Forget what was made of an SA's keys."""
        self._sealer.forget(sa)

    def process(self, share: Share, component: Component) -> Finished:
        """Seal every row of the share."""
        burst, rows = share.burst, share.rows
        data: npt.NDArray[np.uint8] | None = None
        if self._real:
            sealed = self._sealer.seal_packets(burst.data, burst.packets, rows)
            data, starts, lengths = sealed.data, sealed.starts, sealed.lengths
            verdicts = sealed.verdicts
        else:
            starts, lengths, verdicts = self._sealer.sealed_lengths(burst.data, burst.packets, rows)
        _note_verdicts(burst.packets, rows, verdicts)
        return Finished(burst, rows, component, data, starts, lengths)


class Opening:
    """Inbound: the inner packet out of every ESP packet; or as it is, if ``real`` is not wanted.

    ``windows`` belong to the egress; here only the highest authenticated sequence number is read.
    """

    def __init__(self, sas: SaTable, windows: ReplayWindows, *, real: bool = True) -> None:
        self._opener = Opener(sas)
        self._windows = windows
        self._real = real

    def forget(self, sa: int) -> None:
        """Forget what was made of an SA's keys."""
        self._opener.forget(sa)

    def process(self, share: Share, component: Component) -> Finished:
        """Open every row of the share; failures carry their verdict, others their sequence."""
        burst, rows = share.burst, share.rows
        starts, lengths, sa = _columns(burst.packets, rows)
        if not self._real:
            return Finished(burst, rows, component, None, starts, lengths)
        self._windows.grow(burst.sa_count)
        highest = self._windows.highest(sa)
        opened = self._opener.open_packets(burst.data, burst.packets, rows, highest)
        _note_verdicts(burst.packets, rows, opened.verdicts)
        _note_sequences(burst.packets, rows, opened.sequences)
        return Finished(burst, rows, component, opened.data, opened.starts, opened.lengths)


def flip_bits(
    finished: Finished, rows: npt.NDArray[np.int32], bits: npt.NDArray[np.int32]
) -> Finished:
    """The share with one bit flipped in the packets of these rows, as a faulty card would."""
    if not len(rows) or finished.data is None:
        return finished
    data = np.frombuffer(finished.data, np.uint8).copy()
    for row, bit in zip(rows, bits, strict=True):
        position = int(np.flatnonzero(finished.rows == row)[0])
        length = int(finished.lengths[position])
        if length:
            at = int(finished.starts[position]) + int(bit) // 8 % length
            data[at] ^= np.uint8(1 << int(bit) % 8)
    return Finished(
        finished.burst,
        finished.rows,
        finished.component,
        data,
        finished.starts,
        finished.lengths,
    )


def card_columns(share: Share) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """SA and length in bytes of every row: what the card is told of packets."""
    sa = np.empty(len(share.rows), np.int32)
    lengths = np.empty(len(share.rows), np.int32)
    _fill_card_columns(share.burst.packets, share.rows, sa, lengths)
    return sa, lengths


def bytes_of(share: Share) -> int:
    """Bytes of all rows together, as on the wire."""
    return int(_bytes(share.burst.packets, share.rows))


@compiled
def _fill_card_columns(
    packets: npt.NDArray[np.void],
    rows: npt.NDArray[np.int32],
    sa: npt.NDArray[np.int32],
    lengths: npt.NDArray[np.int32],
) -> None:
    for position in range(len(rows)):
        packet = packets[rows[position]]
        sa[position], lengths[position] = packet.sa, packet.length_bytes


@compiled
def _bytes(packets: npt.NDArray[np.void], rows: npt.NDArray[np.int32]) -> int:
    total = 0
    for row in rows:
        total += packets[row].length_bytes
    return total


@njit(cache=True)
def _columns(
    packets: npt.NDArray[np.void], rows: npt.NDArray[np.int32]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Offset, length and SA of the rows."""
    starts = np.empty(len(rows), np.int64)
    lengths = np.empty(len(rows), np.int32)
    sa = np.empty(len(rows), np.int32)
    for position in range(len(rows)):
        packet = packets[rows[position]]
        starts[position] = packet.offset
        lengths[position] = packet.length_bytes
        sa[position] = packet.sa
    return starts, lengths, sa


@compiled
def _note_verdicts(
    packets: npt.NDArray[np.void], rows: npt.NDArray[np.int32], verdict: npt.NDArray[np.uint8]
) -> None:
    for position in range(len(rows)):
        if verdict[position] != _PASSED:
            packets[rows[position]].verdict = verdict[position]


@compiled
def _note_sequences(
    packets: npt.NDArray[np.void], rows: npt.NDArray[np.int32], sequence: npt.NDArray[np.uint64]
) -> None:
    for position in range(len(rows)):
        packets[rows[position]].sequence = sequence[position]
