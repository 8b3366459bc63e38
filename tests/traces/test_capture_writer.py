"""The capture writer: what it writes, dpkt, libpcap and our own reader read back."""

from __future__ import annotations

import resource
import signal
from pathlib import Path
from types import SimpleNamespace

import cypcap
import dpkt
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from saactors.errors import OutputError
from saactors.traces.reader import open_capture
from saactors.traces.writer import BUFFER_BYTES, CaptureWriter, Link

EPOCH_NS = 1_700_000_000_123_456_789

Burst = tuple[list[bytes], list[int]]


def write(writer: CaptureWriter, packets: list[bytes], times_ns: list[int]) -> None:
    """Hand a burst to the writer, with a gap between packets as they may stand in a buffer."""
    gap = b"\xee" * 3
    lengths = np.array([len(packet) for packet in packets], np.int32)
    starts = np.cumsum([0, *(lengths[:-1] + len(gap))], dtype=np.int64)[: len(packets)]
    writer.write(gap.join(packets), starts, lengths, np.array(times_ns, np.int64))


bursts = st.lists(
    st.lists(st.tuples(st.binary(max_size=80), st.integers(0, 2**32 * 10**9 - 1)), max_size=5).map(
        lambda pairs: ([packet for packet, _ in pairs], [time_ns for _, time_ns in pairs])
    ),
    max_size=4,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(bursts=bursts)
def test_any_bursts_come_back_through_dpkt(tmp_path: Path, bursts: list[Burst]) -> None:
    """Bytes and nanoseconds of every packet, in order, over any number of bursts."""
    path = tmp_path / "capture.pcap"
    with CaptureWriter(path) as writer:
        for packets, times_ns in bursts:
            write(writer, packets, times_ns)
    with path.open("rb") as file:
        reader = dpkt.pcap.Reader(file)
        assert reader.datalink() == 101
        read_back = [(int(seconds * 10**9), packet) for seconds, packet in reader]
    written = [
        (time_ns, packet)
        for packets, times_ns in bursts
        for packet, time_ns in zip(packets, times_ns, strict=True)
    ]
    assert read_back == written
    assert writer.packets_written == len(written)


@pytest.mark.parametrize(("link", "link_type"), [("raw", 101), ("ethernet", 1)])
def test_what_is_written_is_read_back_by_the_reader(
    tmp_path: Path, build: SimpleNamespace, link: Link, link_type: int
) -> None:
    """Reader → writer → reader: the same columns over the same bytes."""
    ips = [build.ipv4(build.udp()), build.ipv6(build.udp(bytes(1400)))]
    if link == "ethernet":
        ips = [build.ethernet(ips[0]), build.ethernet(ips[1], 0x86DD)]
    first, second = tmp_path / "first.pcap", tmp_path / "second.pcap"
    first.write_bytes(
        build.pcap([(EPOCH_NS + 238 * i, p) for i, p in enumerate(ips)], link_type=link_type)
    )
    with open_capture(first) as capture, CaptureWriter(second, link=link) as writer:
        (chunk,) = list(capture)
        starts = np.array([40, 40 + len(ips[0]) + 16], np.int64)
        lengths = np.array([len(ip) for ip in ips], np.int32)
        times_ns = chunk.packets["time_ns"] + capture.first_time_epoch_ns
        writer.write(chunk.data, starts, lengths, times_ns)
    assert second.read_bytes() == first.read_bytes()


def test_libpcap_opens_the_file(tmp_path: Path, build: SimpleNamespace) -> None:
    """Magic, version, snap length and link type are what libpcap expects."""
    path = tmp_path / "capture.pcap"
    with CaptureWriter(path) as writer:
        write(writer, [build.ipv4(build.udp())], [EPOCH_NS])
    with cypcap.open_offline(path, cypcap.TstampPrecision.NANO) as pcap:
        assert int(pcap.datalink()) in (12, 101)  # DLT_RAW on Linux, or the file's own number
        assert pcap.snapshot() == 262_144
        ((header, packet),) = list(pcap)
    assert bytes(packet) == build.ipv4(build.udp())
    assert header.caplen == header.len == len(packet)


def test_a_long_burst_goes_through_the_bounded_buffer(tmp_path: Path) -> None:
    """256 packets of 9000 bytes are more than the buffer holds; the file does not show it."""
    packets = [bytes([i]) * 9000 for i in range(256)]
    assert sum(map(len, packets)) > 2 * BUFFER_BYTES
    path = tmp_path / "capture.pcap"
    with CaptureWriter(path) as writer:
        write(writer, packets, [EPOCH_NS + i for i in range(256)])
    with path.open("rb") as file:
        assert [packet for _, packet in dpkt.pcap.Reader(file)] == packets


def test_a_packet_beyond_the_snap_length_is_cut_to_it(tmp_path: Path) -> None:
    """As libpcap cuts: the record says how long the packet was."""
    path = tmp_path / "capture.pcap"
    with CaptureWriter(path) as writer:
        write(writer, [bytes(300_000)], [EPOCH_NS])
    content = path.read_bytes()
    assert len(content) == 24 + 16 + 262_144
    assert int.from_bytes(content[32:36], "little") == 262_144
    assert int.from_bytes(content[36:40], "little") == 300_000


def test_data_of_any_kind_is_taken(tmp_path: Path) -> None:
    """Bytes, bytearrays and arrays, as crypto components and captures have them."""
    path = tmp_path / "capture.pcap"
    columns = (np.zeros(1, np.int64), np.full(1, 4, np.int32), np.zeros(1, np.int64))
    with CaptureWriter(path) as writer:
        writer.write(b"abcd", *columns)
        writer.write(bytearray(b"efgh"), *columns)
        writer.write(np.frombuffer(b"ijkl", np.uint8), *columns)
    with path.open("rb") as file:
        assert [packet for _, packet in dpkt.pcap.Reader(file)] == [b"abcd", b"efgh", b"ijkl"]


def test_a_packet_outside_its_data_is_a_broken_invariant(tmp_path: Path) -> None:
    """Nothing is read from beyond the buffer, whatever the columns say."""
    with CaptureWriter(tmp_path / "capture.pcap") as writer:
        for start, length in ((1, 4), (-1, 2), (0, 5), (0, -1)):
            columns = (np.full(1, start, np.int64), np.full(1, length, np.int32))
            with pytest.raises(AssertionError):
                writer.write(b"abcd", *columns, np.zeros(1, np.int64))


@pytest.mark.parametrize(
    ("name", "problem"), [("missing/out.pcap", "No such file"), (".", "Is a directory")]
)
def test_a_file_that_cannot_be_created_is_an_output_error(
    tmp_path: Path, name: str, problem: str
) -> None:
    """The message names the path and what the operating system says."""
    with pytest.raises(OutputError, match=f"{name}: cannot be written: {problem}"):
        CaptureWriter(tmp_path / name)


def test_a_file_that_cannot_be_written_on_is_an_output_error_and_complains_once(
    tmp_path: Path,
) -> None:
    """A file-size limit stands for a full disk: ``write`` raises, closing does not once more."""
    path = tmp_path / "capture.pcap"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    writer = CaptureWriter(path)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
        with pytest.raises(OutputError, match="cannot be written: File too large"), writer:
            write(writer, [bytes(200_000)] * 10, [EPOCH_NS] * 10)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    writer.close()


def test_what_is_left_in_the_buffer_at_the_end_can_fail_too() -> None:
    """/dev/full takes nothing: closing says so."""
    writer = CaptureWriter("/dev/full")
    write(writer, [b"packet"], [EPOCH_NS])
    with pytest.raises(OutputError, match="/dev/full: cannot be written: No space left"):
        writer.close()
