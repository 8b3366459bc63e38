"""Replay windows (RFC 4303 §3.4.3): which sequence numbers an SA has taken already.

A window of W packets reaches from the highest number accepted so far, H, down to H - W + 1. A
number above it moves the window; one inside it is taken once; one below it is too old to tell.

The memory of what was taken is a ring of 64-bit words (RFC 6479): number s has bit s mod 64 of word
(s div 64) mod words. Moving the window up clears whole words and never shifts, whatever its size.
The ring has one word more than the window needs, so that a word that is cleared for the numbers
above H holds none that the window still covers:

    words:   |  k-2  |  k-1  |   k   |        W = 128, three words in the ring
    window:      [···················H]       bits of word k above H are clear
    H moves into word k+1: it lies where k-2 lay, all of which is now below the window

Check a packet only after its ICV: a forged packet must not move the window. An authentic one does,
also where it is not passed on for another reason (a dummy, say): it has been received.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from saactors.errors import ParameterError
from saactors.esp.verdict_numbers import (
    BAD_PADDING,
    CONGESTION_ON_NOT_ECT,
    DUMMY,
    HOP_LIMIT_EXCEEDED,
    NO_INNER_PACKET,
    PASSED,
    REPLAYED,
    SEQUENCE_ZERO,
    TOO_OLD,
)
from saactors.model.compiled import compiled
from saactors.model.sa import grown

WINDOW_PACKETS: Final = 128
"""Default size: twice what RFC 4303 §3.4.3 prefers, and what strongSwan's user-space ESP uses."""

WINDOW_PACKETS_MAX: Final = 4096

_WORD_BITS: Final = 64
_AUTHENTIC: Final = (
    PASSED,
    DUMMY,
    BAD_PADDING,
    NO_INNER_PACKET,
    CONGESTION_ON_NOT_ECT,
    HOP_LIMIT_EXCEEDED,
)
"""What is found out about a packet only after its ICV was right."""


class ReplayWindows:
    """The windows of all SAs as columns; 32 bytes per SA at the default size.

    One owner writes them, in the order in which packets arrived.
    """

    __slots__ = ("_bitmaps", "_highest", "window_packets")

    def __init__(self, window_packets: int = WINDOW_PACKETS) -> None:
        if not 1 <= window_packets <= WINDOW_PACKETS_MAX:
            expected = f"1 to {WINDOW_PACKETS_MAX} packets"
            raise ParameterError("window_packets", window_packets, expected)
        words = -(-window_packets // _WORD_BITS) + 1
        self.window_packets = window_packets
        self._highest = np.zeros(0, np.uint64)
        self._bitmaps = np.zeros((0, words), np.uint64)

    def __repr__(self) -> str:
        return f"ReplayWindows({self.window_packets} packets, room for {len(self._highest)} SAs)"

    def grow(self, sa_count: int) -> None:
        """Have windows for SAs 0 to ``sa_count - 1``; new ones have accepted nothing yet."""
        if sa_count > len(self._highest):
            self._highest = grown(self._highest, sa_count)
            self._bitmaps = grown(self._bitmaps, sa_count)

    def resume(self, sa: int, highest: int) -> None:
        """Start an SA's window as if ``highest`` and all numbers below it had been taken.

        For an SA that was in use before the run: without it, extended numbers beyond 2³² could not
        be inferred.
        """
        self.grow(sa + 1)
        self._highest[sa] = highest
        self._bitmaps[sa] = np.iinfo(np.uint64).max
        taken_in_word = highest % _WORD_BITS + 1
        word = highest // _WORD_BITS % self._bitmaps.shape[1]
        self._bitmaps[sa, word] = (1 << taken_in_word) - 1

    def forget(self, sa: int) -> None:
        """Let an SA's window be as if it had accepted nothing yet."""
        if sa < len(self._highest):
            self._highest[sa] = 0
            self._bitmaps[sa] = 0

    def highest(self, sa: npt.NDArray[np.int32]) -> npt.NDArray[np.uint64]:
        """Highest number accepted so far, for each SA named; 0 for one that has accepted none."""
        return self._highest[sa]

    def check_and_update(
        self,
        sa: npt.NDArray[np.int32],
        sequence: npt.NDArray[np.uint64],
        verdict: npt.NDArray[np.uint8],
    ) -> None:
        """Judge the rows that are authentic, in order, and write the verdicts of the refused.

        A row that is not refused has moved or marked its window and keeps its verdict; the others
        (SEQUENCE_ZERO, REPLAYED, TOO_OLD) have changed nothing. All columns have shape (n,); every
        SA has its window (see ``grow``).
        """
        _check_and_update(self._highest, self._bitmaps, self.window_packets, sa, sequence, verdict)


@compiled
def _check_and_update(
    highest: npt.NDArray[np.uint64],
    bitmaps: npt.NDArray[np.uint64],
    window_packets: int,
    sas: npt.NDArray[np.int32],
    sequences: npt.NDArray[np.uint64],
    verdicts: npt.NDArray[np.uint8],
) -> None:
    for row in range(len(sas)):
        if verdicts[row] in _AUTHENTIC:
            sa = sas[row]
            refusal = _take(highest, bitmaps[sa], sa, window_packets, sequences[row])
            if refusal != PASSED:
                verdicts[row] = refusal


@compiled
def _take(
    highest: npt.NDArray[np.uint64],
    bitmap: npt.NDArray[np.uint64],
    sa: int,
    window_packets: int,
    sequence: np.uint64,
) -> int:
    """Verdict on one number. All arithmetic is unsigned: mixed signs make a float in Numba."""
    word_bits = np.uint64(_WORD_BITS)
    words = np.uint64(len(bitmap))
    if sequence == np.uint64(0):
        return SEQUENCE_ZERO
    word = sequence // word_bits
    bit = np.uint64(1) << (sequence % word_bits)
    if sequence > highest[sa]:
        _clear_words(bitmap, highest[sa] // word_bits, word)
        highest[sa] = sequence
    elif highest[sa] - sequence >= np.uint64(window_packets):
        return TOO_OLD
    elif bitmap[word % words] & bit != np.uint64(0):
        return REPLAYED
    bitmap[word % words] |= bit
    return PASSED


@compiled
def _clear_words(bitmap: npt.NDArray[np.uint64], old: np.uint64, new: np.uint64) -> None:
    """Forget what the words after ``old`` up to ``new`` held a turn of the ring ago."""
    words = np.uint64(len(bitmap))
    steps = min(new - old, words)
    for step in range(steps):
        bitmap[(new - np.uint64(step)) % words] = np.uint64(0)
