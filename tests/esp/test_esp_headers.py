"""What stands before the ciphertext: RFC 4301 §5.1.2, RFC 6040, RFC 3948, RFC 4303 §3.1."""

from __future__ import annotations

import struct
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saactors.esp.suites import SUITES, Suite
from saactors.model.sa import Mode
from saactors.model.verdicts import Verdict

V4 = ("192.0.2.1", "198.51.100.2")
V6 = ("2001:db8::1", "2001:db8:ffff::2")
IN_UDP = (4500, 4501)
DO_NOT_FRAGMENT = 0x4000
ESP_PROTOCOL, UDP_PROTOCOL = 50, 17


def ends_of(packet: bytes) -> tuple[str, str]:
    """Source and destination address of an IP packet."""
    size, at = (4, 12) if packet[0] >> 4 == 4 else (16, 8)
    return (
        str(ip_address(packet[at : at + size])),
        str(ip_address(packet[at + size : at + 2 * size])),
    )


@pytest.mark.parametrize("inner", [4, 6])
def test_an_outer_ipv4_header_says_what_it_carries(esp: Any, inner: int) -> None:
    """Version, length, hop limit, protocol, checksum, addresses."""
    packet = esp.ipv4(bytes(50)) if inner == 4 else esp.ipv6(bytes(50))
    (sealed,) = esp.seal(esp.table(esp.Form(outer=V4)), [packet])
    assert sealed[0] == 0x45
    assert struct.unpack_from("!H", sealed, 2)[0] == len(sealed)
    assert sealed[8:10] == bytes([64, ESP_PROTOCOL])
    assert esp.checksum(sealed[:20]) == 0
    assert ends_of(sealed) == V4
    assert sealed[20:36] == struct.pack("!IIQ", 0x1001, 1, 1), "SPI, sequence number, IV"


@pytest.mark.parametrize("inner", [4, 6])
def test_an_outer_ipv6_header_says_what_it_carries(esp: Any, inner: int) -> None:
    """Version, payload length, next header, hop limit, addresses."""
    packet = esp.ipv4(bytes(50)) if inner == 4 else esp.ipv6(bytes(50))
    (sealed,) = esp.seal(esp.table(esp.Form(outer=V6)), [packet])
    assert sealed[0] >> 4 == 6
    assert struct.unpack_from("!HBB", sealed, 4) == (len(sealed) - 40, ESP_PROTOCOL, 64)
    assert ends_of(sealed) == V6
    assert sealed[40:56] == struct.pack("!IIQ", 0x1001, 1, 1), "SPI, sequence number, IV"


@settings(deadline=None)  # the first example compiles
@given(st.integers(0, 255), st.sampled_from([4, 6]), st.sampled_from([V4, V6]))
def test_dscp_and_ecn_are_copied_outward(
    esp: Any, traffic_class: int, inner: int, outer: tuple[str, str]
) -> None:
    """All eight bits, congestion experienced included (RFC 6040 §4.1, normal mode)."""
    packet = (
        esp.ipv4(b"data", tos=traffic_class)
        if inner == 4
        else esp.ipv6(b"data", traffic_class=traffic_class)
    )
    (sealed,) = esp.seal(esp.table(esp.Form(outer=outer)), [packet])
    found = sealed[1] if outer is V4 else struct.unpack_from("!I", sealed)[0] >> 20 & 0xFF
    assert found == traffic_class


@pytest.mark.parametrize(
    ("inner_flags", "sequence", "identification", "outer_flags"),
    [
        (DO_NOT_FRAGMENT, 0x12345, 0, DO_NOT_FRAGMENT),
        (0, 0x12345, 0x2345, 0),
        (0x2000, 7, 7, 0),  # an inner fragment: "more fragments" is the inner packet's own affair
        (0x00B9, 8, 8, 0),
    ],
)
def test_do_not_fragment_is_copied_from_inner_ipv4(
    esp: Any, inner_flags: int, sequence: int, identification: int, outer_flags: int
) -> None:
    """With it the identification is 0, without it the sequence number's low half (RFC 6864)."""
    packet = esp.ipv4(b"data", flags=inner_flags)
    (sealed,) = esp.seal(esp.table(esp.Form(outer=V4)), [packet], [sequence])
    assert struct.unpack_from("!HH", sealed, 4) == (identification, outer_flags)


def test_do_not_fragment_is_set_for_inner_ipv6(esp: Any) -> None:
    """No router on the way fragments IPv6."""
    (sealed,) = esp.seal(esp.table(esp.Form(outer=V4)), [esp.ipv6(b"data")])
    assert struct.unpack_from("!HH", sealed, 4) == (0, DO_NOT_FRAGMENT)


def test_the_flow_label_is_copied_from_inner_ipv6_only(esp: Any) -> None:
    """Inner IPv4 has none: 0."""
    sas = esp.table(esp.Form(outer=V6))
    labelled, plain = esp.seal(sas, [esp.ipv6(b"data", flow_label=0xABCDE), esp.ipv4(b"data")])
    assert struct.unpack_from("!I", labelled)[0] & 0xFFFFF == 0xABCDE
    assert struct.unpack_from("!I", plain)[0] & 0xFFFFF == 0


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_the_length_is_the_least_that_is_aligned(esp: Any, suite: Suite) -> None:
    """Padding goes up to a multiple of four, or of the block, and no further (RFC 4303 §2.4)."""
    packets = [esp.ipv4(bytes(size)) for size in range(17)]
    sealed = esp.seal(esp.table(esp.Form(suite.name)), packets)
    align = 16 if "cbc" in suite.name else 4
    for packet, each in zip(packets, sealed, strict=True):
        payload = len(packet) + 2
        padded = payload + -payload % align
        assert len(each) == 20 + 8 + suite.iv_bytes + padded + suite.icv_bytes


def test_udp_encapsulation_over_ipv4_has_checksum_zero(esp: Any) -> None:
    """RFC 3948 §2.1: ports of the SA, the length, and no checksum."""
    (sealed,) = esp.seal(esp.table(esp.Form(outer=V4, ports=IN_UDP)), [esp.ipv4(b"data")])
    assert sealed[9] == UDP_PROTOCOL
    assert struct.unpack_from("!4H", sealed, 20) == (*IN_UDP, len(sealed) - 20, 0)
    assert sealed[28:36] == struct.pack("!II", 0x1001, 1)
    assert esp.checksum(sealed[:20]) == 0


@settings(deadline=None)  # the first example compiles
@given(st.binary(max_size=64))
def test_udp_encapsulation_over_ipv6_has_a_real_checksum(esp: Any, payload: bytes) -> None:
    """RFC 8200 §8.1: pseudo-header, UDP header and all of the payload sum up."""
    (sealed,) = esp.seal(esp.table(esp.Form(outer=V6, ports=IN_UDP)), [esp.ipv4(payload)])
    assert struct.unpack_from("!3H", sealed, 40) == (*IN_UDP, len(sealed) - 40)
    assert struct.unpack_from("!H", sealed, 46)[0] != 0
    pseudo = sealed[8:40] + struct.pack("!II", len(sealed) - 40, UDP_PROTOCOL)
    covered = sealed[40:]
    assert esp.checksum(pseudo + covered + bytes(len(covered) % 2)) == 0


def test_a_udp_checksum_that_would_be_zero_is_sent_as_all_ones(esp: Any) -> None:
    """Zero means "none". The source port adds to the sum, so one of them makes it come out so."""

    def checksum_from(port: int) -> int:
        (sealed,) = esp.seal(esp.table(esp.Form(outer=V6, ports=(port, 4500))), [esp.ipv4(b"")])
        return int(struct.unpack_from("!H", sealed, 46)[0])

    port = 1 + checksum_from(1)
    assert checksum_from(port - 1) == 1
    assert checksum_from(port) == 0xFFFF


def test_transport_mode_keeps_ipv4_options_before_esp(esp: Any) -> None:
    """Only protocol, length and checksum of the header change; TTL and identification stay."""
    sas = esp.table(esp.Form(mode=Mode.TRANSPORT))
    packet = esp.ipv4(b"payload", protocol=6, options=b"\x94\x04\0\0", tos=3, flags=0x4000)
    (sealed,) = esp.seal(sas, [packet])
    assert sealed[0:2] == packet[0:2]
    assert struct.unpack_from("!H", sealed, 2)[0] == len(sealed)
    assert sealed[4:9] == packet[4:9]
    assert sealed[9] == ESP_PROTOCOL
    assert esp.checksum(sealed[:24]) == 0
    assert sealed[12:24] == packet[12:24], "addresses and options"
    assert sealed[24:32] == struct.pack("!II", 0x1001, 1)
    assert esp.open(sas, [sealed]) == [packet]


HOP_BY_HOP = (0, bytes.fromhex("00050200000100"))
ROUTING = (43, bytes.fromhex("0104000000000000") + bytes(7))
ATOMIC_FRAGMENT = (44, bytes.fromhex("00000000000007"))
OPTIONS = (60, bytes.fromhex("00010400000000"))


@pytest.mark.parametrize(
    ("chain", "before"),
    [
        ((), 0),
        ((HOP_BY_HOP,), 1),
        ((OPTIONS,), 0),
        ((HOP_BY_HOP, OPTIONS), 1),
        ((HOP_BY_HOP, OPTIONS, ROUTING), 3),
        ((ROUTING, OPTIONS), 1),
        ((HOP_BY_HOP, ROUTING, ATOMIC_FRAGMENT, OPTIONS), 3),
    ],
    ids=lambda value: "-".join(str(kind) for kind, _ in value) if isinstance(value, tuple) else "",
)
def test_transport_mode_keeps_the_right_extension_headers_before_esp(
    esp: Any, chain: tuple[tuple[int, bytes], ...], before: int
) -> None:
    """Those for routers and hops on the way stay outside, the final options go in (RFC 4303)."""
    sas = esp.table(esp.Form(mode=Mode.TRANSPORT))
    packet = esp.ipv6(b"payload", chain=chain)
    (sealed,) = esp.seal(sas, [packet])
    place = 40 + sum(1 + len(body) for _, body in chain[:before])
    assert sealed[place : place + 8] == struct.pack("!II", 0x1001, 1)
    assert struct.unpack_from("!H", sealed, 4)[0] == len(sealed) - 40
    assert esp.open(sas, [sealed]) == [packet]


def test_transport_mode_in_udp_puts_udp_where_esp_would_stand(esp: Any) -> None:
    """IP options, then UDP, then ESP; opening takes both out again."""
    sas = esp.table(esp.Form(mode=Mode.TRANSPORT, ports=IN_UDP))
    packet = esp.ipv4(b"payload", protocol=6, options=b"\x94\x04\0\0")
    (sealed,) = esp.seal(sas, [packet])
    assert sealed[9] == UDP_PROTOCOL
    assert struct.unpack_from("!4H", sealed, 24) == (*IN_UDP, len(sealed) - 24, 0)
    assert esp.open(sas, [sealed]) == [packet]


@pytest.mark.parametrize("protocol", [4, 41])
def test_ip_in_ip_is_a_transport_packet_in_transport_mode(esp: Any, protocol: int) -> None:
    """The mode is the SA's, whatever the next header is."""
    sas = esp.table(esp.Form(mode=Mode.TRANSPORT))
    inside = esp.ipv4(b"payload") if protocol == 4 else esp.ipv6(b"payload")
    packet = esp.ipv4(inside, protocol=protocol)
    assert esp.open(sas, esp.seal(sas, [packet])) == [packet]


def test_inner_fragments_go_through_a_tunnel(esp: Any) -> None:
    """RFC 4303 §3.3.4: in tunnel mode ESP takes whatever packet comes."""
    sas = esp.table(esp.Form())
    fragments = [esp.ipv4(bytes(16), flags=0x2000), esp.ipv4(bytes(16), flags=2)]
    fragments.append(esp.ipv6(bytes(16), chain=[(44, bytes.fromhex("00000900000007"))]))
    assert esp.open(sas, esp.seal(sas, fragments)) == fragments


def test_fragments_are_refused_in_transport_mode(esp: Any) -> None:
    """RFC 4303 §3.3.4: there ESP protects whole packets only."""
    sas = esp.table(esp.Form(mode=Mode.TRANSPORT))
    fragments = [
        esp.ipv4(bytes(16), flags=0x2000),
        esp.ipv4(bytes(16), flags=2),
        esp.ipv6(bytes(16), chain=[(44, bytes.fromhex("00000100000007"))]),
        esp.ipv6(bytes(16), chain=[(44, bytes.fromhex("00000800000007"))]),
    ]
    assert esp.seal(sas, fragments) == [Verdict.OUTER_FRAGMENT] * 4
