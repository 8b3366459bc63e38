"""Telling ESP from what else comes to an IPsec gateway: IKE, NAT keep-alives, other traffic.

ESP has IP protocol 50 of its own, or shares UDP port 4500 with IKE (RFC 3948). There, IKE is marked
by four zero bytes where ESP has its SPI (§2.2), and a keep-alive is a single byte (§2.3).
"""

from __future__ import annotations

from typing import Final

from saactors.esp.verdict_numbers import (
    CUT_BY_SNAP_LENGTH,
    IKE,
    MALFORMED_ESP,
    MALFORMED_IP,
    NAT_KEEPALIVE,
    NOT_ESP,
    PASSED,
)
from saactors.esp.wire import (
    ESP,
    ESP_HEADER_BYTES,
    UDP,
    UDP_HEADER_BYTES,
    Bytes,
    header_chain,
    ip_length,
    read_u16,
    read_u32,
)
from saactors.model.compiled import compiled

IKE_PORT: Final = 500
NAT_PORT: Final = 4500

_MARKER_BYTES: Final = 4


@compiled
def find_esp(data: Bytes, start: int, end: int) -> tuple[int, int]:
    """Where the ESP header of the IP packet at ``start`` begins, as an offset in ``data``.

    And PASSED; or 0 and why there is none: MALFORMED_IP, OUTER_FRAGMENT, NOT_ESP, IKE,
    NAT_KEEPALIVE, MALFORMED_ESP.
    """
    length = ip_length(data, start, end)
    if length == 0:
        return 0, MALFORMED_IP
    end = start + length
    verdict, _, _, stop, field = header_chain(data, start, end)
    if verdict != PASSED:
        return 0, verdict
    protocol = data[start + field]
    at = start + stop
    if protocol == UDP:
        if at + UDP_HEADER_BYTES > end:
            return 0, MALFORMED_IP
        ports = read_u16(data, at), read_u16(data, at + 2)
        return find_behind_udp(data, at, end, end, ports[0], ports[1])
    if protocol != ESP:
        return 0, NOT_ESP
    return at, PASSED if at + ESP_HEADER_BYTES <= end else MALFORMED_ESP


@compiled
def find_behind_udp(
    data: Bytes, udp: int, end: int, captured_end: int, source_port: int, destination_port: int
) -> tuple[int, int]:
    """The same for a UDP header at ``udp``, of a packet that ends at ``end``.

    What lies behind ``captured_end`` is not there; CUT_BY_SNAP_LENGTH if the ESP header does.
    """
    if IKE_PORT in (source_port, destination_port):
        return 0, IKE
    if NAT_PORT not in (source_port, destination_port):
        return 0, NOT_ESP
    at = udp + UDP_HEADER_BYTES
    if end - at == 1:
        return 0, NAT_KEEPALIVE
    if captured_end - at >= _MARKER_BYTES and read_u32(data, at) == 0:
        return 0, IKE
    if end - at < ESP_HEADER_BYTES:
        return 0, MALFORMED_ESP
    if captured_end - at < ESP_HEADER_BYTES:
        return 0, CUT_BY_SNAP_LENGTH
    return at, PASSED
