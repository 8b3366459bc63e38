"""The security associations as columns: one record per SA, key bytes kept apart.

The table only grows: an index once given stays valid for the whole run, so arrays elsewhere
(metrics, residency, replay windows, sequence counters) are indexed by it. Whoever owns such an
array grows it when a burst says that more SAs exist (``Burst.sa_count``).

Keys live in one array of their own that no record, message, event or repr contains (law 10).
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

KEY_BYTES_MAX: Final = 32
SALT_BYTES: Final = 4

ScalarT = TypeVar("ScalarT", bound=np.generic)

SA: Final = np.dtype(
    [
        ("source_high", "u8"),  # outer addresses, as in PACKET; unused in transport mode
        ("source_low", "u8"),
        ("destination_high", "u8"),
        ("destination_low", "u8"),
        ("spi", "u4"),
        ("source_port", "u2"),  # UDP encapsulation (RFC 3948); 0: none
        ("destination_port", "u2"),
        ("suite", "u1"),  # index in saactors.esp.suites.SUITES
        ("mode", "u1"),  # saactors.model.sa.Mode
        ("outer_version", "u1"),  # 4 or 6 (tunnel mode)
        ("extended_sequence", "u1"),  # 1: 64-bit sequence numbers (ESN)
    ],
    align=True,
)


class Mode(IntEnum):
    """ESP modes (RFC 4303 §3.1). Compiled code compares the numbers."""

    TUNNEL = 0
    TRANSPORT = 1


class SaTable:
    """All SAs of a run, by index.

    ``records`` is a record array of ``SA``; ``keys`` a uint8 array of shape (count, 36): up to 32
    key bytes from the left, the salt in the last 4. Both are replaced when the table grows: read
    them through the table, do not keep them over an ``add``.
    """

    __slots__ = ("_count", "_keys", "_records")

    def __init__(self, capacity: int = 64) -> None:
        self._records = np.zeros(capacity, SA)
        self._keys = np.zeros((capacity, KEY_BYTES_MAX + SALT_BYTES), np.uint8)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __repr__(self) -> str:
        return f"SaTable({self._count} SAs, keys hidden)"

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("an SaTable holds keys and is never pickled")

    @property
    def records(self) -> npt.NDArray[np.void]:
        """Records of the SAs, ``len(self)`` of them."""
        return self._records[: self._count]

    @property
    def keys(self) -> npt.NDArray[np.uint8]:
        """Key material, shape (len(self), 36). Secret."""
        return self._keys[: self._count]

    def add(self, records: npt.NDArray[np.void], keys: npt.NDArray[np.uint8]) -> range:
        """Add SAs and return their indices; ``keys`` has shape (len(records), 36)."""
        first, last = self._count, self._count + len(records)
        self._records = grown(self._records, last)
        self._keys = grown(self._keys, last)
        self._records[first:last] = records
        self._keys[first:last] = keys
        self._count = last
        return range(first, last)


def grown(array: npt.NDArray[ScalarT], rows: int) -> npt.NDArray[ScalarT]:
    """``array`` itself if it has that many rows, else a copy with room to spare, zeroes behind."""
    if rows <= len(array):
        return array
    larger = np.zeros((max(rows, 2 * len(array)), *array.shape[1:]), array.dtype)
    larger[: len(array)] = array
    return larger
