"""A capture as a port: played when its packets are due, and one written of what is sent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from saactors.errors import CaptureError, OutputError
from saactors.gateway.ports.capture import CapturePort, open_played
from saactors.gateway.ports.port import SLOT_BYTES
from saactors.model.packets import PACKET
from saactors.model.verdicts import Verdict
from saactors.traces.reader import open_capture
from saactors.traces.writer import CaptureWriter
from tests.gateway.ports.network import ip_packet, send, sizes_of

STEP_NS = 1_000_003  # between packets
EPOCH_NS = 1_700_000_000_000_000_000
BEGIN_NS = 5_000_000_000  # when the port is first asked


def written(path: Path, packets: list[bytes]) -> Path:
    """A capture of these packets, a step apart."""
    lengths = np.array([len(packet) for packet in packets], np.int32)
    starts = np.cumsum(lengths).astype(np.int64) - lengths
    with CaptureWriter(path) as writer:
        times = EPOCH_NS + np.arange(len(packets), dtype=np.int64) * STEP_NS
        writer.write(b"".join(packets), starts, lengths, times)
    return path


def taken(port: CapturePort, now_ns: int, room: int = 64) -> list[bytes]:
    """What the port gives at that time."""
    arena, packets = np.zeros(room * SLOT_BYTES, np.uint8), np.zeros(room, PACKET)
    came = []
    for place, packet in enumerate(packets[: port.receive(arena, packets, now_ns)]):
        assert (packet["time_ns"], packet["offset"]) == (now_ns, place * SLOT_BYTES)
        start = packet["offset"]
        came.append(arena[start : start + packet["captured_bytes"]].tobytes())
    return came


@pytest.mark.parametrize("speed", [1.0, 0.3, 7.0])
def test_each_packet_comes_when_it_is_due(tmp_path: Path, version: int, speed: float) -> None:
    """Neither before nor after ``next_ns``, which is its time in the trace by the speed."""
    packets = sizes_of(version, 20, 1500)
    path = written(tmp_path / "in.pcap", packets)
    port = open_played("trace", "inside", str(path), None, speed)
    assert (port.fileno(), port.next_ns()) == (-1, 0)
    assert taken(port, BEGIN_NS) == packets[:1]
    for number in range(1, 20):
        due_ns = port.next_ns()
        assert due_ns is not None
        assert abs(due_ns - BEGIN_NS - number * STEP_NS / speed) <= 1
        assert taken(port, due_ns - 1) == []
        assert taken(port, due_ns) == [packets[number]]
    assert port.next_ns() is None
    assert taken(port, 2 * BEGIN_NS) == []
    told = port.statistics()
    assert (told["received_packets"], told["received_bytes"]) == (20, sum(map(len, packets)))
    port.close()


def test_a_late_reader_gets_what_is_due_in_order(tmp_path: Path) -> None:
    """As many as it has room for, and the rest when it asks again."""
    packets = sizes_of(4, 100, 1500)
    path = written(tmp_path / "in.pcap", packets)
    port = open_played("trace", "inside", str(path), None, 1.0)
    assert taken(port, BEGIN_NS) == packets[:1]
    late_ns = BEGIN_NS + 90 * STEP_NS
    assert taken(port, late_ns) == packets[1:65]
    assert taken(port, late_ns) == packets[65:91]
    assert taken(port, late_ns) == []
    port.close()


def test_a_packet_longer_than_a_slot_is_left_out_and_counted(tmp_path: Path) -> None:
    """As of any port."""
    packets = [ip_packet(4, 253, bytes(size)) for size in (10, SLOT_BYTES, 20)]
    path = written(tmp_path / "in.pcap", packets)
    port = open_played("trace", "inside", str(path), None, 1e6)
    assert taken(port, BEGIN_NS) + taken(port, 2 * BEGIN_NS) == [packets[0], packets[2]]
    assert port.statistics()["truncated"] == 1
    port.close()


def test_a_frame_that_is_no_packet_says_why(tmp_path: Path) -> None:
    """It goes on with its verdict, as in a replay."""
    path = written(tmp_path / "in.pcap", [b"\x45\0\0"])
    port = open_played("trace", "inside", str(path), None, 1.0)
    packets = np.zeros(1, PACKET)
    assert port.receive(np.zeros(SLOT_BYTES, np.uint8), packets, 0) == 1
    assert packets[0]["verdict"] == Verdict.MALFORMED_IP
    port.close()


def test_what_is_sent_is_written(tmp_path: Path, version: int) -> None:
    """Byte for byte, once the port is closed."""
    source, target = written(tmp_path / "in.pcap", sizes_of(4, 1, 100)), tmp_path / "out.pcap"
    port = open_played("trace", "inside", str(source), str(target), 1.0)
    packets = sizes_of(version, 300, 9000)
    assert send(port, packets) == 300
    told = port.statistics()
    assert (told["sent_packets"], told["sent_bytes"]) == (300, sum(map(len, packets)))
    port.close()
    with open_capture(target) as capture:
        came = [
            chunk.data[start : start + size].tobytes()
            for chunk in capture
            for start, size in zip(
                chunk.packets["offset"], chunk.packets["captured_bytes"], strict=True
            )
        ]
    assert came == packets


def test_files_that_cannot_be_had_are_named(tmp_path: Path) -> None:
    """Before anything is played."""
    with pytest.raises(CaptureError, match="nowhere"):
        open_played("trace", "inside", str(tmp_path / "nowhere.pcap"), None, 1.0)
    path = written(tmp_path / "in.pcap", sizes_of(4, 1, 100))
    with pytest.raises(OutputError, match="nowhere"):
        open_played("trace", "inside", str(path), str(tmp_path / "nowhere" / "out.pcap"), 1.0)
