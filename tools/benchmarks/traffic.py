"""Generated traffic: UDP over IPv4 in Ethernet, as nanosecond pcap files.

Sizes are those of the IP packet. A flow is told by its source address, so that each flow gets an SA
of its own. Payloads are random bytes; the same arguments make the same file everywhere.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]

PCAP_HEADER: Final = np.array(
    [(0xA1B23C4D, 2, 4, 0, 0, 262_144, 1)],
    "<u4, <u2, <u2, <i4, <u4, <u4, <u4",
)

# One record's header, and the headers of its packet.
HEAD: Final = np.dtype(
    [
        ("seconds", "<u4"),
        ("nanoseconds", "<u4"),
        ("captured_bytes", "<u4"),
        ("wire_bytes", "<u4"),
        ("mac_addresses", "u1", 12),
        ("ethertype", ">u2"),
        ("version_and_words", "u1"),
        ("traffic_class", "u1"),
        ("ip_bytes", ">u2"),
        ("identification", ">u2"),
        ("fragment", ">u2"),
        ("hops", "u1"),
        ("protocol", "u1"),
        ("ip_checksum", ">u2"),
        ("source", ">u4"),
        ("destination", ">u4"),
        ("source_port", ">u2"),
        ("destination_port", ">u2"),
        ("udp_bytes", ">u2"),
        ("udp_checksum", ">u2"),  # 0: none
    ]
)
RECORD_BYTES: Final = 16
ETHERNET_BYTES: Final = 14
IP_BYTES: Final = 20
FIRST_SOURCE: Final = 0x0A000000  # 10.0.0.0/8 (RFC 1918)
DESTINATION: Final = 0xC6120001  # 198.18.0.1, for benchmarks (RFC 2544)
EPOCH_S: Final = 1_700_000_000
BLOCK_PACKETS: Final = 65_536


def write_capture(path: Path, sizes: Integers, flows: Integers, spacing_ns: int) -> Path:
    """Write packets of these IP sizes and flows, one every ``spacing_ns``; returns ``path``."""
    generator = np.random.default_rng(0)
    times_ns = np.arange(len(sizes)) * spacing_ns
    with path.open("wb") as file:
        file.write(PCAP_HEADER.tobytes())
        for first in range(0, len(sizes), BLOCK_PACKETS):
            part = slice(first, first + BLOCK_PACKETS)
            file.write(records(sizes[part], flows[part], times_ns[part], generator).data)
    return path


def records(
    sizes: Integers, flows: Integers, times_ns: Integers, generator: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """Records of these packets, one behind the other."""
    heads = np.zeros(len(sizes), HEAD)
    heads["seconds"] = EPOCH_S + times_ns // 1_000_000_000
    heads["nanoseconds"] = times_ns % 1_000_000_000
    heads["captured_bytes"] = heads["wire_bytes"] = ETHERNET_BYTES + sizes
    heads["ethertype"] = 0x0800
    heads["version_and_words"] = 0x45
    heads["ip_bytes"] = sizes
    heads["hops"] = 64
    heads["protocol"] = 17
    heads["source"] = FIRST_SOURCE + flows
    heads["destination"] = DESTINATION
    heads["source_port"] = heads["destination_port"] = 9  # discard
    heads["udp_bytes"] = sizes - IP_BYTES
    octets = heads.view(np.uint8).reshape(len(sizes), HEAD.itemsize)
    ip_start = RECORD_BYTES + ETHERNET_BYTES
    heads["ip_checksum"] = internet_checksums(octets[:, ip_start : ip_start + IP_BYTES])
    lengths = RECORD_BYTES + ETHERNET_BYTES + sizes
    ends = np.cumsum(lengths)
    block: npt.NDArray[np.uint8] = generator.integers(0, 256, ends[-1], np.uint8)
    block[(ends - lengths)[:, None] + np.arange(HEAD.itemsize)] = octets
    return block


def internet_checksums(headers: npt.NDArray[np.uint8]) -> Integers:
    """The checksum (RFC 1071) of each row."""
    total: Integers = np.ascontiguousarray(headers).view(">u2").sum(axis=1, dtype=np.int64)
    for _ in range(2):
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def uniform_flows(packets: int, flows: int) -> Integers:
    """Each flow once, in order, then flows at random, all equally likely."""
    chosen = np.random.default_rng(1).integers(0, flows, packets)
    first = min(packets, flows)
    chosen[:first] = np.arange(first)
    return chosen
