"""Nonces and associated data: what a primitive wants besides the packet (RFC 4106 §4, §5).

A strip of 32 bytes per packet, written by compiled code and read as lists of ``bytes``:

    0   nonce: salt (4), IV (8)
    12  associated data with extended sequence number: SPI, high half, low half
    24  associated data without: SPI, low half
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from saactors.esp.wire import ESP_HEADER_BYTES, Bytes, read_u32, write_u32
from saactors.model.compiled import compiled

WORDS_BYTES: Final = 32
_SALT_BYTES: Final = 4
_IV_BYTES: Final = 8
_WORDS: Final = np.dtype(
    {
        "names": ["nonce", "extended", "plain"],
        "formats": ["V12", "V12", "V8"],  # void, because "S" loses zeroes at its end
        "offsets": [0, 12, 24],
        "itemsize": WORDS_BYTES,
    }
)


class Words:
    """The strips of a burst of up to ``rows`` packets."""

    __slots__ = ("_extended", "_nonces", "_plain", "strips")

    def __init__(self, rows: int) -> None:
        self.strips = np.zeros((rows, WORDS_BYTES), np.uint8)
        strips = self.strips.view(_WORDS)[:, 0]
        self._nonces, self._extended = strips["nonce"], strips["extended"]
        self._plain = strips["plain"]

    def __len__(self) -> int:
        return len(self.strips)

    def nonces(self, count: int) -> list[bytes]:
        """Nonces of the first ``count`` packets."""
        nonces: list[bytes] = self._nonces[:count].tolist()
        return nonces

    def associated_data(self, is_extended: npt.NDArray[np.int64], extended: int) -> list[bytes]:
        """Associated data of the first packets, ``extended`` of which have the longer form."""
        count = len(is_extended)
        plain: list[bytes] = self._plain[:count].tolist()
        if not extended:
            return plain
        longer: list[bytes] = self._extended[:count].tolist()
        forms = zip(plain, longer, is_extended.tolist(), strict=True)
        return [long if is_long else short for short, long, is_long in forms]


@compiled
def write_words(strip: Bytes, data: Bytes, esp: int, key: Bytes, high: int) -> None:
    """Fill a packet's strip from its ESP header at ``esp``, the IV behind it and the key's salt."""
    for i in range(_SALT_BYTES):
        strip[i] = key[len(key) - _SALT_BYTES + i]
    for i in range(_IV_BYTES):
        strip[_SALT_BYTES + i] = data[esp + ESP_HEADER_BYTES + i]
    spi, low = read_u32(data, esp), read_u32(data, esp + 4)
    write_u32(strip, 12, spi)
    write_u32(strip, 16, high)
    write_u32(strip, 20, low)
    write_u32(strip, 24, spi)
    write_u32(strip, 28, low)
