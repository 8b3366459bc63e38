"""Cutting IP packets (RFC 791 §3.2, RFC 8200 §4.5); dpkt and scapy read what comes out."""

from __future__ import annotations

import logging
import struct

import dpkt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saactors.errors import ParameterError
from saactors.esp.fragments import fragment, may_be_fragmented
from saactors.esp.ip_packet import internet_checksum

logging.getLogger("scapy").setLevel(logging.ERROR)
scapy_inet = pytest.importorskip("scapy.layers.inet")
scapy_inet6 = pytest.importorskip("scapy.layers.inet6")

DO_NOT_FRAGMENT, MORE_FRAGMENTS = 0x4000, 0x2000
HOP_BY_HOP, ROUTING, DESTINATION_OPTIONS = 0, 43, 60

# Copied into every fragment: loose source route. Not copied: record route, no-operation.
SOURCE_ROUTE = bytes([0x83, 7, 4, 192, 0, 2, 9])
RECORD_ROUTE = bytes([7, 7, 4, 0, 0, 0, 0])
NO_OPERATION = b"\1"


def ipv4(
    body: bytes, *, word: int = 0, identification: int = 0x1234, options: bytes = b""
) -> bytes:
    """An IPv4 packet as dpkt makes it; ``word`` is flags and fragment offset."""
    packet = dpkt.ip.IP(
        src=bytes([10, 0, 0, 1]),
        dst=bytes([10, 0, 0, 2]),
        p=50,
        tos=0xB8,
        id=identification,
        opts=options,
        data=body,
        len=20 + len(options) + len(body),
        hl=5 + len(options) // 4,
    )
    packet._flags_offset = word
    return bytes(packet)


def ipv6(body: bytes, *extensions: tuple[int, bytes], protocol: int = 50) -> bytes:
    """An IPv6 packet; an extension header is its number and what follows its next-header octet."""
    kinds = [kind for kind, _ in extensions] + [protocol]
    chain = b"".join(
        bytes([after]) + rest for (_, rest), after in zip(extensions, kinds[1:], strict=True)
    )
    ends = bytes(15) + b"\1" + bytes(15) + b"\2"
    return struct.pack("!IHBB", 6 << 28, len(chain) + len(body), kinds[0], 64) + ends + chain + body


def body_of(bytes_: int) -> bytes:
    """So many bytes of which any stretch can be told from its neighbours."""
    return (b"".join(struct.pack("!H", number) for number in range(bytes_ // 2 + 1)))[:bytes_]


def offsets(fragments: list[bytes]) -> list[tuple[int, bool]]:
    """Offset in bytes and more-fragments bit of IPv4 fragments."""
    read = [dpkt.ip.IP(each) for each in fragments]
    return [(8 * each.offset, bool(each.mf)) for each in read]


def test_a_packet_that_fits_comes_back_as_it_is() -> None:
    """Without a look at its options or its bits."""
    for packet in (ipv4(body_of(100)), ipv4(b"", word=DO_NOT_FRAGMENT), ipv6(body_of(60))):
        assert fragment(packet, len(packet), 7) == [packet]


def test_an_ipv4_packet_is_cut_at_multiples_of_8_bytes() -> None:
    """RFC 791 §3.2: each body goes on where the one before ends, under one identification."""
    packet = ipv4(body_of(100))
    fragments = fragment(packet, 70, 7)
    assert offsets(fragments) == [(0, True), (48, True), (96, False)]
    assert [len(each) for each in fragments] == [68, 68, 24]
    assert {each[4:6] for each in fragments} == {packet[4:6]}, "the identification that it had"
    assert b"".join(each[20:] for each in fragments) == packet[20:]


def test_the_last_fragment_may_be_of_any_length() -> None:
    """Offsets count in 8 bytes, so only others are bound: 83 bytes go as 80 and 3, or 40 and 43."""
    assert [len(each) - 20 for each in fragment(ipv4(body_of(83)), 100, 0)] == [80, 3]
    assert [len(each) - 20 for each in fragment(ipv4(body_of(83)), 63, 0)] == [40, 43]


def test_fragments_of_a_fragment_stand_where_it_stood() -> None:
    """Offsets add up, and the last has more fragments behind it if the one that was cut had."""
    middle = ipv4(body_of(64), word=MORE_FRAGMENTS | 100)
    assert offsets(fragment(middle, 60, 0)) == [(800, True), (840, True)]
    last = ipv4(body_of(64), word=100)
    assert offsets(fragment(last, 60, 0)) == [(800, True), (840, False)]


def test_later_fragments_have_the_options_that_are_to_be_copied() -> None:
    """RFC 791 §3.1: source routes are, what records the way is not."""
    options = NO_OPERATION + RECORD_ROUTE + SOURCE_ROUTE + b"\0"
    first, *later = fragment(ipv4(body_of(100), options=options), 80, 0)
    assert first[20:36] == options
    assert len(later) > 1
    for each in later:
        assert dpkt.ip.IP(each).opts == SOURCE_ROUTE + b"\0", "padded to a multiple of 4"


@pytest.mark.parametrize("options", [b"\x83\1\0\0", b"\x83\x09\4\0", b"\1\1\1\x83", b"\x07\0\0\0"])
def test_options_that_cannot_be_read_are_not_cut(options: bytes) -> None:
    """A length that leads nowhere; what to copy is anybody's guess."""
    assert fragment(ipv4(body_of(100), options=options), 80, 0) == []


def test_dont_fragment_is_gone_and_a_new_identification_is_there() -> None:
    """A whole packet with it has an identification that means nothing (RFC 6864 §4.1)."""
    fragments = fragment(ipv4(body_of(100), word=DO_NOT_FRAGMENT), 70, 0xABCD_9876)
    assert {each[4:6] for each in fragments} == {b"\x98\x76"}
    assert not any(dpkt.ip.IP(each).df for each in fragments)


def test_an_ipv6_packet_is_cut_behind_what_routers_look_at() -> None:
    """RFC 8200 §4.5: headers up to the routing header are in every fragment, others only once."""
    rest = b"\0" + bytes(6)
    extensions = [(HOP_BY_HOP, rest), (DESTINATION_OPTIONS, rest), (ROUTING, rest)]
    packet = ipv6(body_of(200), *extensions, (DESTINATION_OPTIONS, rest))
    fragments = fragment(packet, 140, 0xDEAD_BEEF)
    for number, each in enumerate(fragments):
        assert len(each) <= 140
        assert struct.unpack_from("!H", each, 4)[0] == len(each) - 40
        assert each[6] == HOP_BY_HOP
        assert each[40:64:8] == bytes([DESTINATION_OPTIONS, ROUTING, 44])
        kind, word, identification = struct.unpack_from("!BxHI", each, 64)
        assert (kind, identification) == (DESTINATION_OPTIONS, 0xDEAD_BEEF)
        assert word == number * 64 | (number < len(fragments) - 1)
    assert b"".join(each[72:] for each in fragments) == packet[64:]


def test_fragments_of_an_ipv6_fragment_keep_its_identification() -> None:
    """Another would make them fragments of another packet."""
    header = struct.pack("!xHI", 80 | 1, 0x0102_0304)
    cut = fragment(ipv6(body_of(64), (44, header)), 88, 5)
    assert [each[41:48] for each in cut] == [
        struct.pack("!xHI", 80 | 1, 0x0102_0304),
        struct.pack("!xHI", 120 | 1, 0x0102_0304),
    ]


@pytest.mark.parametrize(
    ("packet", "least"),
    [
        (ipv4(body_of(100)), 28),
        (ipv4(body_of(100), options=NO_OPERATION * 40), 68),
        (ipv6(body_of(100)), 56),
    ],
)
def test_an_mtu_without_room_for_8_bytes_is_misuse(packet: bytes, least: int) -> None:
    """RFC 791 §3.2: every internet module has room for 68 bytes, the longest header and 8."""
    assert len(fragment(packet, least, 0)) > 1
    with pytest.raises(ParameterError, match=f"mtu_bytes: found {least - 1}, expected {least} or"):
        fragment(packet, least - 1, 0)


@pytest.mark.parametrize("identification", [-1, 1 << 32])
def test_an_identification_has_32_bits(identification: int) -> None:
    """Whether it is needed or not."""
    with pytest.raises(ParameterError, match="identification"):
        fragment(ipv6(body_of(10)), 1280, identification)


def test_who_may_cut() -> None:
    """RFC 791: routers, unless told not to. RFC 8200 §5: never routers."""
    assert may_be_fragmented(ipv4(b""))
    assert may_be_fragmented(ipv4(b"", word=MORE_FRAGMENTS))
    assert not may_be_fragmented(ipv4(b"", word=DO_NOT_FRAGMENT))
    assert not may_be_fragmented(ipv6(b""))
    assert not may_be_fragmented(b"")


OPTIONS = st.sampled_from(
    [b"", NO_OPERATION * 4, SOURCE_ROUTE + NO_OPERATION, RECORD_ROUTE + b"\0"]
)


@given(st.integers(0, 3000), st.integers(68, 1500), OPTIONS)
def test_scapy_joins_ipv4_fragments(size: int, mtu_bytes: int, options: bytes) -> None:
    """Headers and body, and every fragment fits and has its checksum right."""
    packet = ipv4(body_of(size), options=options)
    fragments = fragment(packet, mtu_bytes, 0)
    for each in fragments:
        assert len(each) <= mtu_bytes
        assert internet_checksum(each[: (each[0] & 15) * 4]) == 0
    (joined,) = scapy_inet.defragment([scapy_inet.IP(each) for each in fragments])
    assert bytes(scapy_inet.IP(bytes(joined))) == packet


@given(st.integers(1, 3000), st.integers(1280, 1500))
def test_scapy_joins_ipv6_fragments(size: int, mtu_bytes: int) -> None:
    """If there is more than one."""
    packet = ipv6(body_of(size), protocol=59)
    fragments = fragment(packet, mtu_bytes, 99)
    assert all(len(each) <= mtu_bytes for each in fragments)
    if len(fragments) > 1:
        joined = scapy_inet6.defragment6([scapy_inet6.IPv6(each) for each in fragments])
        assert bytes(joined) == packet


@given(st.integers(1500, 4000), st.integers(64, 1500))
def test_scapy_cuts_ipv4_alike(size: int, mtu_bytes: int) -> None:
    """The same fragments, byte for byte; of what fits scapy makes none."""
    packet = ipv4(body_of(size))
    theirs = scapy_inet.fragment(scapy_inet.IP(packet), fragsize=mtu_bytes - 20)
    assert fragment(packet, mtu_bytes, 0) == [bytes(each) for each in theirs]


@given(st.binary(max_size=200), st.integers(68, 200))
def test_any_bytes_can_be_given(octets: bytes, mtu_bytes: int) -> None:
    """What is no IP packet has no fragments; an IPv6 chain longer than the MTU is the caller's."""
    for first in (0x40, 0x60):
        packet = bytes([first | 5 if octets else 0]) + octets[1:]
        try:
            fragments = fragment(packet, mtu_bytes, 0)
        except ParameterError:
            assert packet[0] >> 4 == 6
        else:
            assert all(len(each) <= mtu_bytes or each == packet for each in fragments)
        may_be_fragmented(packet)
