"""ICMP errors that a gateway sends and reads: RFC 792, 1191, 1812 §4.3.2, 4443, 4301 §8.2."""

from __future__ import annotations

import logging
import struct
from ipaddress import IPv4Address, IPv6Address, ip_address

import dpkt
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from saactors.esp.icmp import TooBig, read_too_big, time_exceeded, too_big
from saactors.esp.ip_packet import internet_checksum

logging.getLogger("scapy").setLevel(logging.ERROR)
scapy_inet = pytest.importorskip("scapy.layers.inet")
scapy_inet6 = pytest.importorskip("scapy.layers.inet6")

SENDER = {4: IPv4Address("192.0.2.254"), 6: IPv6Address("2001:db8::fe")}
ENDS = {4: ("10.0.0.1", "10.0.0.2"), 6: ("2001:db8:a::1", "2001:db8:b::2")}
GATEWAYS = {4: ("192.0.2.1", "198.51.100.2"), 6: ("2001:db8::1", "2001:db8:ffff::2")}
ICMP = {4: 1, 6: 58}
UDP, ESP, NO_NEXT_HEADER = 17, 50, 59


def ip(
    body: bytes,
    *,
    version: int = 4,
    protocol: int = NO_NEXT_HEADER,
    ends: tuple[str, str] | None = None,
    word: int = 0,
    options: bytes = b"",
) -> bytes:
    """A packet; ``word`` is IPv4's flags and fragment offset, or makes an IPv6 Fragment header."""
    addresses = b"".join(ip_address(end).packed for end in ends or ENDS[version])
    if version == 6:
        if word:
            body, protocol = struct.pack("!BxHI", protocol, word, 9) + body, 44
        return struct.pack("!IHBB", 6 << 28, len(body), protocol, 64) + addresses + body
    size = 20 + len(options)
    fixed = (0x40 | size // 4, 0, size + len(body), 7, word, 64, protocol, 0)
    header = struct.pack("!BBHHHBBH", *fixed) + addresses + options
    return header[:10] + struct.pack("!H", internet_checksum(header)) + header[12:] + body


def esp(spi: int = 0x1001, size: int = 1400) -> bytes:
    """An ESP header and something behind it."""
    return struct.pack("!II", spi, 1) + bytes(size)


def udp(body: bytes, ports: tuple[int, int] = (4500, 4500)) -> bytes:
    """A UDP header without checksum before ``body``."""
    return struct.pack("!HHHH", *ports, 8 + len(body), 0) + body


@pytest.mark.parametrize("size", [0, 8, 528, 529, 1400])
def test_an_ipv4_error_tells_the_mtu_and_quotes_as_much_as_fits(size: int) -> None:
    """RFC 1191 §4 and RFC 1812 §4.3.2.3: up to 576 bytes, as dpkt reads it."""
    packet = ip(bytes(range(256)) * (size // 256) + bytes(size % 256))
    error = too_big(packet + b"padding of the link", 1400, SENDER[4])
    assert len(error) == min(576, 28 + len(packet))
    read = dpkt.ip.IP(error)
    assert (read.src, read.dst) == (SENDER[4].packed, IPv4Address(ENDS[4][0]).packed)
    assert (read.p, read.len, read.tos >> 5) == (1, len(error), 6)
    assert (read.icmp.type, read.icmp.code) == (3, 4)
    assert read.icmp.data.mtu == 1400
    assert error[28:] == packet[: len(error) - 28]
    assert internet_checksum(error[:20]) == internet_checksum(error[20:]) == 0


@pytest.mark.parametrize("size", [0, 8, 1192, 1193, 4000])
def test_an_ipv6_error_quotes_up_to_the_least_mtu(size: int) -> None:
    """RFC 4443 §3.2, as scapy reads it, which finds the checksum right."""
    packet = ip(bytes(size), version=6)
    error = too_big(packet + b"padding of the link", 1400, SENDER[6])
    assert len(error) == min(1280, 48 + len(packet))
    read = scapy_inet6.IPv6(error)
    assert (read.src, read.dst) == (str(SENDER[6]), ENDS[6][0])
    message = read[scapy_inet6.ICMPv6PacketTooBig]
    assert message.mtu == 1400
    assert error[48:] == packet[: len(error) - 48]
    given_checksum = message.cksum
    del message.cksum
    assert scapy_inet6.IPv6(bytes(read))[scapy_inet6.ICMPv6PacketTooBig].cksum == given_checksum


def test_time_exceeded() -> None:
    """Type 11 of RFC 792 and type 3 of RFC 4443, code 0: on the way."""
    four = dpkt.ip.IP(time_exceeded(ip(bytes(100)), SENDER[4]))
    assert (four.icmp.type, four.icmp.code, bytes(four.icmp.data)[:4]) == (11, 0, bytes(4))
    six = time_exceeded(ip(bytes(100), version=6), SENDER[6])
    assert six[40:42] == bytes([3, 0])
    assert six[44:48] == bytes(4)
    assert scapy_inet6.IPv6(six).haslayer(scapy_inet6.ICMPv6TimeExceeded)


@pytest.mark.parametrize(
    ("version", "asked", "told"),
    [(4, 40, 68), (4, 70_000, 65_535), (6, 1000, 1280), (6, 70_000, 70_000), (4, 0, 68)],
)
def test_an_mtu_that_nobody_would_believe_is_not_told(version: int, asked: int, told: int) -> None:
    """Hosts throw such errors away (RFC 8201 §4), and RFC 2473 §7.1 has the tunnel cut instead."""
    error = too_big(ip(bytes(1400), version=version), asked, SENDER[version])
    assert struct.unpack_from("!I", error, 24 if version == 4 else 44)[0] == told


FIRST, LATER = 0x2000, 0x2010
UNANSWERED = {
    "to all": ip(b"", ends=("10.0.0.1", "255.255.255.255")),
    "to a group": ip(b"", ends=("10.0.0.1", "224.0.0.1")),
    "from nobody": ip(b"", ends=("0.0.0.0", "10.0.0.2")),
    "from this network": ip(b"", ends=("0.1.2.3", "10.0.0.2")),
    "from all": ip(b"", ends=("255.255.255.255", "10.0.0.2")),
    "from class E": ip(b"", ends=("240.0.0.1", "10.0.0.2")),
    "from a group": ip(b"", ends=("224.0.0.1", "10.0.0.2")),
    "from itself": ip(b"", ends=("127.0.0.1", "10.0.0.2")),
    "later fragment": ip(bytes(8), word=LATER),
    **{f"error {kind}": ip(bytes([kind, 0]), protocol=1) for kind in (3, 4, 5, 11, 12)},
    "no type": ip(b"", protocol=1),
    "from nobody, 6": ip(b"", version=6, ends=("::", "2001:db8::1")),
    "from a group, 6": ip(b"", version=6, ends=("ff02::1", "2001:db8::1")),
    "from itself, 6": ip(b"", version=6, ends=("::1", "2001:db8::1")),
    **{f"error {kind}, 6": ip(bytes([kind]), version=6, protocol=58) for kind in (1, 2, 127, 137)},
    "no type, 6": ip(b"", version=6, protocol=58),
    "later fragment of ICMP, 6": ip(bytes(8), version=6, protocol=58, word=9),
    "later fragment of what may be ICMP, 6": ip(bytes(8), version=6, protocol=60, word=9),
    "behind options, 6": ip(bytes([58, 0, 1, 4, 0, 0, 0, 0, 1]), version=6, protocol=60),
    "options too long, 6": ip(bytes([58, 9, 1, 4, 0, 0, 0, 0]), version=6, protocol=60),
    "no packet": b"\x45",
    "nothing": b"",
}


@pytest.mark.parametrize("packet", UNANSWERED.values(), ids=UNANSWERED.keys())
def test_some_packets_are_never_answered(packet: bytes) -> None:
    """RFC 1122 §3.2.2, RFC 4443 §2.4(e): no storms, no errors about errors."""
    for sender in SENDER.values():
        assert too_big(packet, 1280, sender) == b""
        assert time_exceeded(packet, sender) == b""


@pytest.mark.parametrize(
    "packet",
    [
        ip(b""),
        ip(bytes(8), word=FIRST),
        ip(bytes([8, 0]), protocol=1),
        ip(bytes([0, 0]), protocol=1),
        ip(bytes([13, 0]), protocol=1),
        ip(b"", version=6),
        ip(bytes(8), version=6, word=1),
        ip(bytes(8), version=6, word=9),
        ip(bytes([128, 0]), version=6, protocol=58),
        ip(bytes([128, 0]), version=6, protocol=58, word=1),
    ],
)
def test_others_are(packet: bytes) -> None:
    """Echoes too, first fragments, and IPv6's later ones, of which RFC 4443 says nothing."""
    version = packet[0] >> 4
    assert too_big(packet, 1280, SENDER[version])
    assert time_exceeded(packet, SENDER[version])
    assert too_big(packet, 1280, SENDER[10 - version]) == b"", "of the other IP version"


def test_a_group_learns_of_a_narrow_path_in_ipv6_only() -> None:
    """RFC 4443 §2.4(e.3): an exception, for path MTU discovery."""
    packet = ip(bytes(1400), version=6, ends=("2001:db8:a::1", "ff0e::1"))
    assert too_big(packet, 1280, SENDER[6])
    assert time_exceeded(packet, SENDER[6]) == b""


@pytest.mark.parametrize("version", [4, 6])
def test_what_was_told_is_understood(version: int) -> None:
    """ESP, and ESP in UDP with the ports, for the SA to be found by."""
    for body, protocol, ports in ((esp(), ESP, (0, 0)), (udp(esp(), (4500, 33)), UDP, (4500, 33))):
        ours = ip(body, version=version, protocol=protocol, ends=GATEWAYS[version])
        expected = TooBig(ip_address(GATEWAYS[version][1]), 0x1001, 1300, *ports)
        assert read_too_big(too_big(ours, 1300, SENDER[version])) == expected


def test_scapys_error_is_understood() -> None:
    """With a quote of 8 bytes behind the header, as RFC 792 had it."""
    ours = ip(esp(0xC000_0001), protocol=ESP, ends=GATEWAYS[4])
    header = scapy_inet.IP(src="203.0.113.1", dst=GATEWAYS[4][0])
    message = scapy_inet.ICMP(type=3, code=4, nexthopmtu=1234)
    error = bytes(header / message / ours[:28])
    expected = TooBig(IPv4Address(GATEWAYS[4][1]), 0xC000_0001, 1234, 0, 0)
    assert read_too_big(error) == expected


def ipv4_error(quote: bytes, mtu_bytes: int = 1300, kind: tuple[int, int] = (3, 4)) -> bytes:
    """An ICMP message around any quote, to our gateway."""
    message = struct.pack("!BBHHH", *kind, 0, 0, mtu_bytes) + quote
    message = message[:2] + struct.pack("!H", internet_checksum(message)) + message[4:]
    return ip(message, protocol=1, ends=("203.0.113.1", GATEWAYS[4][0]))


OURS = ip(esp(), protocol=ESP, ends=GATEWAYS[4])
OURS_IN_UDP = ip(udp(esp()), protocol=UDP, ends=GATEWAYS[4])


@pytest.mark.parametrize(("size", "told"), [(1500, 1492), (1492, 1006), (576, 508), (69, 68)])
def test_an_error_without_mtu_means_the_next_lower_plateau(size: int, told: int) -> None:
    """RFC 1191 §5: routers before it left the field 0."""
    ours = ip(esp(size=size - 28), protocol=ESP, ends=GATEWAYS[4])
    found = read_too_big(ipv4_error(ours[:28], 0))
    assert found is not None
    assert found.mtu_bytes == told


def test_a_quote_may_end_before_the_spi() -> None:
    """8 bytes behind the IP header are the UDP header alone; the ports still tell the SA."""
    found = read_too_big(ipv4_error(OURS_IN_UDP[:28]))
    assert found == TooBig(IPv4Address(GATEWAYS[4][1]), 0, 1300, 4500, 4500)


IN_UDP_ZERO_SPI = ip(udp(esp(0)), protocol=UDP, ends=GATEWAYS[4])
NOT_OURS = {
    "other type": ipv4_error(OURS, kind=(11, 0)),
    "other code": ipv4_error(OURS, kind=(3, 1)),
    "of somebody else": ipv4_error(ip(esp(), protocol=ESP, ends=("192.0.2.7", "198.51.100.2"))),
    "not ESP": ipv4_error(ip(esp(), protocol=6, ends=GATEWAYS[4])),
    "IKE": ipv4_error(IN_UDP_ZERO_SPI),
    "later fragment": ipv4_error(ip(esp(), protocol=ESP, ends=GATEWAYS[4], word=LATER)),
    "no quote": ipv4_error(b""),
    "cut quote": ipv4_error(OURS[:19]),
    "quote of IPv6": ipv4_error(ip(esp(), version=6, protocol=ESP)),
    "MTU below 68": ipv4_error(OURS, 67),
    "wrong checksum": ipv4_error(OURS)[:-1] + b"\1",
    "in pieces": ipv4_error(OURS)[:6] + b"\x20\0" + ipv4_error(OURS)[8:],
    "no ICMP": OURS,
    "IPv6, MTU below 1280": scapy_inet6.raw(
        scapy_inet6.IPv6(src="2001:db8::9", dst=GATEWAYS[6][0])
        / scapy_inet6.ICMPv6PacketTooBig(mtu=1279)
        / ip(esp(), version=6, protocol=ESP, ends=GATEWAYS[6])
    ),
}


@pytest.mark.parametrize("packet", NOT_OURS.values(), ids=NOT_OURS.keys())
def test_what_is_not_about_our_esp_packets_is_nothing(packet: bytes) -> None:
    """RFC 4301 §8.2 believes as little as it can."""
    assert read_too_big(packet) is None


@given(st.binary(max_size=120), st.integers(0, 90), st.integers(0, 255))
@example(b"", 0, 0)
def test_no_bytes_are_too_strange(octets: bytes, at: int, octet: int) -> None:
    """Noise behind every header, and good messages with one byte changed and the sums mended."""
    for packet in (octets, b"\x45" + octets, b"\x60" + octets, ip(octets), ip(octets, version=6)):
        read_too_big(packet)
        for sender in SENDER.values():
            too_big(packet, 1280, sender)
            time_exceeded(packet, sender)
    for quote in (octets, OURS[:20] + octets, OURS_IN_UDP[:28] + octets):
        read_too_big(ipv4_error(quote))
    for ours in (OURS, OURS_IN_UDP):
        quote = bytearray(ours[:64])
        quote[at % 64] = octet
        found = read_too_big(ipv4_error(bytes(quote)))
        assert found is None or found.mtu_bytes == 1300
        changed = bytearray(ipv4_error(ours[:64]))
        changed[at] = octet
        read_too_big(bytes(changed))
