"""Nonces and associated data: what a cipher wants besides the packet (RFC 4106 §4, §5).

A strip of 32 bytes per packet, written by compiled code:

    0   nonce: salt (4), IV (8)
    12  associated data with extended sequence number: SPI, high half, low half
    24  associated data without: SPI, low half
"""

from __future__ import annotations

from typing import Final

from saactors.esp.wire import ESP_HEADER_BYTES, Bytes, read_u32, write_u32
from saactors.model.compiled import compiled

STRIP_BYTES: Final = 32
NONCE_BYTES: Final = 12
EXTENDED_AT: Final = 12
EXTENDED_BYTES: Final = 12
SHORT_AT: Final = 24
SHORT_BYTES: Final = 8

_SALT_BYTES: Final = 4
_IV_BYTES: Final = 8


@compiled
def write_words(strip: Bytes, data: Bytes, esp: int, key: Bytes, high: int) -> None:
    """Fill a packet's strip from its ESP header at ``esp``, the IV behind it and the key's salt."""
    for i in range(_SALT_BYTES):
        strip[i] = key[len(key) - _SALT_BYTES + i]
    for i in range(_IV_BYTES):
        strip[_SALT_BYTES + i] = data[esp + ESP_HEADER_BYTES + i]
    spi, low = read_u32(data, esp), read_u32(data, esp + 4)
    write_u32(strip, EXTENDED_AT, spi)
    write_u32(strip, EXTENDED_AT + 4, high)
    write_u32(strip, EXTENDED_AT + 8, low)
    write_u32(strip, SHORT_AT, spi)
    write_u32(strip, SHORT_AT + 4, low)
