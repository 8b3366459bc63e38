"""IP packets and SAs for fuzz targets, made by hand and the same in every run.

The keys come from a small number that stands here: they protect nothing.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any, Final

from saactors.esp.association import Association
from saactors.esp.ip_packet import with_ipv4_checksum
from saactors.esp.keys import derive_integrity_keys, derive_keys
from saactors.esp.suites import SUITE_NUMBERS, SUITES
from saactors.model.sa import Mode

V4: Final = ("192.0.2.1", "198.51.100.2")
V6: Final = ("2001:db8::1", "2001:db8:ffff::2")

_SEED: Final = 7
_FIRST_SPI: Final = 0x1001


def ipv4(
    payload: bytes, protocol: int = 17, *, word: int = 0, options: bytes = b"", tos: int = 0
) -> bytes:
    """An IPv4 packet; ``word`` has flags and fragment offset."""
    size = 20 + len(options)
    header = struct.pack(
        "!BBHHHBBH", 0x40 | size // 4, tos, size + len(payload), 0x1234, word, 63, protocol, 0
    )
    ends = ip_address(V4[0]).packed + ip_address(V4[1]).packed
    return with_ipv4_checksum(header + ends + options) + payload


def ipv6(payload: bytes, protocol: int = 17, *, chain: Sequence[tuple[int, bytes]] = ()) -> bytes:
    """An IPv6 packet; ``chain`` has the extension headers, without their next-header octets."""
    kinds = [kind for kind, _ in chain] + [protocol]
    extensions = b"".join(
        bytes([after]) + body for (_, body), after in zip(chain, kinds[1:], strict=True)
    )
    header = struct.pack("!IHBB", 6 << 28, len(extensions) + len(payload), kinds[0], 63)
    ends = ip_address(V6[0]).packed + ip_address(V6[1]).packed
    return header + ends + extensions + payload


def udp(payload: bytes, source: int = 4000, destination: int = 53) -> bytes:
    """A UDP datagram without a checksum."""
    return struct.pack("!HHHH", source, destination, 8 + len(payload), 0) + payload


def association(number: int, suite: str, **fields: Any) -> Association:  # noqa: ANN401 - of any type
    """The SA with that number, between endpoints of a ``version``; 0: it states none."""
    sizes = SUITES[SUITE_NUMBERS[suite]]
    row = derive_keys(_SEED, number, 1)[0].tobytes()
    key = row[: sizes.key_bytes] + row[len(row) - sizes.salt_bytes :]
    integrity_key = derive_integrity_keys(_SEED, number, 1)[0].tobytes()
    ends = {0: (None, None), 4: V4, 6: V6}[fields.pop("version", 4)]
    source, destination = (None if end is None else ip_address(end) for end in ends)
    return Association(
        spi=_FIRST_SPI + number,
        suite=suite,
        key=key,
        integrity_key=integrity_key[: sizes.integrity_key_bytes],
        source=source,
        destination=destination,
        **{"mode": Mode.TUNNEL} | fields,
    )


PLAIN: Final = (
    ipv4(udp(b"a packet of IPv4")),
    ipv4(udp(b"with options and a mark"), options=b"\x94\x04\0\0\x01\x01\0\0", tos=2),
    ipv6(udp(b"a packet of IPv6")),
    ipv6(udp(b"behind headers"), chain=[(0, b"\0" * 7), (43, b"\0" * 7), (60, b"\0" * 7)]),
    ipv6(udp(b"whole, but with a header for pieces"), chain=[(44, bytes(7))]),
)
"""Packets of every kind of header that is told from others."""

FRAGMENTS: Final = (
    ipv4(bytes(16), word=0x2000),
    ipv4(bytes(5), word=0x0002),
    ipv6(bytes(16), chain=[(44, b"\0\0\1\0\0\0\7")]),
    ipv6(bytes(5), chain=[(44, b"\0\0\x10\0\0\0\7")]),
)
