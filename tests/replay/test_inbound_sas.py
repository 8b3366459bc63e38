"""Inbound SAs from a key table with patterns: what is one SA stays one, and there are not too many.

The outer header of ESP in tunnel mode is not authenticated (RFC 4303 §3.3), so anybody may send a
packet once more with another source address.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from saactors.replay.options import ReplayOptions
from saactors.replay.run import replay
from saactors.traces.reader import open_capture
from saactors.traces.writer import CaptureWriter

WriteTraffic = Callable[[Path, Iterable[tuple[int, int, int]]], Path]
SOURCE = "192.0.2.1"  # of tunnels that a replay makes


@dataclass
class Gateway:
    """ESP packets of one SA, the key table that opens them, and a place for captures."""

    folder: Path
    packets: list[bytes]
    keys: str

    def receive(
        self, packets: list[bytes], keys: str, **options: Any
    ) -> tuple[int, dict[str, int]]:
        """Open these packets by that key table: how many came out, and drops by reason."""
        capture, table = self.folder / "received.pcap", self.folder / "keys"
        table.write_text(keys)
        lengths = np.array([len(packet) for packet in packets], np.int32)
        starts = np.cumsum(lengths, dtype=np.int64) - lengths
        with CaptureWriter(capture) as writer:
            writer.write(b"".join(packets), starts, lengths, np.arange(len(packets)))
        result = replay(ReplayOptions(capture=capture, direction="in", keys=table, **options))
        return result.packets.left, dict(result.drops)


@pytest.fixture
def gateway(tmp_path: Path, write_traffic: WriteTraffic) -> Gateway:
    """A gateway to which three packets of one SA are sent."""
    plain = write_traffic(tmp_path / "plain.pcap", [(1000 * n, 0, 100) for n in range(3)])
    esp, keys = tmp_path / "esp.pcap", tmp_path / "esp_sa"
    replay(ReplayOptions(capture=plain, write_esp=esp, write_keys=keys))
    with open_capture(esp) as reader:
        (chunk,) = reader
        packets = [
            chunk.data[start : start + length].tobytes()
            for start, length in chunk.packets[["offset", "length_bytes"]].tolist()
        ]
    return Gateway(tmp_path, packets, keys.read_text())


def moved(packet: bytes, source: tuple[int, int, int, int]) -> bytes:
    """The packet with another outer source address."""
    return packet[:12] + bytes(source) + packet[16:]


def test_packets_replayed_from_another_source_are_replays(gateway: Gateway) -> None:
    """Where the key table leaves the source open, it is one SA, with one replay window."""
    elsewhere = [moved(packet, (203, 0, 113, n)) for n, packet in enumerate(gateway.packets)]
    keys = gateway.keys.replace(f'"{SOURCE}"', '"*"')
    assert keys != gateway.keys
    assert gateway.receive(gateway.packets + elsewhere, keys) == (3, {"replayed": 3})


def test_packets_from_a_source_that_the_table_does_not_name_are_unknown(gateway: Gateway) -> None:
    """The test above would prove nothing if sources did not count."""
    elsewhere = [moved(packet, (203, 0, 113, 1)) for packet in gateway.packets]
    assert gateway.receive(gateway.packets + elsewhere, gateway.keys) == (3, {"unknown_spi": 3})


def test_a_pattern_for_spis_makes_no_more_sas_than_there_may_be(gateway: Gateway) -> None:
    """Ten invented SPIs, room for four SAs: six are turned away by name (law 9)."""
    protocol, source, destination, _, *rest = gateway.keys.splitlines()[-1].split(",")
    keys = ",".join([protocol, source, destination, '"*"', *rest]) + "\n"
    (packet, *_) = gateway.packets
    invented = [packet[:20] + struct.pack(">I", 0x5000 + n) + packet[24:] for n in range(10)]
    left, drops = gateway.receive([packet, *invented], keys, sas_max=4)
    assert left == 1
    assert drops == {"icv_failed": 3, "sa_table_full": 7}


def test_without_cryptography_no_packet_is_a_replay(gateway: Gateway) -> None:
    """No ICV has proven any sequence number, so none moves a window: all packets come out."""
    twice = gateway.packets * 2
    assert gateway.receive(twice, gateway.keys) == (3, {"replayed": 3})
    assert gateway.receive(twice, gateway.keys, crypto="none") == (6, {})
