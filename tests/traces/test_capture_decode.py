"""From a frame to the columns: link layers, IP headers and the verdicts on what is not passed."""

from __future__ import annotations

import struct
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import numpy.typing as npt
import pytest

from saactors.model.packets import NO_SA
from saactors.model.verdicts import Verdict

Read = Callable[[bytes], npt.NDArray[np.void]]

IPV4, IPV6 = 0x0800, 0x86DD

# What precedes the IP packet, by link type: draft-ietf-opsawg-pcaplinktype and tcpdump.org.
LINK_HEADERS = {
    "BSD loopback, little-endian host, IPv4": (0, 4, b"\x02\0\0\0"),
    "BSD loopback, big-endian host, IPv4": (0, 4, b"\0\0\0\x02"),
    "BSD loopback, NetBSD IPv6": (0, 6, b"\x18\0\0\0"),
    "BSD loopback, FreeBSD IPv6": (0, 6, b"\0\0\0\x1c"),
    "BSD loopback, macOS IPv6": (0, 6, b"\x1e\0\0\0"),
    "OpenBSD loopback, IPv4": (108, 4, b"\0\0\0\x02"),
    "OpenBSD loopback, IPv6": (108, 6, b"\0\0\0\x18"),
    "Ethernet, IPv4": (1, 4, bytes(12) + b"\x08\x00"),
    "Ethernet, IPv6": (1, 6, bytes(12) + b"\x86\xdd"),
    "Ethernet, VLAN": (1, 4, bytes(12) + b"\x81\x00\x00\x07\x08\x00"),
    "Ethernet, 802.1ad in 802.1Q": (1, 6, bytes(12) + b"\x88\xa8\x00\x07\x81\x00\x00\x08\x86\xdd"),
    "Ethernet, old QinQ, four deep": (1, 4, bytes(12) + b"\x91\x00\x00\x07" * 4 + b"\x08\x00"),
    "raw IP, as BSD writes it": (12, 4, b""),
    "raw IP, as OpenBSD writes it": (14, 6, b""),
    "raw IP, IPv4": (101, 4, b""),
    "raw IP, IPv6": (101, 6, b""),
    "raw IPv4": (228, 4, b""),
    "raw IPv6": (229, 6, b""),
    "Linux cooked v1, IPv4": (113, 4, bytes(14) + b"\x08\x00"),
    "Linux cooked v1, VLAN, IPv6": (113, 6, bytes(14) + b"\x81\x00\x00\x07\x86\xdd"),
    "Linux cooked v2, IPv4": (276, 4, b"\x08\x00" + bytes(18)),
    "Linux cooked v2, IPv6": (276, 6, b"\x86\xdd" + bytes(18)),
}


@pytest.mark.parametrize("name", LINK_HEADERS)
def test_the_ip_packet_is_found_behind_every_link_layer(
    read: Read, build: SimpleNamespace, name: str
) -> None:
    """Offset, version, lengths and ports are those of the IP packet, whatever precedes it."""
    link_type, version, header = LINK_HEADERS[name]
    ip = build.ipv4(build.udp()) if version == 4 else build.ipv6(build.udp())
    capture = build.pcap([(0, header + ip)], link_type=link_type)
    (packet,) = read(capture)
    assert packet["verdict"] == Verdict.PASSED
    assert packet["ip_version"] == version
    assert capture[packet["offset"] :] == ip
    assert packet["length_bytes"] == packet["captured_bytes"] == len(ip)
    assert packet["transport_offset"] == len(ip) - len(build.udp())
    assert (packet["protocol"], packet["source_port"], packet["destination_port"]) == (17, 4000, 53)


@pytest.mark.parametrize("name", [name for name in LINK_HEADERS if LINK_HEADERS[name][2]])
def test_a_frame_that_ends_inside_its_link_header_is_not_ip_or_cut(
    read: Read, build: SimpleNamespace, name: str
) -> None:
    """If the snap length cut it, that is the reason; otherwise nothing says that it is IP."""
    link_type, _, header = LINK_HEADERS[name]
    capture = build.pcap(
        [(0, header[:-1]), (0, header[:-1], 80), (0, header, 80)], link_type=link_type
    )
    assert read(capture)["verdict"].tolist() == [
        Verdict.NOT_IP,
        Verdict.CUT_BY_SNAP_LENGTH,
        Verdict.CUT_BY_SNAP_LENGTH,
    ]


def test_addresses_are_two_halves_in_network_order(read: Read, build: SimpleNamespace) -> None:
    """IPv4 stands as IPv4-mapped IPv6 (RFC 4291 §2.5.5.2), so one comparison serves both."""
    four, six = read(build.pcap([(0, build.ipv4(build.udp())), (0, build.ipv6(build.udp()))]))
    assert (four["source_high"], four["source_low"]) == (0, 0xFFFF_0A00_0001)
    assert (four["destination_high"], four["destination_low"]) == (0, 0xFFFF_C0A8_0102)
    assert (six["source_high"], six["source_low"]) == (0x20010DB8_00000000, 1)
    assert (six["destination_high"], six["destination_low"]) == (0x20010DB8_00000000, 2)


def test_the_fields_of_others_are_zero_and_there_is_no_sa(
    read: Read, build: SimpleNamespace
) -> None:
    """The reader fills its own columns and leaves those of the actors untouched."""
    (packet,) = read(build.pcap([(0, build.ipv4(build.udp()))]))
    for field in ("metric", "order", "sequence", "esp_offset", "route"):
        assert packet[field] == 0, field
    assert packet["sa"] == NO_SA


@pytest.mark.parametrize(
    ("protocol", "has_ports"),
    [(6, True), (17, True), (132, True), (136, True), (1, False), (47, False), (50, False)],
)
def test_ports_are_read_where_the_protocol_has_them(
    read: Read, build: SimpleNamespace, protocol: int, has_ports: bool
) -> None:
    """TCP, UDP, SCTP and UDP-Lite begin with two ports (RFC 4301 §4.4.1.1); ICMP and ESP do not."""
    upper = build.udp(source=1234, destination=443)
    packets = read(build.pcap([(0, build.ipv4(upper, protocol)), (0, build.ipv6(upper, protocol))]))
    ports = (1234, 443) if has_ports else (0, 0)
    assert packets["protocol"].tolist() == [protocol, protocol]
    assert packets["source_port"].tolist() == [ports[0]] * 2
    assert packets["destination_port"].tolist() == [ports[1]] * 2


def test_ethernet_padding_is_not_counted_as_packet(read: Read, build: SimpleNamespace) -> None:
    """Short packets are padded to 60 bytes of frame; the IP header's length says where they end."""
    four, six = build.ipv4(build.udp(b"")), build.ipv6(b"", 59)
    packets = read(
        build.pcap(
            [(0, build.ethernet(four) + bytes(18)), (0, build.ethernet(six, IPV6) + bytes(6))],
            link_type=1,
        )
    )
    assert packets["length_bytes"].tolist() == [28, 40]
    assert packets["captured_bytes"].tolist() == [28, 40]


def test_a_packet_cut_in_its_payload_passes_and_says_how_much_is_there(
    read: Read, build: SimpleNamespace
) -> None:
    """Headers are all that placement needs; whoever needs the payload sees what is missing."""
    ip = build.ipv4(build.udp(bytes(1000)))
    cut = [ip[:60], ip[:28], ip[:24], ip[:23], ip[:20]]
    packets = read(build.pcap([(0, captured, len(ip)) for captured in cut], snap_bytes=60))
    assert packets["verdict"].tolist() == [Verdict.PASSED] * 5
    assert packets["length_bytes"].tolist() == [1028] * 5
    assert packets["captured_bytes"].tolist() == [60, 28, 24, 23, 20]
    assert packets["source_port"].tolist() == [4000, 4000, 4000, 0, 0]


def test_ipv4_fragments_are_marked_and_later_ones_have_no_ports(
    read: Read, build: SimpleNamespace
) -> None:
    """More-fragments bit or offset: part of a larger packet; DF alone is not (RFC 791 §3.1)."""
    positions = [0, 0x4000, 0x2000, 0x2001, 0x0100]
    packets = read(
        build.pcap([(0, build.ipv4(build.udp(), position=position)) for position in positions])
    )
    assert packets["fragment"].tolist() == [0, 0, 1, 1, 1]
    assert packets["source_port"].tolist() == [4000, 4000, 4000, 0, 0]


def test_ipv4_options_move_the_transport_header(read: Read, build: SimpleNamespace) -> None:
    """The header length counts in words of four bytes, options included."""
    (packet,) = read(build.pcap([(0, build.ipv4(build.udp(), options=b"\x01" * 12))]))
    assert packet["transport_offset"] == 32
    assert packet["source_port"] == 4000


@pytest.mark.parametrize(
    ("description", "damage"),
    [
        ("version 5", {"first_octet": 0x55}),
        ("version 6 in an IPv4 frame", {"first_octet": 0x65}),
        ("header of 16 bytes", {"first_octet": 0x44}),
        ("total length below the header's", {"total_length": 19}),
        ("header longer than the packet", {"first_octet": 0x4F}),
    ],
)
def test_malformed_ipv4_is_named_so(
    read: Read, build: SimpleNamespace, description: str, damage: dict[str, int]
) -> None:
    """Wrong version and impossible lengths are the packet's fault, also where it was cut."""
    frame = build.ethernet(build.ipv4(build.udp(), **damage))
    packets = read(build.pcap([(0, frame), (0, frame, 2000)], link_type=1))
    assert packets["verdict"].tolist() == [Verdict.MALFORMED_IP] * 2, description
    assert packets["ip_version"].tolist() == [0, 0]


@pytest.mark.parametrize("version", [4, 6])
def test_a_packet_that_ends_inside_its_ip_header_is_malformed_unless_the_snap_length_cut_it(
    read: Read, build: SimpleNamespace, version: int
) -> None:
    """The record's two lengths tell one from the other."""
    ip = build.ipv4(b"") if version == 4 else build.ipv6(b"", 59)
    for captured in range(len(ip)):
        packets = read(build.pcap([(0, ip[:captured]), (0, ip[:captured], len(ip))]))
        assert packets["verdict"].tolist() == [Verdict.MALFORMED_IP, Verdict.CUT_BY_SNAP_LENGTH]


def test_a_frame_that_is_not_ip_keeps_its_length(read: Read, build: SimpleNamespace) -> None:
    """ARP is counted with the bytes of its frame, which the record still points to."""
    frame = build.ethernet(bytes(46), ethertype=0x0806)
    capture = build.pcap([(0, frame, 100)], link_type=1)
    (packet,) = read(capture)
    assert packet["verdict"] == Verdict.NOT_IP
    assert (packet["length_bytes"], packet["captured_bytes"]) == (100, 60)
    assert capture[packet["offset"] :] == frame


def extension(next_header: int, words: int = 0) -> bytes:
    """An IPv6 extension header of ``8 + 8 * words`` bytes (RFC 8200 §4)."""
    return bytes([next_header, words]) + bytes(6 + 8 * words)


def fragment_header(next_header: int, position: int) -> bytes:
    """An IPv6 fragment header (RFC 8200 §4.5); ``position`` is offset, reserved bits and M."""
    return struct.pack(">BBHI", next_header, 0, position, 0x1234)


def authentication_header(next_header: int, words: int) -> bytes:
    """An AH of ``4 * (words + 2)`` bytes (RFC 4302 §2)."""
    return bytes([next_header, words]) + bytes(4 * (words + 2) - 2)


@pytest.mark.parametrize(
    ("first", "headers"),
    [
        (0, [extension(17)]),
        (43, [extension(17, words=3)]),
        (60, [extension(17, words=255)]),
        (51, [authentication_header(17, words=4)]),
        (44, [fragment_header(17, 0)]),
        (
            0,
            [
                extension(60),
                extension(43, words=1),
                extension(44, words=2),
                fragment_header(51, 0),
                authentication_header(60, words=1),
                extension(17),
            ],
        ),
    ],
)
def test_ipv6_extension_headers_are_walked(
    read: Read, build: SimpleNamespace, first: int, headers: list[bytes]
) -> None:
    """Each kind alone and all of them in a row lead to the UDP header behind them."""
    chain = b"".join(headers)
    (packet,) = read(build.pcap([(0, build.ipv6(chain + build.udp(), first))]))
    assert packet["verdict"] == Verdict.PASSED
    assert packet["protocol"] == 17
    assert packet["transport_offset"] == 40 + len(chain)
    assert (packet["source_port"], packet["destination_port"]) == (4000, 53)
    assert packet["fragment"] == 0


def test_the_walk_stops_at_esp(read: Read, build: SimpleNamespace) -> None:
    """What follows an ESP header is encrypted, even if it looks like an extension header."""
    (packet,) = read(build.pcap([(0, build.ipv6(extension(50) + bytes(40), 0))]))
    assert packet["protocol"] == 50
    assert packet["transport_offset"] == 48


def test_ipv6_fragments_are_marked_and_later_ones_have_no_ports(
    read: Read, build: SimpleNamespace
) -> None:
    """A fragment header without offset and M bit is a whole, "atomic" packet (RFC 6946)."""
    packets = read(
        build.pcap(
            [
                (0, build.ipv6(fragment_header(17, position) + build.udp(), 44))
                for position in (0, 1, 8, 9)
            ]
        )
    )
    assert packets["fragment"].tolist() == [0, 1, 1, 1]
    assert packets["source_port"].tolist() == [4000, 4000, 0, 0]
    assert packets["protocol"].tolist() == [17] * 4


def test_nothing_is_walked_behind_a_later_ipv6_fragments_header(
    read: Read, build: SimpleNamespace
) -> None:
    """The rest of a later fragment is payload, though its next header names a kind to walk."""
    (packet,) = read(build.pcap([(0, build.ipv6(fragment_header(60, 8) + b"\xff" * 16, 44))]))
    assert packet["verdict"] == Verdict.PASSED
    assert (packet["protocol"], packet["transport_offset"]) == (60, 48)


def test_a_header_chain_that_leaves_the_packet_is_malformed_and_one_that_is_cut_is_cut(
    read: Read, build: SimpleNamespace
) -> None:
    """Without the upper-layer protocol no selector can decide; the lengths say who is at fault."""
    whole = build.ipv6(extension(17, words=4) + build.udp(), 0)
    runs_out = build.ipv6(extension(17, words=4)[:16], 0)
    packets = read(
        build.pcap(
            [
                (0, whole),
                (0, whole[:60], len(whole)),  # the capture ends inside the chain
                (0, runs_out),  # the packet ends inside the chain
                (0, runs_out + bytes(60)),  # the same with padding behind it
                (0, runs_out + bytes(60), 500),  # and a snap length that cut only the padding
                (0, whole[:60]),  # neither: the packet is shorter than it says
            ]
        )
    )
    assert packets["verdict"].tolist() == [
        Verdict.PASSED,
        Verdict.CUT_BY_SNAP_LENGTH,
        Verdict.MALFORMED_IP,
        Verdict.MALFORMED_IP,
        Verdict.MALFORMED_IP,
        Verdict.MALFORMED_IP,
    ]


def test_packets_from_above_segmentation_offload_take_their_length_from_the_frame(
    read: Read, build: SimpleNamespace
) -> None:
    """Length field 0: the packet was too long for it, and a card would have cut it up."""
    four = build.ipv4(build.udp(bytes(70_000)), total_length=0)
    six = build.ipv6(extension(6) + bytes(70_000), 0, payload_length=0)
    packets = read(
        build.pcap([(0, build.ethernet(four)), (0, build.ethernet(six, IPV6))], link_type=1)
    )
    assert packets["verdict"].tolist() == [Verdict.PASSED] * 2
    assert packets["length_bytes"].tolist() == [len(four), len(six)]


def test_a_wire_length_that_no_link_carries_is_not_believed(
    read: Read, build: SimpleNamespace
) -> None:
    """A damaged record must not make anyone reserve four gigabytes for a packet."""
    ip = build.ipv4(build.udp(), total_length=0)
    (packet,) = read(build.pcap([(0, ip, 0xFFFFFFFF)]))
    assert packet["length_bytes"] == 1 << 20
