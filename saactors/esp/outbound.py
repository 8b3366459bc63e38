"""Outbound processing (RFC 4303 §3.3) of packets one has in hand: the sending end of SAs.

For callers with packets as ``bytes``: it owns what the columns of ``seal`` leave to their caller,
which is sequence numbers, lifetimes and the path's MTU. Sans-IO: packets and time come in, packets,
ICMP messages and events come out.

A packet goes through fragmentation, a look at whether it can be sealed at all, lifetime, sequence
number and encryption, in this order, so that what is refused has used no number and no lifetime.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from saactors.errors import ParameterError
from saactors.esp.association import Association, add_associations
from saactors.esp.fragments import Fragmenting, fragment, may_be_fragmented
from saactors.esp.icmp import read_too_big, time_exceeded, too_big
from saactors.esp.lifetimes import LifetimeEvent, Lifetimes
from saactors.esp.outcome import Outcome
from saactors.esp.path_mtu import inner_mtu_bytes
from saactors.esp.seal import Sealer
from saactors.esp.wire import IPV4_HEADER_BYTES, IPV6_HEADER_BYTES
from saactors.model.packets import PACKET
from saactors.model.sa import Mode, SaTable
from saactors.model.verdicts import Verdict

PATH_MTU_MIN_BYTES: Final = {4: 576, 6: 1280}
"""No ICMP message makes a path narrower than that: nobody authenticates them (RFC 4301 §8.2)."""

_PASSED: Final = int(Verdict.PASSED)
_LAST_SHORT: Final = (1 << 32) - 1
_LAST_EXTENDED: Final = (1 << 64) - 1


@dataclass(slots=True)
class _Piece:
    """A packet, or a fragment of one made before encryption, on its way."""

    packet: int  # place in what the caller gave
    content: bytes
    sa: int
    verdict: Verdict = Verdict.PASSED
    sequence: int = 0
    sealed: list[bytes] = field(default_factory=list)


class OutboundProcessor:
    """Seals packets of the SAs it was given; SA i is the i-th of them.

    ``fragmenting`` says what happens to a packet that is too big for its SA's path and may be
    fragmented: in pieces before encryption (tunnel mode), or the sealed packet after it.
    """

    def __init__(
        self, associations: Iterable[Association], *, fragmenting: Fragmenting = Fragmenting.BEFORE
    ) -> None:
        self.sas = SaTable()
        self.lifetimes = Lifetimes()
        self._associations: list[Association] = []
        self._next: list[int] = []  # sequence number by SA
        self._fragmenting = fragmenting
        self._sealer = Sealer(self.sas)
        self._counts: Counter[Verdict] = Counter()
        self._identification = 0  # of the next packet that is fragmented
        self.add(associations)

    def __repr__(self) -> str:
        return f"OutboundProcessor({len(self.sas)} SAs)"

    def add(self, associations: Iterable[Association], now_ns: int = 0) -> range:
        """Add SAs, whose lifetimes begin now, and return their indices."""
        given = tuple(associations)
        added = add_associations(self.sas, given)
        for sa, association in zip(added, given, strict=True):
            self._associations.append(association)
            self._next.append(association.first_sequence)
            self.lifetimes.limit(sa, association.lifetime, now_ns)
        return added

    def process(
        self, packets: Sequence[bytes], sas: Sequence[int], now_ns: int = 0
    ) -> list[Outcome]:
        """Seal packet i on SA ``sas[i]``; one outcome each, in order."""
        self._check(packets, sas)
        pieces = [
            piece
            for number, (packet, sa) in enumerate(zip(packets, sas, strict=True))
            for piece in self._split(number, packet, sa)
        ]
        self._plan(pieces)
        self._charge(packets, sas, pieces, now_ns)
        self._seal(pieces)
        return self._outcomes(packets, pieces)

    def dummies(self, sas: Sequence[int], payload_bytes: int = 64) -> list[Outcome]:
        """A dummy packet for each SA named (RFC 4303 §2.6), which the peer will throw away.

        Its payload is zeroes, or a header and zeroes: nobody reads it. ``payload_bytes`` should
        come from the traffic that it is to hide among.
        """
        if any(self._associations[sa].source is None for sa in sas):
            raise ParameterError("sas", "an SA without endpoints", "SAs with source, destination")
        pieces = [
            _Piece(number, _blank(int(self.sas.records[sa]["outer_version"]), payload_bytes), sa)
            for number, sa in enumerate(sas)
        ]
        self._seal(pieces, dummies=True)
        return self._outcomes([b""] * len(pieces), pieces)

    def handle_icmp(self, packet: bytes) -> int | None:
        """Take an ICMP message from the path; returns the SA whose path has become narrower.

        Only "too big" about a packet of ours is believed, and that to PATH_MTU_MIN_BYTES.
        """
        message = read_too_big(packet)
        if message is None:
            return None
        records = self.sas.records
        for sa in np.flatnonzero(records["spi"] == message.spi).tolist():
            association = self._associations[sa]
            if association.destination not in {None, message.destination}:
                continue
            least = PATH_MTU_MIN_BYTES[message.destination.version]
            narrower = max(least, message.mtu_bytes)
            if narrower < (int(records[sa]["path_mtu_bytes"]) or _LAST_SHORT):
                records["path_mtu_bytes"][sa] = narrower
                return int(sa)
        return None

    def poll_events(self) -> list[LifetimeEvent]:
        """What has happened to lifetimes since this was last asked."""
        return self.lifetimes.poll_events()

    def handle_time(self, now_ns: int) -> None:
        """Let limits of time be noticed; see ``next_deadline_ns``."""
        self.lifetimes.handle_time(now_ns)

    def next_deadline_ns(self) -> int | None:
        """When the next limit of time is due."""
        return self.lifetimes.next_deadline_ns()

    def statistics(self) -> dict[str, int]:
        """Packets by what became of them; fragments are not counted by themselves."""
        return {verdict.label: count for verdict, count in sorted(self._counts.items())}

    def _check(self, packets: Sequence[bytes], sas: Sequence[int]) -> None:
        if len(packets) != len(sas):
            raise ParameterError("sas", len(sas), f"{len(packets)}, one for each packet")
        if any(not 0 <= sa < len(self.sas) for sa in sas):
            raise ParameterError("sas", max(sas), f"indices below {len(self.sas)}")

    def _split(self, number: int, packet: bytes, sa: int) -> list[_Piece]:
        """The packet, or its fragments if it is to go in pieces."""
        association = self._associations[sa]
        if (
            int(self.sas.records[sa]["path_mtu_bytes"])
            and self._fragmenting is Fragmenting.BEFORE
            and association.mode is Mode.TUNNEL
        ):
            room = self.inner_mtu_bytes(sa)
            if len(packet) > room and may_be_fragmented(packet):
                fragments = fragment(packet, room, self._identify())
                # None of what is no IP packet, which sealing then says.
                return [_Piece(number, content, sa) for content in fragments or [packet]]
        return [_Piece(number, packet, sa)]

    def _plan(self, pieces: list[_Piece]) -> None:
        """Find out which pieces cannot be sealed, and why."""
        data, packets, rows = _columns(pieces)
        packets["sequence"] = 1  # for the time being: 0 could not be sealed
        _, _, verdicts = self._sealer.sealed_lengths(data, packets, rows)
        for piece, verdict in zip(pieces, verdicts.tolist(), strict=True):
            piece.verdict = Verdict(verdict)

    def _charge(
        self, packets: Sequence[bytes], sas: Sequence[int], pieces: list[_Piece], now_ns: int
    ) -> None:
        """Charge the packets that can be sealed, and refuse all pieces of the others."""
        verdicts = np.full(len(packets), _PASSED, np.uint8)
        for piece in pieces:
            if piece.verdict is not Verdict.PASSED:
                verdicts[piece.packet] = piece.verdict
        lengths = np.array([len(packet) for packet in packets], np.int32)
        self.lifetimes.charge(np.array(sas, np.int32), lengths, verdicts, now_ns)
        for piece in pieces:
            piece.verdict = Verdict(int(verdicts[piece.packet]))

    def inner_mtu_bytes(self, sa: int) -> int:
        """The largest packet that fits the SA's path once it is sealed; 65 535 without a limit."""
        record, association = self.sas.records[sa], self._associations[sa]
        return inner_mtu_bytes(
            association.parameters,
            association.mode,
            int(record["outer_version"]),
            bool(record["source_port"]),
            int(record["path_mtu_bytes"]),
        )

    def _number(self, pieces: list[_Piece]) -> list[_Piece]:
        """Give sequence numbers to what passes so far, and return those that got one."""
        numbered = []
        for piece in pieces:
            if piece.verdict is not Verdict.PASSED:
                continue
            extended = self._associations[piece.sa].extended_sequence
            if self._next[piece.sa] > (_LAST_EXTENDED if extended else _LAST_SHORT):
                piece.verdict = Verdict.SEQUENCE_EXHAUSTED
                continue
            piece.sequence = self._next[piece.sa]
            self._next[piece.sa] += 1
            numbered.append(piece)
        return numbered

    def _seal(self, pieces: list[_Piece], *, dummies: bool = False) -> None:
        numbered = self._number(pieces)
        sealed = self._sealer.seal_packets(*_columns(numbered), dummies=dummies)
        for piece, start, length, verdict in zip(
            numbered, sealed.starts, sealed.lengths, sealed.verdicts, strict=True
        ):
            piece.verdict = Verdict(int(verdict))
            if piece.verdict is Verdict.PASSED:
                self._fit(piece, sealed.data[start : start + length].tobytes())

    def _fit(self, piece: _Piece, sealed: bytes) -> None:
        """Send the sealed packet, in fragments if it is still too big for the path.

        In transport mode it has the headers of the packet itself, which may be long enough to leave
        no room for anything else on the path, or have options that nobody can read.
        """
        path_mtu = int(self.sas.records[piece.sa]["path_mtu_bytes"])
        if not path_mtu or len(sealed) <= path_mtu:
            piece.sealed = [sealed]
            return
        try:
            piece.sealed = fragment(sealed, path_mtu, self._identify())
        except ParameterError:
            piece.verdict = Verdict.PACKET_TOO_BIG
        else:
            if not piece.sealed:
                piece.verdict = Verdict.MALFORMED_IP

    def _identify(self) -> int:
        self._identification = (self._identification + 1) & 0xFFFF_FFFF
        return self._identification

    def _outcomes(self, packets: Sequence[bytes], pieces: list[_Piece]) -> list[Outcome]:
        """What became of each packet: the worst that happened to a piece of it."""
        outcomes: list[Outcome] = []
        for piece in pieces:
            if piece.packet == len(outcomes):
                outcomes.append(
                    Outcome(piece.verdict, tuple(piece.sealed), piece.sa, piece.sequence)
                )
                continue
            before = outcomes[-1]
            if before.verdict is Verdict.PASSED:
                verdict = piece.verdict
                both = (*before.packets, *piece.sealed) if verdict is Verdict.PASSED else ()
                outcomes[-1] = before._replace(verdict=verdict, packets=both)
        self._counts.update(outcome.verdict for outcome in outcomes)
        return [
            outcome._replace(reply=self._reply(packet, outcome))
            for packet, outcome in zip(packets, outcomes, strict=True)
        ]

    def _reply(self, packet: bytes, outcome: Outcome) -> bytes:
        """The ICMP message that is due to the packet's sender, from the tunnel's own end."""
        sender = self._associations[outcome.sa].source
        if sender is None or not packet or sender.version != packet[0] >> 4:
            return b""
        if outcome.verdict is Verdict.PACKET_TOO_BIG:
            return too_big(packet, self.inner_mtu_bytes(outcome.sa), sender)
        if outcome.verdict is Verdict.HOP_LIMIT_EXCEEDED:
            return time_exceeded(packet, sender)
        return b""


def _columns(
    pieces: list[_Piece],
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.void], npt.NDArray[np.int32]]:
    """The pieces' bytes, a record (PACKET) of each, and the numbers of all records."""
    packets = np.zeros(len(pieces), PACKET)
    lengths = [len(piece.content) for piece in pieces]
    packets["length_bytes"] = packets["captured_bytes"] = lengths
    packets["offset"] = np.cumsum(packets["length_bytes"]) - packets["length_bytes"]
    packets["sa"] = [piece.sa for piece in pieces]
    packets["sequence"] = np.array([piece.sequence for piece in pieces], np.uint64)
    data = np.frombuffer(b"".join(piece.content for piece in pieces) or b"\0", np.uint8)
    return data, packets, np.arange(len(pieces), dtype=np.int32)


def _blank(version: int, payload_bytes: int) -> bytes:
    """A header that says how long the packet is, and zeroes."""
    if version == 4:
        size = max(payload_bytes, IPV4_HEADER_BYTES)
        return bytes([0x45, 0, size >> 8, size & 0xFF]).ljust(size, b"\0")
    size = max(payload_bytes, IPV6_HEADER_BYTES)
    rest = size - IPV6_HEADER_BYTES
    return bytes([0x60, 0, 0, 0, rest >> 8, rest & 0xFF]).ljust(size, b"\0")
