"""Inbound processing (RFC 4303 §3.4) of packets one has in hand: the receiving end of SAs.

For callers with packets as ``bytes``: it puts fragments together, tells ESP from what else arrives,
finds the SA, opens, and then asks replay window and lifetime. Sans-IO: packets and time come in,
packets and events come out, and every packet gets a verdict, whatever its bytes are.

A window moves only after the ICV has been checked (§3.4.3), and packets of one call are opened
together before any of them moves one. Where extended numbers are inferred from the window (appendix
A2.2), a call may therefore not hold more than 2³¹ of them, which no memory does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from saactors.esp.association import Association, add_associations
from saactors.esp.demultiplex import find_esp
from saactors.esp.lifetimes import LifetimeEvent, Lifetimes
from saactors.esp.open import Opened, Opener
from saactors.esp.outcome import Outcome
from saactors.esp.reassembly import Reassembler, ReassemblyLimits
from saactors.esp.window import WINDOW_PACKETS, ReplayWindows
from saactors.esp.wire import read_u32
from saactors.model.packets import NO_SA
from saactors.model.sa import SaTable
from saactors.model.verdicts import Verdict

USUAL_REASSEMBLY: Final = ReassemblyLimits()

_NO_DESTINATION: Final = b""


class InboundProcessor:
    """Opens packets of the SAs it was given; SA i is the i-th of them.

    An SA is found by SPI and destination address, or by its SPI alone if it states no destination
    (RFC 4301 §4.1). ``window_packets`` is the size of the replay windows, 1 to 4096. Without
    ``reassembly``, fragments of ESP packets are refused as OUTER_FRAGMENT.
    """

    def __init__(
        self,
        associations: Iterable[Association],
        *,
        window_packets: int = WINDOW_PACKETS,
        reassembly: ReassemblyLimits | None = USUAL_REASSEMBLY,
    ) -> None:
        self.sas = SaTable()
        self.lifetimes = Lifetimes()
        self.windows = ReplayWindows(window_packets)
        self.reassembler = None if reassembly is None else Reassembler(reassembly)
        self._by_spi: dict[int, dict[bytes, int]] = {}  # SPI → packed destination → SA
        self._opener = Opener(self.sas, window_packets=window_packets)
        self._counts: Counter[Verdict] = Counter()
        self.add(associations)

    def __repr__(self) -> str:
        return f"InboundProcessor({len(self.sas)} SAs)"

    def add(self, associations: Iterable[Association], now_ns: int = 0) -> range:
        """Add SAs, whose lifetimes begin now, and return their indices."""
        given = tuple(associations)
        added = add_associations(self.sas, given)
        self.windows.grow(len(self.sas))
        for sa, association in zip(added, given, strict=True):
            destination = association.destination
            key = _NO_DESTINATION if destination is None else destination.packed
            self._by_spi.setdefault(association.spi, {})[key] = sa
            if association.first_sequence > 1:
                self.windows.resume(sa, association.first_sequence - 1)
            self.lifetimes.limit(sa, association.lifetime, now_ns)
        return added

    def process(self, packets: Sequence[bytes], now_ns: int = 0) -> list[Outcome]:
        """Open IP packets as they came from the wire; one outcome each, in order.

        Of a fragmented packet the last fragment to come has the outcome; the others are
        FRAGMENT_HELD.
        """
        outcomes = [Outcome(Verdict.NOT_ESP)] * len(packets)
        places: list[int] = []  # in ``packets``, of what is to be opened
        whole: list[bytes] = []
        sas: list[int] = []
        for place, packet in enumerate(packets):
            verdict, content, sa = self._find(packet, now_ns)
            outcomes[place] = Outcome(verdict, sa=sa)
            if verdict is Verdict.PASSED:
                places.append(place)
                whole.append(content)
                sas.append(sa)
        if places:
            for place, outcome in zip(places, self._open(whole, sas, now_ns), strict=True):
                outcomes[place] = outcome
        self._counts.update(outcome.verdict for outcome in outcomes)
        return outcomes

    def poll_events(self) -> list[LifetimeEvent]:
        """What has happened to lifetimes since this was last asked."""
        return self.lifetimes.poll_events()

    def handle_time(self, now_ns: int) -> None:
        """Let fragments and limits of time expire; see ``next_deadline_ns``."""
        self.lifetimes.handle_time(now_ns)
        if self.reassembler is not None:
            self.reassembler.handle_time(now_ns)

    def next_deadline_ns(self) -> int | None:
        """When something is due next."""
        deadlines = [self.lifetimes.next_deadline_ns()]
        if self.reassembler is not None:
            deadlines.append(self.reassembler.next_deadline_ns())
        return min((each for each in deadlines if each is not None), default=None)

    def statistics(self) -> dict[str, int]:
        """Packets by what became of them."""
        return {verdict.label: count for verdict, count in sorted(self._counts.items())}

    def _find(self, packet: bytes, now_ns: int) -> tuple[Verdict, bytes, int]:
        """The verdict so far, the packet in one piece, and its SA."""
        data = np.frombuffer(packet or b"\0", np.uint8)
        at, number = find_esp(data, 0, len(packet))
        verdict = Verdict(number)
        if verdict is Verdict.OUTER_FRAGMENT and self.reassembler is not None:
            joined = self.reassembler.handle_fragment(packet, now_ns)
            if joined.verdict is not Verdict.PASSED:
                return joined.verdict, b"", NO_SA
            packet = joined.packet
            data = np.frombuffer(packet, np.uint8)
            at, number = find_esp(data, 0, len(packet))
            verdict = Verdict(number)
        if verdict is not Verdict.PASSED:
            return verdict, b"", NO_SA
        known = self._by_spi.get(int(read_u32(data, at)), {})
        sa = known.get(_destination(packet), known.get(_NO_DESTINATION, NO_SA))
        return (Verdict.UNKNOWN_SPI if sa == NO_SA else verdict), packet, sa

    def _open(self, packets: list[bytes], numbers: list[int], now_ns: int) -> list[Outcome]:
        lengths = np.array([len(packet) for packet in packets], np.int32)
        starts = np.cumsum(lengths, dtype=np.int64) - lengths
        sas = np.array(numbers, np.int32)
        data = np.frombuffer(b"".join(packets), np.uint8)
        opened = self._opener.open_burst(data, starts, lengths, sas, self.windows.highest(sas))
        self.windows.check_and_update(sas, opened.sequences, opened.verdicts)
        self.lifetimes.charge(sas, opened.lengths, opened.verdicts, now_ns)
        return [_outcome(opened, row, sa) for row, sa in enumerate(numbers)]


def _outcome(opened: Opened, row: int, sa: int) -> Outcome:
    verdict = Verdict(int(opened.verdicts[row]))
    sequence = int(opened.sequences[row])
    if verdict is not Verdict.PASSED:
        return Outcome(verdict, sa=sa, sequence=sequence)
    start = int(opened.starts[row])
    inner = opened.data[start : start + int(opened.lengths[row])].tobytes()
    return Outcome(verdict, (inner,), sa, sequence)


def _destination(packet: bytes) -> bytes:
    return packet[16:20] if packet[0] >> 4 == 4 else packet[24:40]
