"""Inbound: from an ESP packet to its SA by SPI and destination address (RFC 4301 §4.1).

What is not ESP is told apart by name: IKE (UDP port 500, or port 4500 with the non-ESP marker of
RFC 3948 §2.2), NAT keep-alives (§2.3), other traffic, fragments where nobody reassembles them, SPIs
that nobody knows, and SPIs whose suite is not implemented.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

from saactors.esp.association import address_of
from saactors.esp.demultiplex import find_behind_udp
from saactors.esp.lifetimes import LifetimeEvent
from saactors.esp.reassembly import Reassembler
from saactors.esp.wire import ESP, ESP_HEADER_BYTES, UDP, read_u32
from saactors.model.burst import Burst
from saactors.model.packets import NO_SA
from saactors.model.sa import SaTable, grown
from saactors.model.verdicts import Verdict
from saactors.streams.outer_fragments import join_fragments

KNOWN_SPI: Final = np.dtype(
    [
        ("source_high", "u8"),
        ("source_low", "u8"),
        ("destination_high", "u8"),
        ("destination_low", "u8"),
        ("spi", "u4"),
        ("sa", "i4"),  # or UNSUPPORTED, NO_ROOM, or NO_SA for what nobody knows
        ("ip_version", "u1"),  # 0: this place is free
    ],
    align=True,
)
UNSUPPORTED: Final = -2
NO_ROOM: Final = -3

FIRST_PLACES: Final = 1024
# Combinations of addresses and SPI that are remembered before all are asked for anew: a flood of
# invented SPIs must not grow memory (law 9).
REMEMBERED_MAX: Final = 1 << 18

# (IP version, source, destination, SPI) → index of the SA; UNSUPPORTED, NO_ROOM for one more SA, or
# NO_SA. Asked again it names the same SA again: another would have an empty replay window.
Resolver = Callable[[int, str, str, int], int]

_KEY: Final = ("source_high", "source_low", "destination_high", "destination_low", "ip_version")
_HASH_FACTOR: Final = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio, odd
_HASH_SHIFT: Final = np.uint64(32)


_PASSED: Final = int(Verdict.PASSED)
_CUT: Final = int(Verdict.CUT_BY_SNAP_LENGTH)
_TABLE_FULL: Final = int(Verdict.SA_TABLE_FULL)
_NOT_ESP: Final = int(Verdict.NOT_ESP)
_MALFORMED: Final = int(Verdict.MALFORMED_ESP)
_UNKNOWN_SPI: Final = int(Verdict.UNKNOWN_SPI)
_UNSUPPORTED: Final = int(Verdict.UNSUPPORTED_SUITE)
_FRAGMENT: Final = int(Verdict.OUTER_FRAGMENT)


class InboundClassifier:
    """Classifies bursts in place: writes ``sa``, ``order``, ``esp_offset`` and ``verdict``.

    ``resolve`` finds the SA of an SPI between two addresses, and may add it to ``sas``. What it
    said is remembered in an open-addressed hash table, at most three quarters full. Without a
    ``reassembler`` fragments are refused as OUTER_FRAGMENT.
    """

    def __init__(
        self, resolve: Resolver, sas: SaTable, reassembler: Reassembler | None = None
    ) -> None:
        self._resolve = resolve
        self._sas = sas
        self._reassembler = reassembler
        self._known = np.zeros(FIRST_PLACES, KNOWN_SPI)
        self._remembered = 0
        self._orders = np.zeros(64, np.int64)

    def classify(self, burst: Burst, _now_ns: int = 0) -> range:
        """Classify a burst; returns the indices of the SAs that were added for it."""
        if self._reassembler is not None and burst.packets["fragment"].any():
            join_fragments(burst, self._reassembler)
        first = len(self._sas)
        start = 0
        while True:
            start = _classify(burst.packets, burst.data, self._known, self._orders, start)
            if start == len(burst.packets):
                break
            self._learn(burst, start)
        burst.sa_count = len(self._sas)
        return range(first, burst.sa_count)

    def ask_anew(self) -> None:
        """Forget what ``resolve`` has said: SAs have come or gone."""
        self._known = np.zeros(FIRST_PLACES, KNOWN_SPI)
        self._remembered = 0

    def open_sa(self, sa: int, order: int) -> None:
        """Count an SA's packets from ``order`` on."""
        self._orders = grown(self._orders, sa + 1)
        self._orders[sa] = order

    def order(self, sa: int) -> int:
        """How many packets have been given a place among the SA's."""
        return int(self._orders[sa])

    def poll_events(self) -> list[LifetimeEvent]:
        """None: inbound packets count when they have been opened, at the exit."""
        return []

    def _learn(self, burst: Burst, row: int) -> None:
        """Find out about the combination that packet ``row`` is the first to have."""
        packet = burst.packets[row]
        key = tuple(int(packet[name]) for name in _KEY)
        spi = int(read_u32(burst.data, packet["offset"] + packet["esp_offset"]))
        source, destination = address_of(*key[:2]), address_of(*key[2:4])
        sa = self._resolve(key[4], str(source), str(destination), spi)
        self._make_room()
        place = _place_of(spi, packet, self._known)
        self._known[place] = (*key[:4], spi, sa, key[4])
        self._remembered += 1
        self._orders = grown(self._orders, len(self._sas))

    def _make_room(self) -> None:
        """Have a place for one more combination, if need be by forgetting all others."""
        if self._remembered == REMEMBERED_MAX:
            self._known = np.zeros(FIRST_PLACES, KNOWN_SPI)
            self._remembered = 0
        elif 4 * (self._remembered + 1) > 3 * len(self._known):
            larger = np.zeros(2 * len(self._known), KNOWN_SPI)
            _move_all(self._known, larger)
            self._known = larger


@njit(cache=True)
def _classify(
    packets: npt.NDArray[np.void],
    data: npt.NDArray[np.uint8],
    known: npt.NDArray[np.void],
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
        place = _place_of(read_u32(data, packet.offset + offset), packet, known)
        if known[place].ip_version == 0:
            return row
        sa = known[place].sa
        if sa == NO_SA:
            packet.verdict = _UNKNOWN_SPI
        elif sa == UNSUPPORTED:
            packet.verdict = _UNSUPPORTED
        elif sa == NO_ROOM:
            packet.verdict = _TABLE_FULL
        else:
            packet.sa = sa
            packet.order = orders[sa]
            orders[sa] += 1
    return len(packets)


@njit(cache=True)
def _esp_offset(packet: np.record, data: npt.NDArray[np.uint8]) -> tuple[int, int]:
    """Where the ESP header begins, from the IP header; and PASSED, or why there is none."""
    offset = int(packet.transport_offset)
    if packet.protocol not in (ESP, UDP):
        return 0, _NOT_ESP
    if packet.fragment:
        return 0, _FRAGMENT
    if packet.protocol == UDP:
        start = int(packet.offset)
        at, verdict = find_behind_udp(
            data,
            start + offset,
            start + packet.length_bytes,
            start + packet.captured_bytes,
            packet.source_port,
            packet.destination_port,
        )
        return at - start, verdict
    if packet.length_bytes - offset < ESP_HEADER_BYTES:
        return 0, _MALFORMED
    if packet.captured_bytes - offset < ESP_HEADER_BYTES:
        return 0, _CUT
    return offset, _PASSED


@njit(cache=True)
def _place_of(spi: int, ends: np.record, known: npt.NDArray[np.void]) -> int:
    """Where the SPI between these ends stands, or the free place where it would.

    ``ends`` is a record of PACKET or of KNOWN_SPI: either has addresses and an IP version.
    """
    mixed = np.uint64(spi) ^ (ends.source_low * _HASH_FACTOR)
    mixed = (mixed ^ (mixed >> _HASH_SHIFT)) * _HASH_FACTOR + ends.source_high
    mixed = (mixed ^ (mixed >> _HASH_SHIFT)) * _HASH_FACTOR + ends.destination_low
    mixed = (mixed ^ (mixed >> _HASH_SHIFT)) * _HASH_FACTOR + ends.destination_high
    mixed = (mixed ^ (mixed >> _HASH_SHIFT)) * _HASH_FACTOR
    last = np.uint64(len(known) - 1)
    place = (mixed ^ (mixed >> _HASH_SHIFT)) & last
    while known[place].ip_version != 0:
        candidate = known[place]
        if (
            candidate.spi == spi
            and candidate.destination_low == ends.destination_low
            and candidate.destination_high == ends.destination_high
            and candidate.source_low == ends.source_low
            and candidate.source_high == ends.source_high
            and candidate.ip_version == ends.ip_version
        ):
            break
        place = (place + np.uint64(1)) & last
    return int(place)


@njit(cache=True)
def _move_all(old: npt.NDArray[np.void], new: npt.NDArray[np.void]) -> None:
    """Put every combination of ``old`` into the empty table ``new``."""
    for place in range(len(old)):
        if old[place].ip_version != 0:
            new[_place_of(old[place].spi, old[place], new)] = old[place]
