"""Fragments: what has been cut comes together again, and anything else is held within bounds.

The first byte of an input chooses: a packet is cut, and its pieces come in any order; or the input
is a sequence of packets for the reassembler.
"""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Final

from fuzzing.packets import FRAGMENTS, PLAIN, ipv4, ipv6
from fuzzing.target import joined, pieces_of
from saactors.errors import ParameterError
from saactors.esp.fragment_set import Loss
from saactors.esp.fragments import fragment
from saactors.esp.ip_packet import Part, read_part
from saactors.esp.reassembly import Reassembler, ReassemblyLimits
from saactors.model.verdicts import Verdict

FEW: Final = ReassemblyLimits(packets_max=3, fragments_max=4, timeout_ns=100)
_VERDICTS: Final = frozenset(
    {Verdict.PASSED, Verdict.FRAGMENT_HELD, Verdict.FRAGMENT_REFUSED, Verdict.MALFORMED_IP}
)


def check(data: bytes) -> None:
    """Do what the first byte says."""
    if not data:
        return
    if data[0] & 1:
        _reassemble(data[1:], Reassembler(FEW if data[0] & 2 else None))
    elif len(data) > 4:
        _cut_and_join(data[4:], 68 + int.from_bytes(data[1:3]) % 1500, order=data[3])


def _cut_and_join(packet: bytes, mtu_bytes: int, order: int) -> None:
    part = read_part(packet)
    try:
        pieces = fragment(packet, mtu_bytes, 0x01020304)
    except ParameterError:
        return  # no room behind the headers
    assert part is not None or not pieces
    if part is None or len(pieces) < 2:
        return
    assert all(len(piece) <= mtu_bytes for piece in pieces)
    parts = [read_part(piece) for piece in pieces]
    assert all(each is not None and each.is_possible for each in parts)
    body = b"".join(
        piece[each.body_at : each.length]
        for piece, each in zip(pieces, parts, strict=True)
        if each is not None
    )
    assert body == packet[part.body_at : part.length], "the pieces are not the packet"
    reassembler = Reassembler()
    if part.is_fragment or len(pieces) > reassembler.limits.fragments_max:
        return
    Random(order).shuffle(pieces)
    outcomes = [reassembler.handle_fragment(piece, 0) for piece in pieces]
    assert all(each.verdict is Verdict.FRAGMENT_HELD for each in outcomes[:-1])
    assert outcomes[-1].verdict is Verdict.PASSED, outcomes[-1]
    joined_packet = _joined(packet, part)
    assert _without_name(outcomes[-1].packet) == _without_name(joined_packet), "another packet"


def _joined(packet: bytes, part: Part) -> bytes:
    """The packet as it is once it has been cut and joined: without a Fragment header."""
    body = packet[part.body_at : part.length]
    headers = bytearray(packet[: part.header_bytes])
    if part.version == 4:
        headers[6:8] = bytes(2)
    else:
        headers[part.field] = part.protocol
        headers[4:6] = (len(headers) - 40 + len(body)).to_bytes(2)
    return bytes(headers) + body


def _without_name(packet: bytes) -> bytes:
    """An IPv4 packet without identification and checksum, which may be others afterwards."""
    if packet[0] >> 4 == 6:
        return packet
    return packet[:4] + bytes(2) + packet[6:10] + bytes(2) + packet[12:]


def _reassemble(data: bytes, reassembler: Reassembler) -> None:
    """Counts add up after every packet; at the end nothing is left."""
    limits = reassembler.limits
    fragments = 0
    for now_ns, packet in enumerate(pieces_of(data)):
        part = read_part(packet)
        fragments += part is None or part.is_fragment
        outcome = reassembler.handle_fragment(packet, 7 * now_ns)
        assert outcome.verdict in _VERDICTS
        assert (outcome.verdict is Verdict.PASSED) == bool(outcome.packet)
        if outcome.packet:
            _check_joined(outcome.packet, part)
        counts = reassembler.statistics()
        ends = ("joined", "duplicates", "held", *Loss)
        assert counts["fragments"] == fragments == sum(counts[str(end)] for end in ends)
        assert counts["held_packets"] <= limits.packets_max
        assert counts["held_bytes"] <= limits.bytes_max
        assert (reassembler.next_deadline_ns() is None) == (counts["held"] == 0)
    reassembler.handle_time(1 << 60)
    counts = reassembler.statistics()
    assert counts["held"] == counts["held_packets"] == counts["held_bytes"] == 0
    assert reassembler.next_deadline_ns() is None


def _check_joined(packet: bytes, last: Part | None) -> None:
    """A packet that has come together has the version of its parts, and says how long it is."""
    assert last is not None
    assert packet[0] >> 4 == last.version
    if last.is_fragment:
        size = (
            int.from_bytes(packet[2:4]) if last.version == 4 else 40 + int.from_bytes(packet[4:6])
        )
        assert size == len(packet)
    # What comes behind a Fragment header nobody has read so far; it need not be right.
    part = read_part(packet)
    assert part is None or part.length <= len(packet)


def seeds() -> Iterable[bytes]:
    """Packets to cut, pieces in order and out of it, and pieces that contradict each other."""
    long = bytes(range(200))
    for packet in (*PLAIN, ipv4(long), ipv6(long), ipv4(long, options=b"\x94\x04\0\0"),
                   ipv6(long, chain=[(43, bytes(7)), (60, bytes(7))])):  # fmt: skip
        for mtu_bytes in (0, 40):
            yield bytes([0, 0, mtu_bytes, 5]) + packet
    for packet in (ipv4(long), ipv6(long)):
        pieces = fragment(packet, 120, 9)
        for choice in (1, 3):
            yield bytes([choice]) + joined(pieces)
            yield bytes([choice]) + joined(reversed(pieces))
            yield bytes([choice]) + joined([pieces[0], pieces[0], *pieces])
    yield b"\1" + joined([*FRAGMENTS, *PLAIN])
    yield b"\3" + joined(ipv4(bytes(8), word=0x2000 | at) for at in range(12))
