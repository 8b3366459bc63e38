"""What the committed demo capture must hold, counted by dpkt from the file itself."""

from __future__ import annotations

import gzip
import re
import struct
from dataclasses import dataclass, field
from decimal import Decimal
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path

import dpkt
import pytest

DEMO = Path(__file__).parents[2] / "demo"
CAPTURE = DEMO / "traffic.pcap.gz"

# RFC 1918, RFC 3849: nobody's addresses, or documentation's.
ALLOWED_NETWORKS = [
    ip_network(prefix)
    for prefix in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "2001:db8::/32")
]
ESP, AH = 50, 51
IKE_PORTS = {500, 4500}

Address = IPv4Address | IPv6Address
Flow = tuple[int, frozenset[tuple[Address, int]]]


@dataclass
class Content:
    """What one reading of the capture found."""

    times_s: list[Decimal] = field(default_factory=list)
    longest_frame_bytes: int = 0
    addresses: set[Address] = field(default_factory=set)
    protocols: set[int] = field(default_factory=set)
    # Both directions together: protocol and the two ends.
    flow_bytes: dict[Flow, int] = field(default_factory=dict)
    payload_starts: dict[int, set[bytes]] = field(default_factory=dict)


@pytest.fixture(scope="module")
def content() -> Content:
    """The capture, read once."""
    found = Content()
    with gzip.open(CAPTURE) as file:
        for time_s, frame in dpkt.pcap.Reader(file):
            found.times_s.append(time_s)
            found.longest_frame_bytes = max(found.longest_frame_bytes, len(frame))
            packet = dpkt.ethernet.Ethernet(frame).data
            if isinstance(packet, dpkt.arp.ARP):
                found.addresses |= {ip_address(packet.spa), ip_address(packet.tpa)}
            else:
                add_packet(found, packet)
    return found


def add_packet(found: Content, packet: dpkt.ip.IP | dpkt.ip6.IP6) -> None:
    """Count an IP packet."""
    is_ipv4 = isinstance(packet, dpkt.ip.IP)
    protocol = packet.p if is_ipv4 else packet.nxt
    length_bytes = packet.len if is_ipv4 else packet.plen + 40
    source, destination = ip_address(packet.src), ip_address(packet.dst)
    ports = (getattr(packet.data, "sport", 0), getattr(packet.data, "dport", 0))
    flow = (protocol, frozenset({(source, ports[0]), (destination, ports[1])}))
    found.addresses |= {source, destination}
    found.protocols.add(protocol)
    found.flow_bytes[flow] = found.flow_bytes.get(flow, 0) + length_bytes
    if any(ports):
        payload = bytes(packet.data.data)
        for port in ports:
            found.payload_starts.setdefault(port, set()).add(payload[:4])


def flows_with_port(content: Content, protocol: int, port: int) -> int:
    """How many flows of a protocol have a port at either end."""
    return sum(
        flow_protocol == protocol and any(end_port == port for _, end_port in ends)
        for flow_protocol, ends in content.flow_bytes
    )


def test_is_small_enough_to_carry_in_the_repository() -> None:
    """The issue allows 3 MB, compressed."""
    assert CAPTURE.stat().st_size < 3_000_000


def test_has_packets_flows_and_hosts_enough(content: Content) -> None:
    """At least 20 000 packets in 300 flows among a few dozen hosts."""
    assert len(content.times_s) >= 20_000
    assert len(content.flow_bytes) >= 300
    assert len(content.addresses) >= 36


def test_is_an_ethernet_capture_with_nanoseconds() -> None:
    """The header says so: magic 0xa1b23c4d, link type 1."""
    with gzip.open(CAPTURE) as file:
        magic, _, _, _, _, _, link_type = struct.unpack("<IHHiIII", file.read(24))
    assert magic == 0xA1B23C4D
    assert link_type == 1


def test_is_cut_to_headers_and_the_beginning_of_the_payload(content: Content) -> None:
    """The longest headers (86 bytes with IPv6 and TCP time stamps) stay whole, payloads do not."""
    assert 86 < content.longest_frame_bytes <= 128
    assert b"GET " in content.payload_starts[80]
    assert b"HTTP" in content.payload_starts[80]


def test_mixes_web_names_bulk_calls_and_pings(content: Content) -> None:
    """Each kind of program that the issue names left its traffic."""
    assert flows_with_port(content, dpkt.ip.IP_PROTO_TCP, 80) >= 100
    assert flows_with_port(content, dpkt.ip.IP_PROTO_UDP, 53) >= 50
    assert {dpkt.ip.IP_PROTO_ICMP, dpkt.ip.IP_PROTO_ICMP6} <= content.protocols
    bulk = [flow for flow, total_bytes in content.flow_bytes.items() if total_bytes > 5_000_000]
    assert len(bulk) >= 2
    assert {flow_protocol for flow_protocol, _ in bulk} == {dpkt.ip.IP_PROTO_TCP}


def test_mixes_light_flows_and_heavy_ones(content: Content) -> None:
    """Half of the flows together carry a hundredth of the bytes or so, the ten heaviest most."""
    sizes_bytes = sorted(content.flow_bytes.values())
    total_bytes = sum(sizes_bytes)
    assert sum(sizes_bytes[: len(sizes_bytes) // 2]) < 0.03 * total_bytes
    assert sum(sizes_bytes[-10:]) > 0.5 * total_bytes


def test_shows_no_address_of_anybody(content: Content) -> None:
    """Only private and documentation addresses, IPv4 and IPv6, ARP included."""
    strangers = {
        address
        for address in content.addresses
        if not any(address in network for network in ALLOWED_NETWORKS)
    }
    assert not strangers
    assert {address.version for address in content.addresses} == {4, 6}


def test_holds_no_ipsec_yet(content: Content) -> None:
    """The replay is to add it."""
    assert not {ESP, AH} & content.protocols
    assert not IKE_PORTS & content.payload_starts.keys()


def test_time_never_runs_backwards(content: Content) -> None:
    """Records are in the order of their time stamps, over at least 20 s."""
    assert content.times_s == sorted(content.times_s)
    assert content.times_s[-1] - content.times_s[0] > 20


def test_its_readme_states_its_figures(content: Content) -> None:
    """The table in demo/README.md is about this very capture."""
    readme = (DEMO / "README.md").read_text()
    table = dict(re.findall(r"^\| (.+?) \| ([\d,]+) \|$", readme, re.MULTILINE))
    assert table["packets"] == f"{len(content.times_s):,}"
    assert table["flows (5-tuples, both directions together)"] == f"{len(content.flow_bytes):,}"
    wire_bytes = sum(content.flow_bytes.values())
    with_ethernet = wire_bytes + 14 * (
        len(content.times_s) - int(table["of them not IP (ARP)"].replace(",", ""))
    )
    assert table["bytes on the wire"] == f"{with_ethernet:,}"
