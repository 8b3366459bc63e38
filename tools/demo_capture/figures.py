"""What is in a capture, counted with dpkt."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

import dpkt  # type: ignore[import-untyped]  # dpkt ships no types

ETHERNET_BYTES = 14
IPV6_HEADER_BYTES = 40
TOP_TALKERS = 5
TRANSPORT_NAMES = {1: "ICMP", 6: "TCP", 17: "UDP", 58: "ICMPv6"}

# Both directions of a conversation together: protocol, then (address, port) of either end, sorted.
Flow = tuple[int, tuple[bytes, int], tuple[bytes, int]]


@dataclass
class Figures:
    """Sums over a capture. Bytes are those on the wire, with the Ethernet header."""

    packets: int = 0
    bytes_on_the_wire: int = 0
    not_ip: int = 0
    first_s: float = 0.0
    last_s: float = 0.0
    ipv6: int = 0
    transports: Counter[str] = field(default_factory=Counter)
    flow_bytes: Counter[Flow] = field(default_factory=Counter)
    pair_bytes: Counter[tuple[bytes, bytes]] = field(default_factory=Counter)

    def rows(self) -> Iterator[tuple[str, str]]:
        """The figures as names and values, for people."""
        duration_s = self.last_s - self.first_s
        hosts = {address for pair in self.pair_bytes for address in pair}
        yield "packets", f"{self.packets:,}"
        yield "of them IPv6", f"{self.ipv6:,}"
        yield "of them not IP (ARP)", f"{self.not_ip:,}"
        for name, count in self.transports.most_common():
            yield f"of them {name}", f"{count:,}"
        yield "flows (5-tuples, both directions together)", f"{len(self.flow_bytes):,}"
        yield "host pairs", f"{len(self.pair_bytes):,}"
        yield "addresses", f"{len(hosts):,}"
        yield "bytes on the wire", f"{self.bytes_on_the_wire:,}"
        yield "duration", f"{duration_s:.1f} s"
        for pair, pair_bytes in self.pair_bytes.most_common(TOP_TALKERS):
            names = " and ".join(str(ip_address(address)) for address in pair)
            yield f"between {names}", f"{pair_bytes / self.bytes_on_the_wire:.1%} of the bytes"


def count(path: Path) -> Figures:
    """Read a gzipped capture of Ethernet frames through and count."""
    figures = Figures()
    with gzip.open(path) as file:
        for time_s, frame in dpkt.pcap.Reader(file):
            figures.first_s = figures.first_s or float(time_s)
            figures.last_s = float(time_s)
            figures.packets += 1
            _count_packet(figures, dpkt.ethernet.Ethernet(frame).data)
    return figures


def _count_packet(figures: Figures, packet: dpkt.Packet) -> None:
    """Count one Ethernet frame's payload."""
    if not isinstance(packet, dpkt.ip.IP | dpkt.ip6.IP6):
        figures.not_ip += 1
        return
    is_ipv6 = isinstance(packet, dpkt.ip6.IP6)
    protocol = packet.nxt if is_ipv6 else packet.p
    length_bytes = ETHERNET_BYTES + (packet.plen + IPV6_HEADER_BYTES if is_ipv6 else packet.len)
    ports = (getattr(packet.data, "sport", 0), getattr(packet.data, "dport", 0))
    ends = sorted(zip((packet.src, packet.dst), ports, strict=True))
    figures.ipv6 += is_ipv6
    figures.bytes_on_the_wire += length_bytes
    figures.transports[TRANSPORT_NAMES.get(protocol, f"protocol {protocol}")] += 1
    figures.flow_bytes[protocol, ends[0], ends[1]] += length_bytes
    figures.pair_bytes[ends[0][0], ends[1][0]] += length_bytes
