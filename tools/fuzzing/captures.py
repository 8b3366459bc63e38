"""Captures, whole and damaged, are read up to where they go wrong, and nothing else is raised.

Each is read twice, as a mapped file and as a stream: packets and warnings have to be the same. The
first byte of an input is the size of the chunks.
"""

from __future__ import annotations

import atexit
import io
import struct
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numba import config

from fuzzing.packets import FRAGMENTS, PLAIN, ipv6, udp
from saactors.errors import CaptureError
from saactors.model.packets import NO_SA
from saactors.model.verdicts import Verdict
from saactors.traces import pcapng, reader
from saactors.traces.reader import CaptureReader, open_capture
from saactors.traces.windows import window_over

if config.DISABLE_JIT:
    # Compiled code reads fields of records as attributes, which of NumPy's own records only those
    # of this type let one do.
    for _module, _names in ((reader, ("PACKET", "CLOCK")), (pcapng, ("INTERFACE",))):
        for _name in _names:
            setattr(_module, _name, np.dtype((np.record, getattr(_module, _name))))

_NAME = "standard input"
_READ = [Verdict.PASSED, Verdict.NOT_IP, Verdict.MALFORMED_IP, Verdict.CUT_BY_SNAP_LENGTH]


@cache
def _file() -> Path:
    """Where inputs stand while they are read: a file of this process."""
    folder = TemporaryDirectory(prefix="saactors-fuzz-")
    atexit.register(folder.cleanup)
    return Path(folder.name) / "capture"


def check(data: bytes) -> None:
    """Read the capture behind the first byte."""
    if len(data) >= 2:
        with np.errstate(over="ignore"):  # integers wrap in compiled code, and nobody is warned
            _read_twice(data)


def _read_twice(data: bytes) -> None:
    chunk_packets, capture = 1 + data[0] % 8, data[1:]
    _file().write_bytes(capture)
    mapped = streamed = None
    try:
        with open_capture(_file(), chunk_packets=chunk_packets) as capture_file:
            mapped = _read_all(capture_file)
    except CaptureError as error:
        assert str(error).startswith(str(_file()))  # noqa: PT017 - either outcome is a good one
    if capture[:2] == b"\x1f\x8b":
        return  # unpacked either way, so there is nothing to compare
    try:
        window = window_over(io.BytesIO(capture), owned=())
        with CaptureReader(_NAME, window, chunk_packets) as stream:
            streamed = _read_all(stream)
    except CaptureError as error:
        assert str(error).startswith(_NAME)  # noqa: PT017 - as above
    assert mapped == streamed, "a file and a stream of the same bytes are read alike"


def _read_all(capture: CaptureReader) -> tuple[list[object], list[str]]:
    """All packets without the place where they stand, and the warnings."""
    rows: list[object] = []
    latest_ns = 0
    for chunk in capture:
        packets = chunk.packets
        passed = packets[packets["verdict"] == Verdict.PASSED]
        assert len(packets) > 0
        assert np.isin(packets["verdict"], _READ).all()
        assert (packets["sa"] == NO_SA).all()
        assert (packets["offset"] >= 0).all()
        assert (packets["offset"] + packets["captured_bytes"] <= len(chunk.data)).all()
        assert (packets["captured_bytes"] <= packets["length_bytes"]).all()
        assert (np.diff(packets["time_ns"], prepend=latest_ns) >= 0).all()
        assert np.isin(passed["ip_version"], [4, 6]).all()
        assert (passed["transport_offset"] >= 20).all()
        assert (passed["transport_offset"] <= passed["captured_bytes"]).all()
        latest_ns = int(packets["time_ns"][-1])
        alike = packets.copy()
        alike["offset"] = 0
        rows += alike.tolist()
    assert capture.packets_read == len(rows)
    return rows, capture.warnings


def _pcap(packets: Iterable[bytes], order: str, magic: int, link_type: int) -> bytes:
    header = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, link_type)
    records = (
        struct.pack(order + "IIII", 9, number, len(packet), len(packet)) + packet
        for number, packet in enumerate(packets)
    )
    return header + b"".join(records)


def _block(order: str, kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    length = struct.pack(order + "I", 12 + len(body))
    return struct.pack(order + "I", kind) + length + body + length


def _option(order: str, code: int, value: bytes) -> bytes:
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def _pcapng(packets: Iterable[bytes], order: str, link_type: int) -> bytes:
    """A section with two interfaces, and packets in each of the three kinds of block."""
    clock = _option(order, 9, b"\x89") + _option(order, 14, struct.pack(order + "q", -5))
    parts = [
        _block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1)),
        _block(order, 1, struct.pack(order + "HHI", link_type, 0, 0)),
        _block(order, 1, struct.pack(order + "HHI", link_type, 0, 60) + clock),
        _block(order, 5, bytes(20)),
    ]
    for number, packet in enumerate(packets):
        size = len(packet)
        heads = (
            (6, struct.pack(order + "IIIII", number % 2, 0, number, size, size)),
            (3, struct.pack(order + "I", size)),
            (2, struct.pack(order + "HHIIII", 1, 0, 0, number, size, size)),
        )
        kind, head = heads[number % 3]
        parts.append(_block(order, kind, head + packet))
    return b"".join(parts)


def seeds() -> Iterable[bytes]:
    """Both formats in both byte orders, with every link type that we read."""
    packets = (*PLAIN[:4], *FRAGMENTS[:2], ipv6(udp(b""), chain=[(51, b"\1" + bytes(10))]))
    ethernet = [bytes(12) + struct.pack("!H", 0x0800 if packet[0] >> 4 == 4 else 0x86DD) + packet
                for packet in packets]  # fmt: skip
    tagged = [bytes(12) + b"\x88\xa8\0\7\x81\0\0\7\x08\0" + packets[0]]
    for order in "<>":
        for magic in (0xA1B2C3D4, 0xA1B23C4D):
            yield b"\2" + _pcap(packets, order, magic, 101)
        yield b"\2" + _pcap(ethernet + tagged, order, 0xA1B2C3D4, 1)
        yield b"\1" + _pcapng(packets, order, 101)
        yield b"\1" + _pcapng(ethernet, order, 1)
    cooked = (
        (0, b"\2\0\0\0"),
        (12, b""),
        (113, bytes(14) + b"\x08\0"),
        (276, b"\x08\0" + bytes(18)),
    )
    for link_type, head in cooked:
        yield b"\0" + _pcap([head + packets[0], head + b"?"], "<", 0xA1B2C3D4, link_type)
    yield b"\0" + _pcapng(packets[:2], "<", 101) + _pcapng(packets[:2], ">", 101)
