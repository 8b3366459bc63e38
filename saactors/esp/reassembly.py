"""Reassembly of IP packets, with bounds that no sender can move (RFC 791, RFC 8200 §4.5).

What a fragment costs is memory, until the others have come. So packets in the making are bounded in
number, bytes and age, and when the table is full, **the oldest makes room**. The alternative, which
Linux has taken since 4.18, is to refuse newcomers: then whoever fills the table once, and sends as
little as keeps it full, stops all reassembly. Fragments of one packet follow each other within
milliseconds, so where the oldest goes an attacker has to send a whole table in that time, again and
again, and each packet of his that does not come in time takes one of his own away.

Oldest by its first fragment, not by its latest: or else a trickle would keep a packet for ever.

A fragment that contradicts others of its packet (overlap, another end) takes all of them with it,
as RFC 5722 and RFC 8200 demand; the same is done with IPv4, where RFC 791 would let the later bytes
win and RFC 1858 shows what comes of it. Nothing is kept of a packet so abandoned, and fragments
that come later begin anew: IPv4's 16-bit identifications come round within the minute at gigabit
rates (RFC 4963), and to remember one as bad would cost the next packet that has it. If fragments of
different packets are joined that way, ESP's integrity check finds out. Exact duplicates are
harmless and tolerated (RFC 8200).

The IPv4 header's checksum is not verified, as in the opener; the packet's is computed anew. That
the first IPv6 fragment holds all headers (RFC 7112) is for those to demand who do not reassemble.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from saactors.errors import ParameterError
from saactors.esp.fragment_set import FragmentSet, Loss, Piece
from saactors.esp.ip_packet import Part, read_part
from saactors.esp.wire import IPV6_HEADER_BYTES, LENGTH_MAX
from saactors.model.verdicts import Verdict

PACKET_COST_BYTES: Final = 768
FRAGMENT_COST_BYTES: Final = 256
"""What a packet in the making and each of its fragments take besides their bytes: a little more
than CPython 3.11 needs for the objects, so that ``bytes_max`` bounds memory and not only payload
(Linux counts so too, by ``truesize``)."""

# Version, both addresses, identification, and of IPv4 the protocol (RFC 791 §3.2, RFC 8200 §4.5).
_Key: TypeAlias = tuple[int, bytes, int, int]


@dataclass(frozen=True, slots=True)
class ReassemblyLimits:
    """How much may wait for its other fragments, and how long.

    ``bytes_max`` is Linux's ``ipfrag_high_thresh``, which fragments of 1 byte reach at about
    ``packets_max``. ``fragments_max`` holds the longest packet in pieces of 576 bytes, the least
    that every IPv4 host takes (RFC 791 §3.1): 119 of them. ``timeout_ns``, from a packet's first
    fragment to arrive, is what RFC 8200 §4.5 sets, and the least of what RFC 1122 §3.3.2 wants of
    IPv4; fast senders of IPv4 fragments are better off with less (RFC 4963).

    Raises ParameterError where a limit leaves no room for one packet.
    """

    packets_max: int = 4096
    bytes_max: int = 4 << 20
    fragments_max: int = 128
    timeout_ns: int = 60_000_000_000

    def __post_init__(self) -> None:
        # So that whatever the packet being added to needs can be had of others.
        most_bytes = (
            2 * LENGTH_MAX + IPV6_HEADER_BYTES
        )  # headers and body, before they are added up
        least = most_bytes + PACKET_COST_BYTES + self.fragments_max * FRAGMENT_COST_BYTES
        for name, found, wanted, why in (
            ("packets_max", self.packets_max, 1, ""),
            ("fragments_max", self.fragments_max, 2, ""),
            ("bytes_max", self.bytes_max, least, ", the room of the longest packet"),
            ("timeout_ns", self.timeout_ns, 1, ""),
        ):
            if found < wanted:
                raise ParameterError(name, found, f"{wanted} or more{why}")


class Reassembled(NamedTuple):
    """What became of a fragment.

    The verdict is PASSED with the whole ``packet``, FRAGMENT_HELD, or FRAGMENT_REFUSED or
    MALFORMED_IP with why.
    """

    verdict: Verdict
    packet: bytes = b""
    loss: Loss | None = None


_HELD: Final = Reassembled(Verdict.FRAGMENT_HELD)


class Reassembler:
    """Fragments in, packets out; sans-IO."""

    def __init__(self, limits: ReassemblyLimits | None = None) -> None:
        self.limits = limits or ReassemblyLimits()
        self._sets: dict[_Key, FragmentSet] = {}  # oldest first
        self._bytes = 0
        self._counts: Counter[str] = Counter()

    def handle_fragment(self, packet: bytes, now_ns: int) -> Reassembled:
        """Take an IP packet; one that is no fragment passes as it is."""
        self.handle_time(now_ns)
        part = read_part(packet)
        if part is not None and not part.is_fragment:
            return Reassembled(Verdict.PASSED, packet)
        self._counts["fragments"] += 1
        if part is None or part.body_bytes == 0:
            return self._refuse(Loss.MALFORMED, Verdict.MALFORMED_IP)
        if not part.is_aligned:
            return self._refuse(Loss.MISALIGNED)
        if _length_with(part) > LENGTH_MAX:
            return self._refuse(Loss.TOO_LONG)
        return self._add(part, packet, now_ns)

    def handle_time(self, now_ns: int) -> None:
        """Give up on packets whose time is over."""
        while self._sets and now_ns >= self._oldest().began_ns + self.limits.timeout_ns:
            self._abandon(next(iter(self._sets)), Loss.TIMED_OUT)

    def next_deadline_ns(self) -> int | None:
        """When ``handle_time`` will next have something to do; None: nothing is waiting."""
        return self._oldest().began_ns + self.limits.timeout_ns if self._sets else None

    def statistics(self) -> dict[str, int]:
        """Counts of fragments by what became of them, of ``packets`` made, and what is held.

        ``fragments`` is the sum of ``joined``, ``duplicates``, ``held`` and every ``Loss``.
        """
        names = ("fragments", "packets", "joined", "duplicates", *Loss)
        return {
            **{str(name): self._counts[name] for name in names},
            "held": sum(len(found) for found in self._sets.values()),
            "held_packets": len(self._sets),
            "held_bytes": self._bytes,
        }

    def _add(self, part: Part, packet: bytes, now_ns: int) -> Reassembled:
        key = _key_of(part, packet)
        piece = Piece(part.offset, packet[part.body_at : part.length], part.more)
        found = self._sets.get(key)
        if found is None:
            found = self._begin(key, now_ns)
        elif found.holds(piece):
            self._counts["duplicates"] += 1
            return _HELD
        loss = found.conflict(piece)
        if loss is None and len(found) == self.limits.fragments_max:
            loss = Loss.TOO_MANY_FRAGMENTS
        if loss is not None:
            self._abandon(key, loss)
            return self._refuse(loss)
        kept_bytes = len(piece.body) if piece.offset else part.length
        self._make_room(found, kept_bytes + FRAGMENT_COST_BYTES)
        found.add(piece, part, packet)
        return self._finish(key) if found.is_complete else _HELD

    def _begin(self, key: _Key, now_ns: int) -> FragmentSet:
        if len(self._sets) == self.limits.packets_max:
            self._abandon(next(iter(self._sets)), Loss.TABLE_FULL_PACKETS)
        found = self._sets[key] = FragmentSet(now_ns)
        self._make_room(found, PACKET_COST_BYTES)
        return found

    def _make_room(self, found: FragmentSet, cost_bytes: int) -> None:
        """Charge a packet for so many bytes more, at the cost of the oldest others."""
        while self._bytes + cost_bytes > self.limits.bytes_max:
            oldest = next(key for key, other in self._sets.items() if other is not found)
            self._abandon(oldest, Loss.TABLE_FULL_BYTES)
        found.cost_bytes += cost_bytes
        self._bytes += cost_bytes

    def _finish(self, key: _Key) -> Reassembled:
        whole = self._sets[key].whole()
        if isinstance(whole, Loss):
            self._abandon(key, whole)
            # The last fragment was among them.
            return Reassembled(Verdict.FRAGMENT_REFUSED, loss=whole)
        found = self._take(key)
        self._counts["joined"] += len(found)
        self._counts["packets"] += 1
        return Reassembled(Verdict.PASSED, whole)

    def _refuse(self, loss: Loss, verdict: Verdict = Verdict.FRAGMENT_REFUSED) -> Reassembled:
        self._counts[loss] += 1
        return Reassembled(verdict, loss=loss)

    def _abandon(self, key: _Key, loss: Loss) -> None:
        self._counts[loss] += len(self._take(key))

    def _take(self, key: _Key) -> FragmentSet:
        found = self._sets.pop(key)
        self._bytes -= found.cost_bytes
        return found

    def _oldest(self) -> FragmentSet:
        return next(iter(self._sets.values()))


def _key_of(part: Part, packet: bytes) -> _Key:
    if part.version == 4:
        return 4, packet[12:20], part.identification, part.protocol
    return 6, packet[8:40], part.identification, 0


def _length_with(part: Part) -> int:
    """What the packet's length field would say at least; IPv6's leaves the fixed header out."""
    headers_bytes = part.header_bytes - (0 if part.version == 4 else IPV6_HEADER_BYTES)
    return headers_bytes + part.offset + part.body_bytes
