"""Packets for classifiers and components: columns by hand, or read from a capture of real bytes."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import count

import numpy as np
import numpy.typing as npt
import pytest

from saactors.model.burst import Burst
from saactors.model.packets import PACKET, Chunk
from saactors.model.sa import Mode
from saactors.streams.sa_maker import SaMaker, SaTemplate
from saactors.traces.reader import open_capture
from saactors.traces.writer import CaptureWriter

UDP, ESP = 17, 50


def packet_columns(*packets: dict[str, object]) -> npt.NDArray[np.void]:
    """Records of PACKET, each UDP from 10.0.0.1:1000 to 10.0.0.2:2000 but for what is given."""
    columns = np.zeros(len(packets), PACKET)
    for row, given in zip(columns, packets, strict=True):
        fields = {"protocol": UDP, "source_port": 1000, "destination_port": 2000}
        fields |= {"length_bytes": 100, "transport_offset": 20, **given}
        for end, usual in (("source", "10.0.0.1"), ("destination", "10.0.0.2")):
            address = ip_address(str(fields.pop(end, usual)))
            number = int(address) | (0xFFFF << 32 if address.version == 4 else 0)
            row[f"{end}_high"], row[f"{end}_low"] = number >> 64, number & (1 << 64) - 1
            row["ip_version"] = address.version
        fields.setdefault("captured_bytes", fields["length_bytes"])
        for name, value in fields.items():
            row[name] = value
    return columns


def burst(*packets: dict[str, object]) -> Burst:
    """A burst of such packets; there are no bytes behind them."""
    return Burst(np.zeros(0, np.uint8), packet_columns(*packets), 0)


def ipv4(
    payload: bytes,
    protocol: int = UDP,
    *,
    ends: tuple[str, str] = ("10.0.0.1", "10.0.0.2"),
    position: int = 0,
) -> bytes:
    """An IPv4 packet (RFC 791); ``position`` is the word of flags and fragment offset."""
    source, destination = (ip_address(end).packed for end in ends)
    fields = (0x45, 0, 20 + len(payload), 1, position, 64, protocol, 0)
    return struct.pack(">BBHHHBBH", *fields) + source + destination + payload


def ipv6(
    payload: bytes,
    protocol: int = UDP,
    *,
    ends: tuple[str, str] = ("2001:db8::1", "2001:db8::2"),
) -> bytes:
    """An IPv6 packet (RFC 8200)."""
    source, destination = (ip_address(end).packed for end in ends)
    return (
        struct.pack(">IHBB", 6 << 28, len(payload), protocol, 64) + source + destination + payload
    )


def udp(payload: bytes, source: int = 4500, destination: int = 4500) -> bytes:
    """A UDP datagram (RFC 768) without checksum."""
    return struct.pack(">HHHH", source, destination, 8 + len(payload), 0) + payload


def esp(spi: int, sequence: int = 1) -> bytes:
    """An ESP packet (RFC 4303 §2) with nothing meaningful in it."""
    return struct.pack(">II", spi, sequence) + bytes(24)


@dataclass(frozen=True)
class Builders:
    """The builders above, for tests to take as a fixture."""

    columns: Callable[..., npt.NDArray[np.void]] = packet_columns
    burst: Callable[..., Burst] = burst
    ipv4: Callable[..., bytes] = ipv4
    ipv6: Callable[..., bytes] = ipv6
    udp: Callable[..., bytes] = udp
    esp: Callable[..., bytes] = esp


@pytest.fixture(scope="session")
def build() -> Builders:
    """Builders of packets."""
    return Builders()


@pytest.fixture(scope="session")
def chunk_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Sequence[bytes]], Chunk]:
    """Make a chunk of these IP packets: written to a capture and read back."""
    folder = tmp_path_factory.mktemp("chunks")
    numbers = count()

    def make(packets: Sequence[bytes]) -> Chunk:
        path = folder / f"{next(numbers)}.pcap"
        lengths = np.array([len(packet) for packet in packets], np.int32)
        starts = np.cumsum(lengths, dtype=np.int64) - lengths
        times = np.arange(len(packets), dtype=np.int64)
        with CaptureWriter(path) as writer:
            writer.write(b"".join(packets), starts, lengths, times)
        with open_capture(path) as reader:
            (chunk,) = reader
            return Chunk(chunk.data.copy(), chunk.packets.copy())

    return make


@pytest.fixture
def maker() -> SaMaker:
    """Makes SAs: template 0 in tunnel mode, template 1 in transport mode."""
    return SaMaker([SaTemplate(), SaTemplate(mode=Mode.TRANSPORT)], seed=1)
