"""Inbound: from an ESP packet to its SA by SPI and destination address (RFC 4301 §4.1).

What is not ESP is told apart by name: IKE (UDP port 500, or port 4500 with the non-ESP marker of
RFC 3948 §2.2), NAT keep-alives (§2.3), other traffic, fragments that would have to be reassembled
first, SPIs that nobody knows, and SPIs whose suite is not implemented.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

from saactors.model.burst import Burst
from saactors.model.packets import NO_SA
from saactors.model.sa import SaTable
from saactors.model.verdicts import Verdict

KNOWN_SPI: Final = np.dtype(
    [
        ("destination_high", "u8"),
        ("destination_low", "u8"),
        ("spi", "u4"),
        ("sa", "i4"),  # UNSUPPORTED where the suite is not implemented
        ("any_destination", "u1"),
    ],
    align=True,
)
UNSUPPORTED: Final = -2

_ESP: Final = 50
_UDP: Final = 17
_IKE_PORT: Final = 500
_NAT_PORT: Final = 4500
_UDP_HEADER_BYTES: Final = 8
_ESP_HEADER_BYTES: Final = 8
_MARKER_BYTES: Final = 4

_PASSED: Final = int(Verdict.PASSED)
_CUT: Final = int(Verdict.CUT_BY_SNAP_LENGTH)
_NOT_ESP: Final = int(Verdict.NOT_ESP)
_IKE: Final = int(Verdict.IKE)
_KEEPALIVE: Final = int(Verdict.NAT_KEEPALIVE)
_MALFORMED: Final = int(Verdict.MALFORMED_ESP)
_UNKNOWN_SPI: Final = int(Verdict.UNKNOWN_SPI)
_UNSUPPORTED: Final = int(Verdict.UNSUPPORTED_SUITE)
_FRAGMENT: Final = int(Verdict.OUTER_FRAGMENT)


class InboundClassifier:
    """Classifies bursts in place: writes ``sa``, ``order``, ``esp_offset`` and ``verdict``.

    ``known`` is a record array of KNOWN_SPI; an entry for one destination goes before one for any.
    """

    def __init__(self, known: npt.NDArray[np.void], sas: SaTable) -> None:
        self._sas = sas
        self._known = np.sort(known, order=["spi", "any_destination"])
        self._spis = np.ascontiguousarray(self._known["spi"])
        self._orders = np.zeros(max(len(sas), 1), np.int64)

    def classify(self, burst: Burst) -> range:
        """Classify a burst; no SA is ever made for an inbound packet, so the range is empty."""
        _classify(burst.packets, burst.data, self._known, self._spis, self._orders)
        burst.sa_count = len(self._sas)
        return range(0)


@njit(cache=True)
def _classify(
    packets: npt.NDArray[np.void],
    data: npt.NDArray[np.uint8],
    known: npt.NDArray[np.void],
    spis: npt.NDArray[np.uint32],
    orders: npt.NDArray[np.int64],
) -> None:
    for row in range(len(packets)):
        packet = packets[row]
        packet.sa = NO_SA
        packet.order = -1
        if packet.verdict != _PASSED:
            continue
        offset, packet.verdict = _esp_offset(packet, data)
        if packet.verdict != _PASSED:
            continue
        packet.esp_offset = offset
        if packet.captured_bytes < packet.length_bytes:
            packet.verdict = _CUT
            continue
        sa = _sa_of(_word(data, packet.offset + offset), packet, known, spis)
        if sa == NO_SA:
            packet.verdict = _UNKNOWN_SPI
        elif sa == UNSUPPORTED:
            packet.verdict = _UNSUPPORTED
        else:
            packet.sa = sa
            packet.order = orders[sa]
            orders[sa] += 1


@njit(cache=True)
def _esp_offset(packet: np.record, data: npt.NDArray[np.uint8]) -> tuple[int, int]:
    """Where the ESP header begins, from the IP header; and PASSED, or why there is none."""
    offset = int(packet.transport_offset)
    if packet.protocol not in (_ESP, _UDP):
        return 0, _NOT_ESP
    if packet.fragment:
        return 0, _FRAGMENT
    if packet.protocol == _UDP:
        ports = packet.source_port, packet.destination_port
        if ports[0] == _IKE_PORT or ports[1] == _IKE_PORT:
            return 0, _IKE
        if ports[0] != _NAT_PORT and ports[1] != _NAT_PORT:
            return 0, _NOT_ESP
        offset += _UDP_HEADER_BYTES
        if packet.length_bytes - offset == 1:
            return 0, _KEEPALIVE
        if packet.captured_bytes - offset >= _MARKER_BYTES and (
            _word(data, packet.offset + offset) == 0
        ):
            return 0, _IKE
    if packet.length_bytes - offset < _ESP_HEADER_BYTES:
        return 0, _MALFORMED
    if packet.captured_bytes - offset < _ESP_HEADER_BYTES:
        return 0, _CUT
    return offset, _PASSED


@njit(cache=True)
def _sa_of(
    spi: int, packet: np.record, known: npt.NDArray[np.void], spis: npt.NDArray[np.uint32]
) -> int:
    place = np.searchsorted(spis, np.uint32(spi))
    while place < len(known) and known[place].spi == spi:
        candidate = known[place]
        if candidate.any_destination or (
            candidate.destination_low == packet.destination_low
            and candidate.destination_high == packet.destination_high
        ):
            return int(candidate.sa)
        place += 1
    return NO_SA


@njit(cache=True)
def _word(data: npt.NDArray[np.uint8], at: int) -> int:
    return (
        (int(data[at]) << 24)
        | (int(data[at + 1]) << 16)
        | (int(data[at + 2]) << 8)
        | int(data[at + 3])
    )
