"""How large a packet may be so that it still fits the path once it is sealed (RFC 4301 §8.2).

    tunnel      outer IP [UDP] | SPI, sequence | IV | packet, padding, 2 bytes | ICV
    transport   IP [UDP] | SPI, sequence | IV | rest of the packet, padding, 2 bytes | ICV

What is encrypted is a multiple of the suite's alignment, so the answer goes in steps: the largest
multiple that fits, less pad length and next header, and then there is no padding.

TFC padding (RFC 4303 §2.7) does not come in: sealing adds it only as far as the path takes it.
"""

from __future__ import annotations

from typing import Final

from saactors.esp.suites import Suite
from saactors.esp.wire import (
    ESP_HEADER_BYTES,
    ESP_TRAILER_BYTES,
    IPV4_HEADER_BYTES,
    IPV6_HEADER_BYTES,
    LENGTH_MAX,
    UDP_HEADER_BYTES,
)
from saactors.model.sa import Mode

_IP_HEADER_BYTES: Final = {4: IPV4_HEADER_BYTES, 6: IPV6_HEADER_BYTES}


def inner_mtu_bytes(
    suite: Suite, mode: Mode, outer_version: int, in_udp: bool, path_mtu_bytes: int
) -> int:
    """The largest IP packet whose sealed form has at most ``path_mtu_bytes``; 0: none has.

    ``outer_version`` is 4 or 6, of the sealed packet; 0, in transport mode, if it may be either:
    the answer then holds for both. IP headers are without options and extensions; in transport mode
    these stay outside, so they may cost up to a step. ``path_mtu_bytes`` 0 is a path that takes
    what IP's length field can say. The packet itself is no longer than that field can say either.
    """
    versions = (outer_version,) if outer_version else (4, 6)
    return min(_most(suite, mode, version, in_udp, path_mtu_bytes) for version in versions)


def sealed_bytes(
    suite: Suite, mode: Mode, outer_version: int, in_udp: bool, inner_bytes: int
) -> int:
    """How long an IP packet of ``inner_bytes`` is when sealed, without TFC padding."""
    inside = inner_bytes - _unencrypted_header_bytes(mode, outer_version)
    align = suite.align_bytes
    plain = (inside + ESP_TRAILER_BYTES + align - 1) // align * align
    return overhead_bytes(suite, outer_version, in_udp) + plain


def overhead_bytes(suite: Suite, outer_version: int, in_udp: bool) -> int:
    """What stands outside the ciphertext: IP, UDP and ESP headers, IV and ICV."""
    udp_bytes = UDP_HEADER_BYTES if in_udp else 0
    esp_bytes = ESP_HEADER_BYTES + suite.iv_bytes + suite.icv_bytes
    return _IP_HEADER_BYTES[outer_version] + udp_bytes + esp_bytes


def _most(suite: Suite, mode: Mode, version: int, in_udp: bool, path_mtu_bytes: int) -> int:
    longest = LENGTH_MAX + (IPV6_HEADER_BYTES if version == 6 else 0)
    room = min(path_mtu_bytes or longest, longest) - overhead_bytes(suite, version, in_udp)
    inside = room // suite.align_bytes * suite.align_bytes - ESP_TRAILER_BYTES
    if inside < 0:
        return 0
    return min(inside + _unencrypted_header_bytes(mode, version), LENGTH_MAX)


def _unencrypted_header_bytes(mode: Mode, version: int) -> int:
    """How much of the packet stays outside the ciphertext."""
    return _IP_HEADER_BYTES[version] if mode is Mode.TRANSPORT else 0
