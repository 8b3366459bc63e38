"""The security associations as columns: one record per SA, key bytes kept apart.

The table only grows: an index once given stays valid for the whole run, so arrays elsewhere
(metrics, residency, replay windows, sequence counters) are indexed by it. Whoever owns such an
array grows it when a burst says that more SAs exist (``Burst.sa_count``). A process that lives
longer than its SAs wipes those that are gone and puts others in their places (``saactors.gateway``
sees to it that nothing of the old one is under way then).

Keys live in arrays of their own that no record, message, event or repr contains (law 10). Most SAs
have one key, for encryption and integrity at once; the second one of the others is kept apart, so
that it costs nothing where there is none.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

KEY_BYTES_MAX: Final = 32
SALT_BYTES: Final = 4
INTEGRITY_KEY_BYTES_MAX: Final = 64

NO_INTEGRITY_KEY: Final = -1

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
        ("integrity_row", "i4"),  # of SaTable.integrity_keys; written by the table
        # How a tunnel's outer header is made; zeroes are the usual way (saactors.esp.header_rules).
        ("dscp", "u1"),
        ("ecn", "u1"),
        ("dont_fragment", "u1"),
        ("flow_label", "u1"),
        ("hop_limit", "u1"),
        ("forwards", "u1"),  # 1: the inner hop limit is lowered on the way
        ("tfc_bytes", "u2"),  # payloads are filled up to this size (RFC 4303 §2.7)
        ("path_mtu_bytes", "u2"),  # no sealed packet is longer; 0: no limit but IP's
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
    key bytes from the left, the salt in the last 4, ending where the row ends;
    ``integrity_keys`` one of shape (m, 64), its row of an SA in ``records["integrity_row"]``. All
    are replaced when the table grows: read them through the table, do not keep them over an
    ``add``.
    """

    __slots__ = ("_count", "_integrity_count", "_integrity_keys", "_keys", "_records")

    def __init__(self, capacity: int = 64) -> None:
        self._records = np.zeros(capacity, SA)
        self._keys = np.zeros((capacity, KEY_BYTES_MAX + SALT_BYTES), np.uint8)
        self._integrity_keys = np.zeros((0, INTEGRITY_KEY_BYTES_MAX), np.uint8)
        self._count = self._integrity_count = 0

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

    @property
    def integrity_keys(self) -> npt.NDArray[np.uint8]:
        """Second keys, shape (m, 64), from the left. Secret."""
        return self._integrity_keys[: self._integrity_count]

    def add(
        self,
        records: npt.NDArray[np.void],
        keys: npt.NDArray[np.uint8],
        integrity_keys: npt.NDArray[np.uint8] | None = None,
    ) -> range:
        """Add SAs and return their indices.

        ``keys`` has shape (len(records), 36); ``integrity_keys`` (len(records), 64), or is None if
        none of these SAs has a second key.
        """
        first, last = self._count, self._count + len(records)
        self._records = grown(self._records, last)
        self._keys = grown(self._keys, last)
        self._records[first:last] = records
        self._keys[first:last] = keys
        self._records["integrity_row"][first:last] = NO_INTEGRITY_KEY
        self._count = last
        if integrity_keys is not None and len(records):
            self._add_integrity_keys(range(first, last), integrity_keys)
        return range(first, last)

    def spi_of(self, sa: int) -> int:
        """The SPI of an SA."""
        return int(self._records["spi"][sa])

    def replace(
        self,
        sa: int,
        record: npt.NDArray[np.void],
        key: npt.NDArray[np.uint8],
        integrity_key: npt.NDArray[np.uint8] | None = None,
    ) -> None:
        """Put another SA in the place of a wiped one; arguments as for ``add``, one row each."""
        row = int(self._records["integrity_row"][sa])
        self._records[sa] = record[0]
        self._records["integrity_row"][sa] = row
        self._keys[sa] = key[0]
        if integrity_key is None:
            return
        if row == NO_INTEGRITY_KEY:
            self._add_integrity_keys(range(sa, sa + 1), integrity_key)
        else:
            self._integrity_keys[row] = integrity_key[0]

    def wipe(self, sa: int) -> None:
        """Forget an SA and overwrite its keys; its index may be used again by ``replace``."""
        row = int(self._records["integrity_row"][sa])
        self._records[sa] = np.zeros((), SA)
        self._records["integrity_row"][sa] = row  # the place of a second key is kept for the next
        self._keys[sa] = 0
        if row != NO_INTEGRITY_KEY:
            self._integrity_keys[row] = 0

    def _add_integrity_keys(self, sas: range, keys: npt.NDArray[np.uint8]) -> None:
        first, last = self._integrity_count, self._integrity_count + len(sas)
        self._integrity_keys = grown(self._integrity_keys, last)
        self._integrity_keys[first:last] = keys
        self._records["integrity_row"][sas.start : sas.stop] = np.arange(first, last)
        self._integrity_count = last


def grown(array: npt.NDArray[ScalarT], rows: int) -> npt.NDArray[ScalarT]:
    """``array`` itself if it has that many rows, else a copy with room to spare, zeroes behind."""
    if rows <= len(array):
        return array
    larger = np.zeros((max(rows, 2 * len(array)), *array.shape[1:]), array.dtype)
    larger[: len(array)] = array
    return larger
