"""Inbound: from an ESP packet to its SA by SPI and destination address (RFC 4301 §4.1).

What is not ESP is told apart by name: IKE (UDP port 500, or port 4500 with the non-ESP marker of
RFC 3948 §2.2), NAT keep-alives (§2.3), other traffic, fragments that would have to be reassembled
first, SPIs that nobody knows, and SPIs whose suite is not implemented.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

from saactors.model.burst import Burst
from saactors.model.packets import NO_SA
from saactors.model.sa import SaTable, grown
from saactors.model.verdicts import Verdict
from saactors.streams.sa_maker import address_of

KNOWN_SPI: Final = np.dtype(
    [
        ("source_high", "u8"),
        ("source_low", "u8"),
        ("destination_high", "u8"),
        ("destination_low", "u8"),
        ("spi", "u4"),
        ("sa", "i4"),  # or UNSUPPORTED, or NO_SA for a combination that nobody knows
    ],
    align=True,
)
UNSUPPORTED: Final = -2

# Combinations of addresses and SPI that are remembered before those that nobody knows are asked for
# anew: a flood of invented SPIs must not grow memory (law 9). An SA is never forgotten: it would
# come back with an empty replay window.
REMEMBERED_MAX: Final = 1 << 18

# (IP version, source, destination, SPI) → index of the SA, UNSUPPORTED or NO_SA.
Resolver = Callable[[int, str, str, int], int]

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

    ``resolve`` finds the SA of an SPI between two addresses, and may add it to ``sas``; it is asked
    once per combination.
    """

    def __init__(self, resolve: Resolver, sas: SaTable) -> None:
        self._resolve = resolve
        self._sas = sas
        self._known = np.zeros(0, KNOWN_SPI)
        self._spis = np.zeros(0, np.uint32)
        self._orders = np.zeros(64, np.int64)

    def classify(self, burst: Burst) -> range:
        """Classify a burst; returns the indices of the SAs that were added for it."""
        first = len(self._sas)
        start = 0
        while True:
            start = _classify(
                burst.packets, burst.data, self._known, self._spis, self._orders, start
            )
            if start == len(burst.packets):
                break
            self._learn(burst, start)
        burst.sa_count = len(self._sas)
        return range(first, burst.sa_count)

    def _learn(self, burst: Burst, row: int) -> None:
        """Find out about the combination that packet ``row`` is the first to have."""
        packet = burst.packets[row]
        entry = np.zeros(1, KNOWN_SPI)
        for name in ("source_high", "source_low", "destination_high", "destination_low"):
            entry[name] = packet[name]
        source = address_of(int(packet["source_high"]), int(packet["source_low"]))
        destination = address_of(int(packet["destination_high"]), int(packet["destination_low"]))
        spi = int(_word(burst.data, packet["offset"] + packet["esp_offset"]))
        entry["spi"] = spi
        entry["sa"] = self._resolve(int(packet["ip_version"]), str(source), str(destination), spi)
        if len(self._known) >= REMEMBERED_MAX:
            self._known = self._known[self._known["sa"] >= 0]
        place = int(np.searchsorted(self._known["spi"], np.uint32(spi)))
        self._known = np.insert(self._known, place, entry)
        self._spis = np.ascontiguousarray(self._known["spi"])
        self._orders = grown(self._orders, len(self._sas))


@njit(cache=True)
def _classify(
    packets: npt.NDArray[np.void],
    data: npt.NDArray[np.uint8],
    known: npt.NDArray[np.void],
    spis: npt.NDArray[np.uint32],
    orders: npt.NDArray[np.int64],
    start: int,
) -> int:
    """Classify from row ``start`` on; returns the row that has to be learnt first, or the end."""
    for row in range(start, len(packets)):
        packet = packets[row]
        packet.sa = NO_SA
        packet.order = -1
        if packet.verdict != _PASSED:
            continue
        offset, verdict = _esp_offset(packet, data)
        if verdict != _PASSED:
            packet.verdict = verdict
            continue
        packet.esp_offset = offset
        if packet.captured_bytes < packet.length_bytes:
            packet.verdict = _CUT
            continue
        place = _place_of(_word(data, packet.offset + offset), packet, known, spis)
        if place == len(known):
            return row
        sa = known[place].sa
        if sa == NO_SA:
            packet.verdict = _UNKNOWN_SPI
        elif sa == UNSUPPORTED:
            packet.verdict = _UNSUPPORTED
        else:
            packet.sa = sa
            packet.order = orders[sa]
            orders[sa] += 1
    return len(packets)


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
def _place_of(
    spi: int, packet: np.record, known: npt.NDArray[np.void], spis: npt.NDArray[np.uint32]
) -> int:
    """Where the packet's combination stands among the known ones, or their number."""
    place = int(np.searchsorted(spis, np.uint32(spi)))
    while place < len(known) and known[place].spi == spi:
        candidate = known[place]
        if (
            candidate.destination_low == packet.destination_low
            and candidate.destination_high == packet.destination_high
            and candidate.source_low == packet.source_low
            and candidate.source_high == packet.source_high
        ):
            return place
        place += 1
    return len(known)


@njit(cache=True)
def _word(data: npt.NDArray[np.uint8], at: int) -> int:
    return (
        (int(data[at]) << 24)
        | (int(data[at + 1]) << 16)
        | (int(data[at + 2]) << 8)
        | int(data[at + 3])
    )
