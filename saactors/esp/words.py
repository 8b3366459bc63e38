"""Nonces and associated data: what a cipher wants besides the packet (RFC 4106 §4, §5).

A strip of 40 bytes per packet, written by compiled code:

    0   nonce: salt (4), IV (8), block counter 1 (4); or an IV of 16 bytes and nothing else
    16  associated data with extended sequence number: SPI, high half, low half
    28  associated data without: SPI, low half

A salt of three bytes (CCM) ends where one of four does, so its nonce begins one byte later. The
counter is what RFC 3686 §4 puts behind the IV; only CTR looks at it.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from saactors.esp.wire import ESP_HEADER_BYTES, Bytes, read_u32, write_u32
from saactors.model.compiled import compiled

STRIP_BYTES: Final = 40
NONCE_BYTES: Final = 16
EXTENDED_AT: Final = 16
EXTENDED_BYTES: Final = 12
SHORT_AT: Final = 28
SHORT_BYTES: Final = 8
HIGH_AT: Final = EXTENDED_AT + 4  # the high half by itself, which HMACs take last
HIGH_BYTES: Final = 4

_SALT_BYTES: Final = 4
_IV_BYTES: Final = 8
IV_AT: Final = _SALT_BYTES
_COUNTER_AT: Final = IV_AT + _IV_BYTES
_BLOCK_BYTES: Final = 16


@compiled
def write_words(strip: Bytes, data: Bytes, esp: int, sizes: np.void, key: Bytes, high: int) -> None:
    """Fill a packet's strip from its ESP header at ``esp``, the IV behind it and the key's salt."""
    iv = esp + ESP_HEADER_BYTES
    if sizes["iv_bytes"] == _BLOCK_BYTES:
        for i in range(_BLOCK_BYTES):
            strip[i] = data[iv + i]
    elif sizes["iv_bytes"] == _IV_BYTES:
        for i in range(_SALT_BYTES):
            strip[i] = key[len(key) - _SALT_BYTES + i]
        for i in range(_IV_BYTES):
            strip[IV_AT + i] = data[iv + i]
        write_u32(strip, _COUNTER_AT, 1)
    spi, low = read_u32(data, esp), read_u32(data, esp + 4)
    write_u32(strip, EXTENDED_AT, spi)
    write_u32(strip, EXTENDED_AT + 4, high)
    write_u32(strip, EXTENDED_AT + 8, low)
    write_u32(strip, SHORT_AT, spi)
    write_u32(strip, SHORT_AT + 4, low)
