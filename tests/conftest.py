"""Fixtures for every test."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from saactors.traces.writer import CaptureWriter

CHECKOUT = Path(__file__).parent.parent

# Machines that others use, too, take half a second over nothing now and then; speeds are
# tools/bench.py's business.
settings.register_profile("saactors", deadline=None)
settings.load_profile("saactors")


@pytest.fixture(scope="session")
def shared_folder() -> Path:
    """The folder of real captures beside the checkout; a test that needs it skips without it."""
    folder = CHECKOUT.parent / "shared"
    if not (folder / "captures").is_dir():
        pytest.skip(f"SHARED FOLDER MISSING: expected real captures in {folder}/captures")
    return folder


@pytest.fixture(scope="session")
def write_traffic() -> Callable[[Path, Iterable[tuple[int, int, int]]], Path]:
    """Write a capture of packets that are given as (time_ns, flow, length_bytes), in order.

    Flow f sends UDP (RFC 768) from the f-th address of 10.1.0.0/16 to 10.2.0.1. A payload begins
    with the flow and the packet's number within it, 32 bits each, so that what comes out of a run
    can be told apart. A replay counts its time from the first packet.
    """

    def write(path: Path, packets: Iterable[tuple[int, int, int]]) -> Path:
        packets = list(packets)
        numbers: Counter[int] = Counter()
        octets = []
        for _, flow, length_bytes in packets:
            octets.append(_udp_packet(flow, numbers[flow], length_bytes))
            numbers[flow] += 1
        lengths = np.array([length for _, _, length in packets], np.int32)
        starts = np.cumsum(lengths, dtype=np.int64) - lengths
        times = np.array([time_ns for time_ns, _, _ in packets], np.int64)
        with CaptureWriter(path) as writer:
            writer.write(b"".join(octets), starts, lengths, times)
        return path

    return write


def _udp_packet(flow: int, number: int, length_bytes: int) -> bytes:
    source, destination = bytes([10, 1]) + struct.pack(">H", flow), bytes([10, 2, 0, 1])
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, length_bytes, 1, 0, 64, 17, 0, source, destination)
    payload = struct.pack(">II", flow, number).ljust(length_bytes - 28, b"\xa5")
    return ip + struct.pack(">HHHH", 1000, 2000, length_bytes - 20, 0) + payload
