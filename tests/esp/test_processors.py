"""Processors as their callers see them: finding SAs, lifetimes, time, sums, and any bytes at all.

Fragments and ICMP: ``test_processor_paths``. Windows and suites: ``test_esp_identity``.
"""

from __future__ import annotations

import struct
from collections import Counter
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saactors.errors import ParameterError
from saactors.esp.association import Association
from saactors.esp.fragments import Fragmenting, fragment
from saactors.esp.inbound import InboundProcessor
from saactors.esp.lifetime import NO_LIMIT, Lifetime
from saactors.esp.lifetimes import LifetimeEvent
from saactors.esp.outbound import OutboundProcessor
from saactors.esp.reassembly import ReassemblyLimits
from saactors.model.packets import NO_SA
from saactors.model.sa import Mode
from saactors.model.verdicts import Verdict

HERE, THERE, ELSEWHERE = "192.0.2.1", "198.51.100.2", "198.51.100.3"
SECOND_NS = 1_000_000_000


def association(
    spi: int = 0x1001,
    destination: str | None = THERE,
    *,
    mode: Mode = Mode.TUNNEL,
    lifetime: Lifetime = NO_LIMIT,
    key: bytes = bytes(20),
    first: int = 1,
) -> Association:
    """An SA to there; None: to nowhere in particular."""
    return Association(
        spi,
        "aes-gcm-128",
        key,
        mode=mode,
        source=ip_address(HERE) if destination else None,
        destination=ip_address(destination) if destination else None,
        lifetime=lifetime,
        first_sequence=first,
    )


def udp(source: int, destination: int, payload: bytes) -> bytes:
    """A UDP datagram without a checksum."""
    return struct.pack("!4H", source, destination, 8 + len(payload), 0) + payload


def test_what_is_not_esp_is_told_apart(builders: Any) -> None:
    """IKE on either port, keepalives, traffic that is none of ours, and SPIs we do not have."""
    esp = struct.pack("!II", 0x9999, 1) + bytes(40)
    packets = {
        builders.ipv4(udp(500, 500, b"IKE")): Verdict.IKE,
        builders.ipv4(udp(4500, 4500, bytes(4) + b"IKE")): Verdict.IKE,
        builders.ipv4(udp(4500, 4500, b"\xff")): Verdict.NAT_KEEPALIVE,
        builders.ipv4(udp(4500, 4500, esp)): Verdict.UNKNOWN_SPI,
        builders.ipv4(esp, protocol=50): Verdict.UNKNOWN_SPI,
        builders.ipv4(esp[:7], protocol=50): Verdict.MALFORMED_ESP,
        builders.ipv4(udp(53, 53, b"name")): Verdict.NOT_ESP,
        builders.ipv6(bytes(20), protocol=6): Verdict.NOT_ESP,
        builders.ipv4(bytes(30))[:-1]: Verdict.MALFORMED_IP,
        b"": Verdict.MALFORMED_IP,
    }
    receiver = InboundProcessor([association()])
    outcomes = receiver.process(list(packets))
    assert [each.verdict for each in outcomes] == list(packets.values())
    assert {each.sa for each in outcomes} == {NO_SA}
    assert {each.packets for each in outcomes} == {()}


def test_an_sa_is_found_by_spi_and_destination(builders: Any) -> None:
    """Two receivers behind one processor may have the same SPI (RFC 4301 §4.1)."""
    there = association(destination=THERE, key=b"t" * 20)
    elsewhere = association(destination=ELSEWHERE, key=b"e" * 20)
    packet = builders.ipv4(b"data")
    sealed = OutboundProcessor([elsewhere, there]).process([packet] * 2, [0, 1])
    outcomes = InboundProcessor([there, elsewhere]).process([each.packets[0] for each in sealed])
    assert [(each.verdict, each.sa) for each in outcomes] == [
        (Verdict.PASSED, 1),
        (Verdict.PASSED, 0),
    ]
    (unknown,) = InboundProcessor([there]).process(sealed[0].packets)
    assert unknown.verdict is Verdict.UNKNOWN_SPI


def test_an_sa_without_destination_takes_what_no_other_does(builders: Any) -> None:
    """In transport mode an SA need not say whom it is between."""
    anyone = association(destination=None, mode=Mode.TRANSPORT, key=b"a" * 20)
    there = association(mode=Mode.TRANSPORT, key=b"t" * 20)
    packets = [builders.ipv4(b"data", ends=(HERE, end)) for end in (THERE, ELSEWHERE)]
    sealed = OutboundProcessor([there, anyone]).process(packets, [0, 1])
    outcomes = InboundProcessor([anyone, there]).process([each.packets[0] for each in sealed])
    assert [each.sa for each in outcomes] == [1, 0]
    assert [each.packets for each in outcomes] == [(packet,) for packet in packets]


def test_sas_can_be_added_at_any_time(builders: Any) -> None:
    """They come behind the others, whose numbers and windows go on, and their time starts then."""
    first, second = association(), association(0x2002, first=70)
    limited = association(0x3003, lifetime=Lifetime(soft_ns=SECOND_NS, hard_ns=2 * SECOND_NS))
    sender, receiver = OutboundProcessor([first]), InboundProcessor([first])
    packet = builders.ipv4(b"data")
    wire = [sender.process([packet], [0])[0].packets[0]]
    assert receiver.process(wire)[0].verdict is Verdict.PASSED
    for processor in (sender, receiver):
        assert processor.add([second, limited], now_ns=5 * SECOND_NS) == range(1, 3)
        assert processor.next_deadline_ns() == 6 * SECOND_NS
    sealed = sender.process([packet] * 3, [0, 1, 2], now_ns=5 * SECOND_NS)
    assert [each.sequence for each in sealed] == [2, 70, 1]
    outcomes = receiver.process(wire + [each.packets[0] for each in sealed], 5 * SECOND_NS)
    assert [each.verdict for each in outcomes] == [Verdict.REPLAYED] + [Verdict.PASSED] * 3
    assert [each.sa for each in outcomes] == [0, 0, 1, 2]


def test_packets_older_than_where_an_sa_begins_are_replays(builders: Any) -> None:
    """``first_sequence`` is the least that has not been received."""
    packet = builders.ipv4(b"data")
    sealed = OutboundProcessor([association(first=68)]).process([packet] * 3, [0, 0, 0])
    receiver = InboundProcessor([association(first=70)])
    verdicts = [each.verdict for each in receiver.process([one.packets[0] for one in sealed])]
    assert verdicts == [Verdict.REPLAYED, Verdict.REPLAYED, Verdict.PASSED]


def test_a_lifetime_ends_on_both_sides_alike(builders: Any) -> None:
    """Bytes are those of the inner packet, so that both count the same."""
    packet = builders.ipv4(bytes(80))
    limit = Lifetime(soft_bytes=150, hard_bytes=300)
    sender, receiver = OutboundProcessor([association(lifetime=limit)]), InboundProcessor(
        [association(lifetime=limit)]
    )  # fmt: skip
    free = OutboundProcessor([association()])
    verdicts = [each.verdict for each in sender.process([packet] * 4, [0] * 4, now_ns=7)]
    assert verdicts == [Verdict.PASSED] * 3 + [Verdict.LIFETIME_EXPIRED]
    wire = [each.packets[0] for each in free.process([packet] * 4, [0] * 4)]
    assert [each.verdict for each in receiver.process(wire, now_ns=7)] == verdicts
    expected = [LifetimeEvent(0, "soft", "bytes", 7), LifetimeEvent(0, "hard", "bytes", 7)]
    assert sender.poll_events() == receiver.poll_events() == expected
    assert sender.poll_events() == receiver.poll_events() == []


def test_a_packet_refused_for_its_lifetime_uses_no_number(builders: Any) -> None:
    """Its sequence number is 0, for none."""
    sender = OutboundProcessor([association(lifetime=Lifetime(hard_packets=1))])
    first, second = sender.process([builders.ipv4(b"data")] * 2, [0, 0])
    assert (first.sequence, second.sequence) == (1, 0)
    assert second.packets == ()


def test_deadlines_are_met_in_their_order(builders: Any) -> None:
    """Fragments that wait and limits of time; the earliest is the next."""
    lifetime = Lifetime(soft_ns=10 * SECOND_NS, hard_ns=20 * SECOND_NS)
    limits = ReassemblyLimits(timeout_ns=3 * SECOND_NS)
    receiver = InboundProcessor([association(lifetime=lifetime)], reassembly=limits)
    sender = OutboundProcessor([association()], fragmenting=Fragmenting.AFTER)
    (sealed,) = sender.process([builders.ipv4(bytes(2000))], [0])[0].packets
    first, last = fragment(sealed, 1500, 1)
    assert receiver.next_deadline_ns() == 10 * SECOND_NS
    assert receiver.process([first], now_ns=SECOND_NS)[0].verdict is Verdict.FRAGMENT_HELD
    assert receiver.next_deadline_ns() == 4 * SECOND_NS
    receiver.handle_time(4 * SECOND_NS)
    assert receiver.next_deadline_ns() == 10 * SECOND_NS
    assert receiver.process([last], now_ns=5 * SECOND_NS)[0].verdict is Verdict.FRAGMENT_HELD
    receiver.handle_time(10 * SECOND_NS)
    assert receiver.poll_events() == [LifetimeEvent(0, "soft", "time", 10 * SECOND_NS)]
    receiver.handle_time(20 * SECOND_NS)
    assert receiver.poll_events() == [LifetimeEvent(0, "hard", "time", 20 * SECOND_NS)]
    assert receiver.next_deadline_ns() is None
    (whole,) = receiver.process([sealed], now_ns=20 * SECOND_NS)
    assert whole.verdict is Verdict.LIFETIME_EXPIRED


ANY = st.one_of(
    st.binary(max_size=200),
    st.builds(
        lambda start, rest: start + rest,
        st.sampled_from(
            [
                bytes.fromhex("45000040000000004032000001020304c63364020000100100000001"),
                bytes.fromhex("4500004000002000403200000102030405060708"),
                bytes.fromhex("4500004000000001403200000102030405060708"),
                bytes.fromhex("4500004000000000401100000102030405060708119411940020"),
                bytes.fromhex("4f00004000000000403200000102030405060708"),
                bytes.fromhex("6000000000183240"),
                bytes.fromhex("6000000000282c40") + bytes(32) + bytes.fromhex("320000010000"),
                bytes.fromhex("6000000000180040"),
            ]
        ),
        st.binary(max_size=120),
    ),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(ANY, max_size=8), st.booleans())
def test_whatever_bytes_arrive_every_packet_has_one_verdict(
    packets: list[bytes], reassembles: bool
) -> None:
    """None passes, nothing is raised, and the sums are right (law 1)."""
    forms = [association(), association(0x1001, None, mode=Mode.TRANSPORT)]
    limits = ReassemblyLimits() if reassembles else None
    receiver = InboundProcessor(forms, reassembly=limits)
    outcomes = receiver.process(packets)
    assert len(outcomes) == len(packets)
    assert Verdict.PASSED not in {each.verdict for each in outcomes}
    counts = Counter(each.verdict.label for each in outcomes)
    assert receiver.statistics() == counts
    receiver.handle_time(100 * SECOND_NS)
    assert receiver.next_deadline_ns() is None


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(ANY, st.integers(0, 3)), max_size=8),
    st.sampled_from(Fragmenting),
    st.sampled_from([0, 256, 1280]),
)
def test_whatever_is_to_be_sealed_has_one_verdict(
    given_packets: list[tuple[bytes, int]], fragmenting: Fragmenting, path_mtu: int
) -> None:
    """A packet that passes has packets to send, and no other has; what passes opens again."""
    ends = ip_address("2001:db8::1"), ip_address("2001:db8::2")
    forms = [
        Association(0x1001 + number, "aes-gcm-128", bytes(20), b"", mode, *each,
                    path_mtu_bytes=path_mtu)
        for number, (mode, each) in enumerate(
            (mode, each)
            for mode in Mode
            for each in ((ip_address(HERE), ip_address(THERE)), ends)
        )
    ]  # fmt: skip
    sender = OutboundProcessor(forms, fragmenting=fragmenting)
    packets = [packet for packet, _ in given_packets]
    outcomes = sender.process(packets, [sa for _, sa in given_packets])
    assert sender.statistics() == Counter(each.verdict.label for each in outcomes)
    for outcome in outcomes:
        assert bool(outcome.packets) == (outcome.verdict is Verdict.PASSED)
    tunnelled = [
        sent
        for outcome in outcomes
        for sent in outcome.packets
        if forms[outcome.sa].mode is Mode.TUNNEL
    ]
    opened = InboundProcessor(forms).process(tunnelled)
    assert {each.verdict for each in opened} <= {Verdict.PASSED, Verdict.FRAGMENT_HELD}


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_whatever_icmp_message_arrives_nothing_is_raised(message: bytes) -> None:
    """And no path changes by noise."""
    sender = OutboundProcessor([association()])
    assert sender.handle_icmp(message) is None
    assert sender.sas.records["path_mtu_bytes"].tolist() == [0]


def test_sums_go_on_from_call_to_call(builders: Any) -> None:
    """In all calls together there were as many packets as the statistics say."""
    forms = [association(lifetime=Lifetime(hard_packets=5)), association(0x2002)]
    sender, receiver = OutboundProcessor(forms), InboundProcessor(forms)
    packet = builders.ipv4(b"data")
    for _ in range(3):
        sealed = sender.process([packet, packet, b"noise"], [0, 0, 1])
        receiver.process([sent for each in sealed for sent in each.packets] * 2)
    assert sender.statistics() == {"passed": 5, "malformed_ip": 3, "lifetime_expired": 1}
    assert receiver.statistics() == {"passed": 5, "replayed": 5}


def test_dummies_look_like_traffic_and_are_counted(builders: Any) -> None:
    """Numbers go on through them, and the receiver throws them away by name."""
    sender, receiver = OutboundProcessor([association()]), InboundProcessor([association()])
    real = sender.process([builders.ipv4(bytes(180))], [0])
    wire = [each.packets[0] for each in (*real, *sender.dummies([0], payload_bytes=200))]
    assert len(wire[0]) == len(wire[1])
    outcomes = receiver.process(wire)
    assert [(each.verdict, each.sequence) for each in outcomes] == [
        (Verdict.PASSED, 1),
        (Verdict.DUMMY, 2),
    ]
    assert outcomes[1].packets == ()
    with pytest.raises(ParameterError, match="without endpoints"):
        OutboundProcessor([association(destination=None, mode=Mode.TRANSPORT)]).dummies([0])


def test_misuse_is_named_and_keys_are_not(builders: Any) -> None:
    """Columns of different lengths, SAs that there are not; reprs say only how many there are."""
    key = b"k" * 20
    sender, receiver = OutboundProcessor([association(key=key)]), InboundProcessor([])
    packet = builders.ipv4(b"data")
    with pytest.raises(ParameterError, match="sas: found 2, expected 1, one for each packet"):
        sender.process([packet], [0, 0])
    with pytest.raises(ParameterError, match="sas: found 1, expected indices below 1"):
        sender.process([packet], [1])
    with pytest.raises(ParameterError, match="indices"):
        sender.process([packet], [-1])
    assert sender.statistics() == {}
    assert (repr(sender), repr(receiver)) == ("OutboundProcessor(1 SAs)", "InboundProcessor(0 SAs)")
    assert sender.process([], []) == receiver.process([]) == []


def test_what_is_refused_uses_no_number_and_no_lifetime(builders: Any) -> None:
    """Noise on an SA cannot wear it out: malformed, too big for the path, and not to be cut."""
    sa = association(destination=THERE, lifetime=Lifetime(hard_packets=3))
    sender = OutboundProcessor([replace(sa, path_mtu_bytes=600)])
    packet = builders.ipv4(b"data")
    big = builders.ipv4(bytes(700), flags=0x4000)
    sealed = sender.process([b"", big, packet, b"\x45", packet, big, packet], [0] * 7)
    assert [(each.verdict, each.sequence) for each in sealed] == [
        (Verdict.MALFORMED_IP, 0), (Verdict.PACKET_TOO_BIG, 0), (Verdict.PASSED, 1),
        (Verdict.MALFORMED_IP, 0), (Verdict.PASSED, 2), (Verdict.PACKET_TOO_BIG, 0),
        (Verdict.PASSED, 3),
    ]  # fmt: skip
