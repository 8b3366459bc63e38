"""Paths too narrow for a packet (RFC 4301 §8): ICMP to its sender and from the path, fragments."""

from __future__ import annotations

import random
import struct
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saactors.esp.association import Association
from saactors.esp.fragments import Fragmenting
from saactors.esp.header_rules import HeaderRules
from saactors.esp.icmp import too_big
from saactors.esp.inbound import InboundProcessor
from saactors.esp.outbound import OutboundProcessor
from saactors.esp.reassembly import Reassembler
from saactors.model.sa import Mode
from saactors.model.verdicts import Verdict

V4 = ("192.0.2.1", "198.51.100.2")
V6 = ("2001:db8::1", "2001:db8:ffff::2")
DO_NOT_FRAGMENT = 0x4000
GCM = "aes-gcm-128"
CBC = "aes-cbc-128-hmac-sha2-256-128"


def association(
    outer: tuple[str, str] = V4,
    path_mtu_bytes: int = 0,
    suite: str = GCM,
    *,
    spi: int = 0x1001,
    mode: Mode = Mode.TUNNEL,
    ports: tuple[int, int] = (0, 0),
    headers: HeaderRules | None = None,
) -> Association:
    """An SA between these ends, over a path that is so wide."""
    gcm = suite == GCM
    return Association(
        spi, suite, bytes(20 if gcm else 16), b"" if gcm else bytes(32), mode,
        *map(ip_address, outer), *ports,
        headers=headers or HeaderRules(), path_mtu_bytes=path_mtu_bytes,
    )  # fmt: skip


@pytest.mark.parametrize("suite", [GCM, CBC])
@pytest.mark.parametrize("ports", [(0, 0), (4500, 4500)])
def test_the_sender_of_an_ipv4_packet_is_told_what_fits(
    builders: Any, suite: str, ports: tuple[int, int]
) -> None:
    """Fragmentation needed and DF set (RFC 1191), and a packet of the size told does fit."""
    sender = OutboundProcessor([association(V4, 1400, suite, ports=ports)])
    packet = builders.ipv4(bytes(1400), flags=DO_NOT_FRAGMENT)
    (outcome,) = sender.process([packet], [0])
    assert (outcome.verdict, outcome.packets) == (Verdict.PACKET_TOO_BIG, ())
    reply = outcome.reply
    assert (reply[9], reply[12:16], reply[16:20]) == (1, ip_address(V4[0]).packed, packet[12:16])
    assert reply[20:22] == bytes([3, 4])
    assert builders.checksum(reply[20:]) == builders.checksum(reply[:20]) == 0
    assert packet.startswith(reply[28:])
    (told,) = struct.unpack_from("!H", reply, 26)
    assert told == sender.inner_mtu_bytes(0) < 1400
    fits = builders.ipv4(bytes(told - 20), flags=DO_NOT_FRAGMENT)
    larger = builders.ipv4(bytes(told - 19), flags=DO_NOT_FRAGMENT)
    passed, refused = sender.process([fits, larger], [0, 0])
    assert (passed.verdict, passed.reply) == (Verdict.PASSED, b"")
    assert len(passed.packets[0]) <= 1400
    assert refused.verdict is Verdict.PACKET_TOO_BIG
    assert sender.statistics() == {"passed": 1, "packet_too_big": 2}


def test_the_sender_of_an_ipv6_packet_is_told_what_fits(builders: Any) -> None:
    """Packet too big (RFC 4443 §3.2); IPv6 packets are never cut on the way."""
    sender = OutboundProcessor([association(V6, 1400)])
    packet = builders.ipv6(bytes(1400))
    (outcome,) = sender.process([packet], [0])
    assert outcome.verdict is Verdict.PACKET_TOO_BIG
    reply = outcome.reply
    assert (reply[6], reply[24:40]) == (58, packet[8:24])
    assert reply[40:42] == bytes([2, 0])
    (told,) = struct.unpack_from("!I", reply, 44)
    assert told == sender.inner_mtu_bytes(0)
    (passed,) = sender.process([builders.ipv6(bytes(told - 40))], [0])
    assert len(passed.packets[0]) <= 1400


def test_pieces_take_their_numbers_in_a_row(builders: Any) -> None:
    """The outcome has the first of them, and the next packet the one after the last."""
    sender = OutboundProcessor([association(V4, 1400)])
    small, large = builders.ipv4(b"small"), builders.ipv4(bytes(3000))
    outcomes = sender.process([small, large, small], [0, 0, 0])
    assert [len(each.packets) for each in outcomes] == [1, 3, 1]
    assert [each.sequence for each in outcomes] == [1, 2, 5]
    assert sender.statistics() == {"passed": 3}


def test_a_packet_that_has_travelled_too_far_is_answered(builders: Any) -> None:
    """Time exceeded, where the gateway is a hop on the way (RFC 4301 §5.1.2.1)."""
    rules = HeaderRules(forwards=True)
    v4, v6 = (association(outer, headers=rules) for outer in (V4, V6))
    packets = [bytearray(builders.ipv4(b"data")), bytearray(builders.ipv6(b"data"))]
    packets[0][8], packets[1][7] = 1, 1
    packets[0][10:12] = bytes(2)
    packets[0][10:12] = builders.checksum(bytes(packets[0][:20])).to_bytes(2)
    outcomes = OutboundProcessor([v4, v6]).process([bytes(each) for each in packets], [0, 1])
    assert {each.verdict for each in outcomes} == {Verdict.HOP_LIMIT_EXCEEDED}
    assert outcomes[0].reply[20:22] == bytes([11, 0])
    assert outcomes[1].reply[40:42] == bytes([3, 0])


def test_nobody_is_answered_whom_the_tunnel_s_end_cannot_address(builders: Any) -> None:
    """An IPv6 packet in an IPv4 tunnel: the verdict says it all the same."""
    sender = OutboundProcessor([association(V4, 1400)])
    (outcome,) = sender.process([builders.ipv6(bytes(1400))], [0])
    assert (outcome.verdict, outcome.reply) == (Verdict.PACKET_TOO_BIG, b"")


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from([V4, V6]),
    st.sampled_from([GCM, CBC]),
    st.integers(1280, 1500),
    st.integers(0, 9000),
)
def test_pieces_cut_before_encryption_are_packets_of_their_own(
    builders: Any, outer: tuple[str, str], suite: str, path_mtu: int, size: int
) -> None:
    """Each fits, opens by itself, and the receiver of the inner packet joins them."""
    form = association(outer, path_mtu, suite)
    packet = builders.ipv4((bytes(range(256)) * 36)[:size])
    (outcome,) = OutboundProcessor([form]).process([packet], [0])
    assert outcome.verdict is Verdict.PASSED
    assert max(len(each) for each in outcome.packets) <= path_mtu
    opened = InboundProcessor([form]).process(outcome.packets)
    assert {each.verdict for each in opened} == {Verdict.PASSED}
    assert [each.sequence for each in opened] == list(range(1, len(opened) + 1))
    pieces = [each.packets[0] for each in opened]
    if len(pieces) == 1:
        assert pieces == [packet]
        return
    joining = Reassembler()
    assert [joining.handle_fragment(each, 0).packet for each in pieces][-1] == packet


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from([V4, V6]),
    st.sampled_from(Mode),
    st.sampled_from([(0, 0), (4500, 4500)]),
    st.integers(1280, 1500),
    st.integers(0, 9000),
    st.integers(0, 2**32),
)
def test_pieces_cut_after_encryption_are_joined_before_opening(
    builders: Any,
    outer: tuple[str, str],
    mode: Mode,
    ports: tuple[int, int],
    path_mtu: int,
    size: int,
    seed: int,
) -> None:
    """In whatever order they come; the last to come has the packet, the others are held.

    In transport mode over IPv6 the host's own packet is too big, and its sender has to cut it.
    """
    form = association(outer, path_mtu, mode=mode, ports=ports)
    build = builders.ipv6 if mode is Mode.TRANSPORT and outer is V6 else builders.ipv4
    packet = build(bytes(size), ends=outer) if mode is Mode.TRANSPORT else build(bytes(size))
    sender = OutboundProcessor([form], fragmenting=Fragmenting.AFTER)
    (outcome,) = sender.process([packet], [0])
    if build is builders.ipv6 and len(packet) > sender.inner_mtu_bytes(0):
        assert outcome.verdict is Verdict.PACKET_TOO_BIG
        return
    assert outcome.verdict is Verdict.PASSED
    assert max(len(each) for each in outcome.packets) <= path_mtu
    wire = list(outcome.packets)
    random.Random(seed).shuffle(wire)
    receiver = InboundProcessor([form])
    *held, last = receiver.process(wire)
    assert {each.verdict for each in held} <= {Verdict.FRAGMENT_HELD}
    assert (last.verdict, last.packets, last.sequence) == (Verdict.PASSED, (packet,), 1)
    if held:
        (refused, *_) = InboundProcessor([form], reassembly=None).process(wire)
        assert refused.verdict is Verdict.OUTER_FRAGMENT


def test_headers_that_leave_no_room_on_the_path_are_no_reason_to_raise(builders: Any) -> None:
    """In transport mode they stay in front: an IPv6 hop-by-hop header of 1232 bytes, of 1280.

    And IPv4 options that say no length: what has to be repeated in each piece cannot be told.
    """
    options = b"".join(bytes([1, size]) + bytes(size) for size in (255, 255, 255, 255, 200))
    long = builders.ipv6(b"12345678", chain=[(0, bytes([153]) + options)], ends=V6)
    unreadable = builders.ipv4(bytes(2000), options=b"\x07\0\0\0", ends=V4)
    assert len(long) == 1280
    forms = [
        association(outer, 1280, spi=spi, mode=Mode.TRANSPORT)
        for spi, outer in ((0x1001, V6), (0x2002, V4))
    ]
    plain = builders.ipv4(b"neighbour", ends=V4)
    for fragmenting in Fragmenting:
        sender = OutboundProcessor(forms, fragmenting=fragmenting)
        outcomes = sender.process([long, unreadable, plain], [0, 1, 1])
        assert [(each.verdict, len(each.packets)) for each in outcomes] == [
            (Verdict.PACKET_TOO_BIG, 0),
            (Verdict.MALFORMED_IP, 0),
            (Verdict.PASSED, 1),
        ]


def test_the_path_makes_itself_narrower(builders: Any) -> None:
    """A router's "too big" about a packet of ours is taken from then on, and never widens it."""
    sender = OutboundProcessor([association(V4, 1500), association(V6, spi=0x2002)])
    packets = [builders.ipv4(bytes(1300), flags=DO_NOT_FRAGMENT), builders.ipv6(bytes(1400))]
    first, second = (each.packets[0] for each in sender.process(packets, [0, 1]))
    routers = ip_address("203.0.113.9"), ip_address("2001:db8:99::9")
    before = sender.inner_mtu_bytes(0)
    assert sender.handle_icmp(too_big(first, 1300, routers[0])) == 0
    assert sender.inner_mtu_bytes(0) == before - 200
    assert sender.handle_icmp(too_big(first, 1300, routers[0])) is None
    assert sender.handle_icmp(too_big(first, 1400, routers[0])) is None
    assert sender.handle_icmp(too_big(second, 1280, routers[1])) == 1
    outcomes = sender.process(packets, [0, 1])
    assert {each.verdict for each in outcomes} == {Verdict.PACKET_TOO_BIG}
    assert outcomes[0].reply
    assert outcomes[1].reply


def test_no_message_makes_a_path_narrower_than_the_least(builders: Any) -> None:
    """Anybody can send one: 576 bytes over IPv4, 1280 over IPv6."""
    forms = [association(V4), association(V6, spi=0x2002)]
    sender = OutboundProcessor(forms)
    first, second = (
        each.packets[0] for each in sender.process([builders.ipv4(bytes(1300))] * 2, [0, 1])
    )
    assert sender.handle_icmp(too_big(first, 68, ip_address("203.0.113.9"))) == 0
    assert sender.handle_icmp(too_big(second, 1280, ip_address("2001:db8:99::9"))) == 1
    assert sender.sas.records["path_mtu_bytes"].tolist() == [576, 1280]


def test_messages_about_other_packets_are_nothing_to_us(builders: Any) -> None:
    """Another SPI, another destination, what is not ESP, what is broken, what is no ICMP."""
    sender = OutboundProcessor([association()])
    router = ip_address("203.0.113.9")
    others = [association(spi=0x3003), association((V4[0], "198.51.100.77"))]
    packet = builders.ipv4(bytes(1300))
    sealed = [each.packets[0] for each in OutboundProcessor(others).process([packet] * 2, [0, 1])]
    (ours,) = sender.process([packet], [0])[0].packets
    about_ours = too_big(ours, 1300, router)
    messages = [
        *(too_big(each, 1300, router) for each in (*sealed, packet)),
        about_ours[:-1] + bytes([about_ours[-1] ^ 1]),
        about_ours[:30],
        packet,
        b"",
    ]
    assert [sender.handle_icmp(each) for each in messages] == [None] * len(messages)
    assert sender.handle_icmp(about_ours) == 0
