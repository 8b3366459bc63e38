"""Real captures against dpkt, which decodes every packet on its own into Python objects."""

from __future__ import annotations

import gzip
import io
import struct
from pathlib import Path
from typing import Any

import dpkt
import numpy as np
import numpy.typing as npt
import pytest

from saactors.model.verdicts import Verdict
from saactors.traces.reader import open_capture

pytestmark = pytest.mark.shared

# Counts of the captures' README: packets and distinct 5-tuples.
PLAIN = {
    "plain/echo-connections.pcap.gz": (82_582, 1000),
    "plain/modbus.pcap": (13_622, 6),
    "plain/gnutella.pcap": (3905, 937),
    "plain/alexa.pcapng": (3103, 309),
    "plain/ip6_esp_nokeys.pcap": (121, 13),
}

FIVE_TUPLE = (
    *("source_high", "source_low", "destination_high", "destination_low"),
    *("source_port", "destination_port", "protocol"),
)

# Folders of captures by real IPsec stacks, and the packets in their ESP.
INNER = {"strongswan": 560, "linux-kernel": 774, "dpdk": 872}

ETHERNET = 1
FIELDS = (
    *("time_ns", "source_high", "source_low", "destination_high", "destination_low"),
    *("length_bytes", "captured_bytes", "transport_offset", "source_port", "destination_port"),
    *("ip_version", "protocol", "fragment"),
)


def expected_rows(path: Path) -> list[tuple[int, ...] | None]:
    """What dpkt makes of each packet: values of ``FIELDS``, or None where it is not IP."""
    data = path.read_bytes()
    if path.suffix == ".gz":
        data = gzip.decompress(data)
    file = io.BytesIO(data)
    reader: Any = dpkt.pcapng.Reader(file) if path.suffix == ".pcapng" else dpkt.pcap.Reader(file)
    nanoseconds = data[:4] in (b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d")
    stamped = [(exact_ns(seconds, nanoseconds), frame) for seconds, frame in reader]
    latest = np.maximum.accumulate([time_ns - stamped[0][0] for time_ns, _ in stamped])
    return [
        expected_row(int(time_ns), frame, reader.datalink())
        for time_ns, (_, frame) in zip(latest, stamped, strict=True)
    ]


def exact_ns(seconds: Any, nanoseconds: bool) -> int:
    """Decimal (ns files) or float (µs files, which a float resolves) to nanoseconds."""
    return int(seconds * 10**9) if nanoseconds else round(float(seconds) * 1e6) * 1000


def expected_row(time_ns: int, frame: bytes, link_type: int) -> tuple[int, ...] | None:
    """The view that dpkt has of one frame."""
    try:
        start, ip = ip_packet(frame, link_type)
    except dpkt.UnpackError:
        return None
    if isinstance(ip, dpkt.ip.IP):
        mapped = b"\0" * 10 + b"\xff\xff"
        source, destination = mapped + ip.src, mapped + ip.dst
        version, length, header, protocol = 4, ip.len, 4 * ip.hl, ip.p
        later, fragment = ip.offset > 0, ip.offset > 0 or bool(ip.mf)
    elif isinstance(ip, dpkt.ip6.IP6):
        source, destination = ip.src, ip.dst
        version, length, protocol = 6, 40 + ip.plen, getattr(ip, "p", ip.nxt)
        walked = [
            each
            for each in ip.all_extension_headers
            if not isinstance(each, dpkt.ip6.IP6ESPHeader)  # for us an upper layer (RFC 4303)
        ]
        header = 40 + sum(each.length for each in walked)
        later = fragment = False  # there is no IPv6 fragment in these captures
    else:
        return None
    ports = (0, 0)
    if protocol in (6, 17) and not later and len(frame) >= start + header + 4:
        ports = struct.unpack_from(">HH", frame, start + header)
    halves = struct.unpack(">QQQQ", source + destination)
    captured = min(length, len(frame) - start)
    return (time_ns, *halves, length, captured, header, *ports, version, protocol, int(fragment))


def ip_packet(frame: bytes, link_type: int) -> tuple[int, Any]:
    """Where the packet in ``frame`` begins, and dpkt's object for it."""
    if link_type == ETHERNET:
        ethernet = dpkt.ethernet.Ethernet(frame)
        return 14 + 4 * len(getattr(ethernet, "vlan_tags", ())), ethernet.data
    return 0, dpkt.ip.IP(frame) if frame[0] >> 4 == 4 else dpkt.ip6.IP6(frame)


def columns_of(path: Path) -> npt.NDArray[np.void]:
    """All packets of the capture at ``path``."""
    with open_capture(path) as capture:
        return np.concatenate([chunk.packets for chunk in capture])


@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_capture_holds_the_packets_and_flows_that_its_readme_states(
    shared_folder: Path, name: str
) -> None:
    """Packets in all, and distinct 5-tuples of those that are IP."""
    packets = columns_of(shared_folder / "captures" / name)
    passed = packets[packets["verdict"] == Verdict.PASSED]
    assert (len(packets), len(np.unique(passed[list(FIVE_TUPLE)]))) == PLAIN[name]


@pytest.mark.parametrize("folder", INNER)
def test_a_capture_of_inner_packets_holds_one_for_each_esp_packet(
    shared_folder: Path, folder: str
) -> None:
    """Every one of them passes."""
    packets = columns_of(shared_folder / "captures" / folder / "inner.pcap")
    assert packets["verdict"].tolist() == [Verdict.PASSED] * INNER[folder]


@pytest.mark.parametrize("name", [*PLAIN, *(f"{each}/capture.pcap" for each in INNER)])
def test_every_column_of_a_real_capture_is_what_dpkt_reads(shared_folder: Path, name: str) -> None:
    """Packet by packet; and what dpkt cannot read as IP has not passed here either."""
    path = shared_folder / "captures" / name
    expected = expected_rows(path)
    packets = columns_of(path)
    found = [
        tuple(values) if verdict == Verdict.PASSED else None
        for verdict, values in zip(packets["verdict"], packets[list(FIELDS)].tolist(), strict=True)
    ]
    assert found == expected
