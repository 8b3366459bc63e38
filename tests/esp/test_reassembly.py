"""Putting packets together again: RFC 791 §3.2, RFC 8200 §4.5, RFC 5722, RFC 3168 §5.3."""

from __future__ import annotations

import logging
import struct
import tracemalloc
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saactors.errors import ParameterError
from saactors.esp.fragment_set import Loss
from saactors.esp.fragments import fragment
from saactors.esp.ip_packet import internet_checksum
from saactors.esp.reassembly import Reassembled, Reassembler, ReassemblyLimits
from saactors.model.verdicts import Verdict

logging.getLogger("scapy").setLevel(logging.ERROR)
scapy_inet = pytest.importorskip("scapy.layers.inet")
scapy_inet6 = pytest.importorskip("scapy.layers.inet6")

ENDS = {4: bytes([10, 0, 0, 1, 10, 0, 0, 2]), 6: bytes(15) + b"\1" + bytes(15) + b"\2"}
NOT_ECT, ECT_1, ECT_0, CE = range(4)
SECOND_NS = 1_000_000_000
SMALL = ReassemblyLimits(packets_max=3, bytes_max=200_000, fragments_max=16)
HELD = Reassembled(Verdict.FRAGMENT_HELD)


def piece(
    offset: int,
    body: bytes,
    *,
    more: bool = True,
    version: int = 4,
    identification: int = 7,
    protocol: int = 50,
    ecn: int = NOT_ECT,
    options: bytes = b"",
    ends: bytes = b"",
) -> bytes:
    """A fragment, written field by field; ``options`` of IPv4, or IPv6's destination options."""
    ends = ends or ENDS[version]
    if version == 4:
        size = 20 + len(options)
        word = offset // 8 | (0x2000 if more else 0)
        fixed = struct.pack(
            *("!BBHHHBBH", 0x40 | size // 4, ecn, size + len(body), identification, word, 64),
            *(protocol, 0),
        )
        return fixed + ends + options + body
    size = 8 + len(body) + len(options)
    fixed = struct.pack("!IHBB", 6 << 28 | ecn << 20, size, 60 if options else 44, 64)
    header = struct.pack("!BxHI", protocol, offset | more, identification)
    return fixed + ends + options + header + body


def give(reassembler: Reassembler, *packets: bytes, now_ns: int = 0) -> list[Reassembled]:
    """One after the other, at one instant."""
    return [reassembler.handle_fragment(packet, now_ns) for packet in packets]


def losses(results: list[Reassembled]) -> list[Loss | None]:
    """Why they were refused, in order."""
    return [result.loss for result in results]


def check_account(reassembler: Reassembler) -> None:
    """Every fragment is somewhere, and nothing is beyond its bound."""
    counts, limits = reassembler.statistics(), reassembler.limits
    accounted = ("joined", "duplicates", "held", *Loss)
    assert counts["fragments"] == sum(counts[name] for name in accounted)
    assert counts["held_packets"] <= limits.packets_max
    assert counts["held_bytes"] <= limits.bytes_max
    assert counts["held"] <= limits.packets_max * limits.fragments_max


PACKETS = st.builds(
    lambda version, size, options, seed: whole(version, Random(seed).randbytes(size), options),
    st.sampled_from([4, 6]),
    st.integers(0, 3000),
    st.sampled_from([0, 4, 12]),
    st.integers(0, 99),
)


def whole(version: int, body: bytes, options_bytes: int = 0) -> bytes:
    """A packet that is no fragment; IPv4 options are no-operations."""
    if version == 6:
        return struct.pack("!IHBB", 6 << 28, len(body), 50, 64) + ENDS[6] + body
    packet = piece(0, body, more=False, options=b"\1" * options_bytes)
    header = packet[: 20 + options_bytes]
    return header[:10] + struct.pack("!H", internet_checksum(header)) + header[12:] + body


@given(PACKETS, st.integers(88, 600), st.randoms(use_true_random=False))
def test_whatever_was_cut_is_put_together_again(packet: bytes, mtu: int, chance: Random) -> None:
    """In any order, with any of the fragments any number of times, and cut a second time."""
    fragments = fragment(packet, mtu, 0xABCD_1234)
    fragments = [part for each in fragments for part in fragment(each, chance.randint(88, 600), 0)]
    order = [*fragments, *chance.choices(fragments, k=3)]
    chance.shuffle(order)
    reassembler = Reassembler()
    made = []
    missing = set(fragments)
    for each in order:
        result = reassembler.handle_fragment(each, 0)
        missing.discard(each)
        if result.verdict is Verdict.PASSED:
            assert len(fragments) == 1 or not missing
            made.append(result.packet)
            missing = set(fragments)
        else:
            assert result == HELD
    assert made
    assert set(made) == {packet}
    check_account(reassembler)


@given(st.integers(1, 4000), st.integers(68, 600), st.randoms(use_true_random=False))
def test_what_scapy_cuts_is_put_together(size: int, mtu: int, chance: Random) -> None:
    """Fragments that are none of ours."""
    packet = whole(4, chance.randbytes(size + mtu))
    cut = [bytes(each) for each in scapy_inet.fragment(scapy_inet.IP(packet), fragsize=mtu - 20)]
    chance.shuffle(cut)
    *held, last = give(Reassembler(), *cut)
    assert held == [HELD] * (len(cut) - 1)
    assert last == Reassembled(Verdict.PASSED, packet)


@given(st.integers(0, 3000), st.integers(1280, 1500), st.randoms(use_true_random=False))
def test_what_scapy_cuts_of_ipv6_is_put_together(size: int, mtu: int, chance: Random) -> None:
    """Its identification is its own choice."""
    packet = whole(6, chance.randbytes(size + mtu))
    cut = [bytes(each) for each in scapy_inet6.fragment6(scapy_inet6.IPv6(packet), mtu)]
    chance.shuffle(cut)
    assert give(Reassembler(), *cut)[-1] == Reassembled(Verdict.PASSED, packet)


def test_a_packet_put_together_is_as_it_was() -> None:
    """Its length, no fragment bits, no "don't fragment", a right checksum, the first's options."""
    first = piece(0, b"a" * 16, options=b"\1" * 4)
    last = bytearray(piece(16, b"b" * 5, more=False))
    last[6] |= 0x40
    _, (verdict, packet, _) = give(Reassembler(), bytes(last), first)
    assert verdict is Verdict.PASSED
    assert packet[:10] == bytes([0x46, 0, 0, 45, 0, 7, 0, 0, 64, 50])
    assert internet_checksum(packet[:24]) == 0
    assert packet[12:] == ENDS[4] + b"\1" * 4 + b"a" * 16 + b"b" * 5


def test_an_ipv6_packet_loses_its_fragment_header() -> None:
    """The first fragment's headers and next header count, whatever the others say (RFC 8200)."""
    options = bytes([44, 0, 1, 4, 0, 0, 0, 0])
    first = piece(0, b"a" * 8, version=6, options=options, protocol=50)
    last = piece(8, b"b" * 3, more=False, version=6, protocol=17)
    _, (_, packet, _) = give(Reassembler(), last, first)
    assert packet[4:7] == bytes([0, 19, 60])
    assert packet[40:] == bytes([50]) + options[1:] + b"a" * 8 + b"b" * 3


def test_what_is_no_fragment_passes() -> None:
    """A whole packet, whatever the link has put behind it, and an atomic fragment (RFC 6946)."""
    packets = [
        whole(4, b"data") + b"\0\0",
        whole(6, b"data"),
        piece(0, b"x", more=False, version=6),
    ]
    reassembler = Reassembler()
    for packet in packets:
        assert give(reassembler, packet) == [Reassembled(Verdict.PASSED, packet)]
    assert not any(reassembler.statistics().values())


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(
    ("offset", "size", "more"),
    [(8, 16, True), (8, 8, True), (0, 32, True), (16, 16, True), (0, 8, True), (16, 8, False)],
    ids=["over both", "inside", "around all", "over the end", "its beginning", "last over it"],
)
def test_fragments_that_overlap_take_all_with_them(
    version: int, offset: int, size: int, more: bool
) -> None:
    """RFC 5722: whoever looked at them on the way may have seen another packet."""
    reassembler = Reassembler()
    held = piece(0, b"a" * 24, version=version), piece(40, b"b" * 8, version=version)
    refused = give(reassembler, *held, piece(offset, b"c" * size, more=more, version=version))[-1]
    assert refused.verdict is Verdict.FRAGMENT_REFUSED
    assert refused.loss in {Loss.OVERLAP, Loss.INCONSISTENT}
    assert refused.packet == b""
    counts = reassembler.statistics()
    assert counts[refused.loss] == 3
    assert counts["held_packets"] == counts["held_bytes"] == 0


def test_a_duplicate_is_no_overlap() -> None:
    """RFC 8200 §4.5; but one with other bytes is, and so is one that claims to be the last."""
    for other in (piece(8, b"x" * 8), piece(8, b"a" * 8, more=False)):
        reassembler = Reassembler()
        assert give(reassembler, *[piece(8, b"a" * 8)] * 3) == [HELD] * 3
        assert reassembler.statistics()["duplicates"] == 2
        assert losses(give(reassembler, other)) == [Loss.OVERLAP]


@pytest.mark.parametrize(
    "pieces",
    [
        [piece(16, b"a" * 8, more=False), piece(24, b"b" * 8, more=False)],
        [piece(16, b"a" * 8, more=False), piece(8, b"b" * 4, more=False)],
        [piece(16, b"a" * 8, more=False), piece(24, b"b" * 8)],
        [piece(24, b"a" * 8), piece(8, b"b" * 8, more=False)],
        [piece(16, b"a" * 8, more=False), piece(8, b"b" * 16)],
    ],
)
def test_fragments_that_disagree_about_the_end_take_all_with_them(pieces: list[bytes]) -> None:
    """Two ends, or something behind the end."""
    reassembler = Reassembler()
    assert losses(give(reassembler, *pieces)) == [None, Loss.INCONSISTENT]
    assert reassembler.statistics()["held_packets"] == 0
    check_account(reassembler)


@pytest.mark.parametrize("version", [4, 6])
def test_a_fragment_wrong_by_itself_goes_alone(version: int) -> None:
    """Not a multiple of 8 bytes, beyond 65 535, or empty: the others of its packet stay."""
    reassembler = Reassembler()
    good = piece(0, b"a" * 8, version=version)
    bad = [
        piece(8, b"b" * 7, version=version),
        piece(65_528, b"b" * 8, more=False, version=version),
        piece(8, b"", version=version),
    ]
    last = piece(8, b"b" * 7, more=False, version=version)
    results = give(reassembler, good, *bad, last)
    assert losses(results) == [None, Loss.MISALIGNED, Loss.TOO_LONG, Loss.MALFORMED, None]
    assert [result.verdict for result in results] == [
        Verdict.FRAGMENT_HELD,
        Verdict.FRAGMENT_REFUSED,
        Verdict.FRAGMENT_REFUSED,
        Verdict.MALFORMED_IP,
        Verdict.PASSED,
    ]
    check_account(reassembler)


@pytest.mark.parametrize("version", [4, 6])
def test_the_longest_packet_goes_through_and_a_longer_one_does_not(version: int) -> None:
    """65 535 bytes, of which IPv6 does not count its header; first headers may make it too long."""
    most = 65_535 - (20 if version == 4 else 0)
    for size, options, expected in ((most, b"", None), (most, bytes([44, 0]) + bytes(6), "long")):
        first = piece(0, b"a" * 40_000, version=version, options=options)
        last = piece(40_000, b"b" * (size - 40_000), more=False, version=version)
        reassembler = Reassembler()
        _, result = give(reassembler, last, first)
        if expected is None:
            assert len(result.packet) == 65_535 + (40 if version == 6 else 0)
        else:
            assert result == Reassembled(Verdict.FRAGMENT_REFUSED, loss=Loss.TOO_LONG)
            assert reassembler.statistics()[Loss.TOO_LONG] == 2
        check_account(reassembler)


@pytest.mark.parametrize(
    "other",
    [
        {"identification": 8},
        {"protocol": 17},
        {"ends": bytes([10, 0, 0, 1, 10, 0, 0, 3])},
        {"ends": bytes([10, 0, 0, 3, 10, 0, 0, 2])},
    ],
)
def test_fragments_of_different_packets_are_not_joined(other: dict[str, Any]) -> None:
    """RFC 791 §3.2: both addresses, identification and protocol tell packets apart."""
    first, last = piece(0, b"a" * 8), piece(8, b"b", more=False, **other)
    assert give(Reassembler(), first, last) == [HELD, HELD]


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        ((NOT_ECT, NOT_ECT), NOT_ECT),
        ((ECT_0, ECT_0), ECT_0),
        ((ECT_0, CE), CE),
        ((CE, ECT_1), CE),
        ((CE, CE), CE),
        ((NOT_ECT, CE), None),
        ((CE, NOT_ECT), None),
        ((ECT_1, ECT_0), ECT_1),
    ],
)
def test_congestion_is_never_forgotten(
    version: int, marks: tuple[int, int], expected: int | None
) -> None:
    """RFC 3168 §5.3: one mark marks the packet; with one that cannot be marked it is dropped."""
    first = piece(0, b"a" * 8, version=version, ecn=marks[0])
    last = piece(8, b"b" * 8, more=False, version=version, ecn=marks[1])
    reassembler = Reassembler()
    _, result = give(reassembler, first, last)
    check_account(reassembler)
    if expected is None:
        assert result == Reassembled(Verdict.FRAGMENT_REFUSED, loss=Loss.CONGESTION_ON_NOT_ECT)
    else:
        shift = 0 if version == 4 else 4
        assert result.packet[1] >> shift & 3 == expected


def test_time_runs_from_the_first_fragment() -> None:
    """RFC 8200 §4.5: 60 seconds, whatever comes in between."""
    reassembler = Reassembler()
    assert reassembler.next_deadline_ns() is None
    give(reassembler, piece(0, b"a" * 8), now_ns=5)
    give(reassembler, piece(8, b"b" * 8), now_ns=59 * SECOND_NS)
    assert reassembler.next_deadline_ns() == 60 * SECOND_NS + 5
    reassembler.handle_time(60 * SECOND_NS + 4)
    assert reassembler.statistics()["held"] == 2
    assert give(reassembler, piece(16, b"c", more=False), now_ns=60 * SECOND_NS + 5) == [HELD]
    counts = reassembler.statistics()
    assert (counts[Loss.TIMED_OUT], counts["held"]) == (2, 1)
    assert reassembler.next_deadline_ns() == 120 * SECOND_NS + 5
    check_account(reassembler)


def test_the_oldest_packet_makes_room_for_a_newcomer() -> None:
    """The one whose first fragment came first, though it has had another since."""
    reassembler = Reassembler(SMALL)
    give(reassembler, *(piece(0, b"a" * 8, identification=number) for number in (1, 2, 3)))
    give(reassembler, piece(16, b"c" * 8, identification=1))
    give(reassembler, piece(0, b"a" * 8, identification=4))
    assert reassembler.statistics()[Loss.TABLE_FULL_PACKETS] == 2
    ends = [piece(8, b"b", more=False, identification=number) for number in (2, 3, 4)]
    assert [result.verdict for result in give(reassembler, *ends)] == [Verdict.PASSED] * 3


def test_the_oldest_others_make_room_for_bytes() -> None:
    """A packet that needs them is never given up for itself, though it is the oldest."""
    reassembler = Reassembler(ReassemblyLimits(bytes_max=133_000, fragments_max=2))
    for identification, size in ((1, 40_000), (2, 60_000), (3, 20_000)):
        give(reassembler, piece(0, b"a" * size, identification=identification))
    assert reassembler.statistics()["held"] == 3
    give(reassembler, piece(40_000, b"b" * 10_000, more=False, identification=1))
    assert reassembler.statistics()[Loss.TABLE_FULL_BYTES] == 1
    last = piece(20_000, b"b", more=False, identification=3)
    assert give(reassembler, last)[0].verdict is Verdict.PASSED
    check_account(reassembler)


def test_a_packet_in_too_many_pieces_is_given_up() -> None:
    """Nobody's link has an MTU that makes so many of them."""
    reassembler = Reassembler(SMALL)
    results = give(reassembler, *(piece(8 * n, b"a" * 8) for n in range(17)))
    assert results[:-1] == [HELD] * 16
    assert results[-1].loss is Loss.TOO_MANY_FRAGMENTS
    assert reassembler.statistics()[Loss.TOO_MANY_FRAGMENTS] == 17


@pytest.mark.parametrize(
    ("name", "value"),
    [("packets_max", 0), ("fragments_max", 1), ("bytes_max", 131_072), ("timeout_ns", 0)],
)
def test_limits_leave_room_for_one_packet(name: str, value: int) -> None:
    """Else nothing would ever come out, and nobody would know why."""
    with pytest.raises(ParameterError, match=f"{name}: found {value}, expected"):
        ReassemblyLimits(**{name: value})


@given(st.lists(st.binary(max_size=120), max_size=20), st.randoms(use_true_random=False))
def test_any_bytes_have_a_verdict(packets: list[bytes], chance: Random) -> None:
    """Noise, noise behind the first bytes of a header, and fragments with one bit changed."""
    reassembler = Reassembler(SMALL)
    for octets in packets:
        spoilt = bytearray(chance.choice([piece(0, octets), piece(8, octets, version=6)]))
        spoilt[chance.randrange(len(spoilt))] ^= 1 << chance.randrange(8)
        for packet in (octets, b"\x45" + octets, b"\x60" + octets, bytes(spoilt)):
            result = reassembler.handle_fragment(packet, 0)
            assert (result.packet != b"") == (result.verdict is Verdict.PASSED)
    check_account(reassembler)


ATTACKS = st.lists(
    st.tuples(
        st.integers(0, 40),  # identification
        st.sampled_from([0, 8, 16, 800, 40_000, 65_504]),
        st.sampled_from([1, 8, 16, 1400, 30_000]),
        st.booleans(),
        st.sampled_from([4, 6]),
        st.integers(0, SECOND_NS),
    ),
    max_size=60,
)


@given(ATTACKS)
def test_no_stream_of_fragments_breaks_a_bound(attack: list[tuple[int, ...]]) -> None:
    """After every single one: packets, bytes, and the account of all fragments."""
    limits = ReassemblyLimits(
        packets_max=5, bytes_max=160_000, fragments_max=4, timeout_ns=3 * SECOND_NS
    )
    reassembler = Reassembler(limits)
    now_ns = 0
    for identification, offset, size, more, version, pause_ns in attack:
        now_ns += pause_ns
        body = bytes(size)
        packet = piece(
            offset, body, more=bool(more), version=version, identification=identification
        )
        reassembler.handle_fragment(packet, now_ns)
        check_account(reassembler)
        deadline_ns = reassembler.next_deadline_ns()
        assert deadline_ns is None or deadline_ns > now_ns
    reassembler.handle_time(now_ns + limits.timeout_ns)
    counts = reassembler.statistics()
    assert counts["held"] == counts["held_packets"] == counts["held_bytes"] == 0


@pytest.mark.parametrize("fragments", [1, 20])
@pytest.mark.parametrize("size", [8, 1400])
@pytest.mark.parametrize("version", [4, 6])
def test_the_bytes_counted_are_the_memory_taken(version: int, size: int, fragments: int) -> None:
    """Of packets whose last fragment never comes, with one fragment each or many."""
    tracemalloc.start()
    reassembler = Reassembler(ReassemblyLimits(bytes_max=1 << 20))
    before, _ = tracemalloc.get_traced_memory()
    for number in range(4000):
        identification, nth = divmod(number, fragments)
        fragment_of_it = piece(
            1400 * nth, bytes(size), version=version, identification=identification
        )
        reassembler.handle_fragment(fragment_of_it, 0)
    taken_bytes = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    counts = reassembler.statistics()
    assert counts["held"] > 400
    assert taken_bytes <= counts["held_bytes"] <= 1 << 20
