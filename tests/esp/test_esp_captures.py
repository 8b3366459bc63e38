"""ESP of real IPsec stacks: every packet decrypts to what its sender put in.

The captures were made by strongSwan 5.9.8, Linux 6.1 and DPDK 22.11 (``shared/captures``).
"""

from __future__ import annotations

import json
import struct
from collections import Counter
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import dpkt
import numpy as np
import pytest

from saactors.esp.suites import SUITES
from saactors.esp.window import ReplayWindows
from saactors.model.verdicts import Verdict

pytestmark = pytest.mark.shared
BY_IKE = {suite.ike_proposal: suite.name for suite in SUITES}
BURST = 32


@dataclass
class Trace:
    """The ESP packets of a capture, what was inside each, and the SAs."""

    packets: list[bytes]
    inner: list[bytes]
    keys: dict[int, dict[str, Any]]  # by SPI

    def rows(self) -> list[tuple[bytes, bytes, int]]:
        """Packet, inner packet and SPI of every packet."""
        return [
            (packet, inner, spi_of(packet))
            for packet, inner in zip(self.packets, self.inner, strict=True)
        ]


def suite_of(keys: dict[str, Any]) -> str:
    """Our name of a proposal."""
    return BY_IKE[keys["proposal"].removeprefix("ESP:").rsplit("/", 1)[0]]


def esp_at(packet: bytes) -> int:
    """Where the ESP header is in an IPv4 packet; 0 if there is none."""
    headers = 4 * (packet[0] & 15)
    if packet[9] == 50:
        return headers
    in_udp = packet[9] == 17 and struct.unpack_from("!H", packet, headers + 2)[0] == 4500
    return headers + 8 if in_udp and packet[headers + 8 : headers + 12] != bytes(4) else 0


def spi_of(packet: bytes) -> int:
    """SPI of an ESP packet."""
    return int(struct.unpack_from("!I", packet, esp_at(packet))[0])


def read(folder: Path) -> Trace:
    """A capture with what goes with it."""
    with (folder / "capture.pcap").open("rb") as file:
        frames = [bytes(frame) for _, frame in dpkt.pcap.Reader(file)]
    packets = [
        frame[14 : 14 + struct.unpack_from("!H", frame, 16)[0]]
        for frame in frames
        if frame[12:14] == b"\x08\0"
    ]
    with (folder / "inner.pcap").open("rb") as file:
        inner = [bytes(packet) for _, packet in dpkt.pcap.Reader(file)]
    keys = json.loads((folder / "keys.json").read_text())
    return Trace(
        [packet for packet in packets if esp_at(packet)],
        inner,
        {int(sa["spi"], 16): sa for sa in keys},
    )


def table_of(esp: Any, trace: Trace) -> tuple[Any, dict[int, int]]:
    """The SAs, and each one's number by SPI."""
    spis = list(trace.keys)
    forms = [
        esp.Form(
            suite_of(trace.keys[spi]),
            outer=(trace.keys[spi]["src"], trace.keys[spi]["dst"]),
            extended=trace.keys[spi]["proposal"].endswith("/EXT_SEQ"),
            spi=spi,
            key=bytes.fromhex(trace.keys[spi]["enc_key"]),
            integrity_key=bytes.fromhex(trace.keys[spi]["integ_key"]),
        )
        for spi in spis
    ]
    return esp.table(*forms), {spi: number for number, spi in enumerate(spis)}


@pytest.mark.parametrize(
    ("stack", "packets", "suites"),
    [("strongswan", 560, 10), ("linux-kernel", 774, 12), ("dpdk", 872, 7)],
)
def test_every_packet_of_a_real_stack_decrypts_in_order(
    esp: Any, shared_folder: Path, stack: str, packets: int, suites: int
) -> None:
    """Byte for byte, with replay windows, extended numbers across 2³² and ESP in UDP."""
    trace = read(shared_folder / "captures" / stack)
    sas, numbers = table_of(esp, trace)
    windows, opener = ReplayWindows(), esp.opener(sas)
    for spi, number in numbers.items():
        windows.resume(number, trace.keys[spi].get("first_seq64", 1) - 1)
    rows = trace.rows()
    for at in range(0, len(rows), BURST):
        burst = rows[at : at + BURST]
        sa = np.array([numbers[spi] for _, _, spi in burst], np.int32)
        lengths = np.array([len(packet) for packet, _, _ in burst], np.int32)
        opened = opener.open_burst(
            np.frombuffer(b"".join(packet for packet, _, _ in burst), np.uint8),
            np.cumsum(lengths, dtype=np.int64) - lengths,
            lengths,
            sa,
            windows.highest(sa),
        )
        windows.check_and_update(sa, opened.sequences, opened.verdicts)
        assert opened.verdicts.tolist() == [Verdict.PASSED] * len(burst)
        assert [
            opened.data[start : start + length].tobytes()
            for start, length in zip(opened.starts, opened.lengths, strict=True)
        ] == [inner for _, inner, _ in burst]
    assert len(rows) == packets
    assert len({suite_of(trace.keys[spi]) for _, _, spi in rows}) == suites


@pytest.mark.parametrize("stack", ["strongswan", "linux-kernel", "dpdk"])
def test_sealing_with_a_real_stack_s_keys_and_counters_gives_its_lengths(
    esp: Any, shared_folder: Path, stack: str
) -> None:
    """Same SPI, sequence number and sizes; DPDK's IVs are ours, so its ciphertext is too."""
    trace = read(shared_folder / "captures" / stack)
    sas, numbers = table_of(esp, trace)
    seen: Counter[int] = Counter()
    compared = 0
    for packet, inner, spi in trace.rows():
        sequence = trace.keys[spi].get("first_seq64", 1) + seen[spi]
        seen[spi] += 1
        (sealed,) = esp.seal(sas, [inner], [sequence], [numbers[spi]])
        theirs, ours = packet[esp_at(packet) :], sealed[20:]
        assert len(theirs) == len(ours)
        assert theirs[:8] == ours[:8]
        assert ip_ends(packet) == ip_ends(sealed)
        if theirs[8:16] == ours[8:16]:
            compared += 1
            assert theirs == ours
    assert compared == {"strongswan": 0, "linux-kernel": 43, "dpdk": 654}[stack]


def ip_ends(packet: bytes) -> tuple[str, str]:
    """Source and destination of an IPv4 packet."""
    return str(ip_address(packet[12:16])), str(ip_address(packet[16:20]))
