"""Where captures come from: mapped files, gzip, pipes and standard input give the same chunks."""

from __future__ import annotations

import errno
import gzip
import io
import itertools
import mmap
import os
import resource
import shutil
import sys
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import numpy.typing as npt
import pytest

from saactors.errors import CaptureError, ParameterError
from saactors.model.packets import Chunk
from saactors.traces.reader import open_capture
from saactors.traces.scan import CHUNK_BYTES

PACKET_COUNT = 3000
PACKET_BYTES = 8000  # 24 MB in all: three chunks of at most 8 MiB, records astride their ends


@pytest.fixture(scope="module")
def long_capture(build: SimpleNamespace) -> bytes:
    """A pcap of several chunks, every packet different, 1 µs apart."""
    random = np.random.default_rng(1)
    payloads = random.integers(0, 256, (PACKET_COUNT, PACKET_BYTES), np.uint8)
    packets = [build.ipv4(build.udp(payload.tobytes())) for payload in payloads]
    return bytes(build.pcap([(10**18 + 1000 * i, packet) for i, packet in enumerate(packets)]))


@pytest.fixture(scope="module")
def dull_capture(build: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of 210 MB: the same packet 3500 times."""
    path = tmp_path_factory.mktemp("dull") / "capture.pcap"
    header = build.pcap([])
    record = build.pcap([(0, build.ipv4(build.udp(bytes(60_000))))])[len(header) :]
    with path.open("wb") as file:
        file.write(header)
        for _ in range(35):
            file.write(record * 100)
    return path


def chunks_of(path: str | Path, **options: int) -> list[Chunk]:
    """All chunks of the capture at ``path``, which has to read without a warning."""
    with open_capture(path, **options) as capture:
        chunks = list(capture)
        assert capture.warnings == []
        assert capture.packets_read == sum(len(chunk.packets) for chunk in chunks)
    return chunks


def same_packets(chunk: Chunk, other: Chunk) -> bool:
    """Whether two chunks have equal columns (offsets aside) over equal packets."""
    fields = [name for name in chunk.packets.dtype.names or () if name != "offset"]
    return len(chunk.packets) == len(other.packets) and all(
        (chunk.packets[fields] == other.packets[fields]).all()
        and packet_bytes(chunk, row) == packet_bytes(other, row)
        for row in range(len(chunk.packets))
    )


def packet_bytes(chunk: Chunk, row: int) -> bytes:
    """The captured bytes of packet ``row``."""
    packet = chunk.packets[row]
    return chunk.data[packet["offset"] :][: packet["captured_bytes"]].tobytes()


def pipe_of(capture: bytes, path: Path) -> threading.Thread:
    """Make ``path`` a named pipe that delivers ``capture`` in pieces, the first of one byte."""

    def feed() -> None:
        with path.open("wb", buffering=0) as pipe:
            for start, stop in itertools.pairwise([0, 1, *range(9, len(capture), 99_991), None]):
                pipe.write(capture[start:stop])

    os.mkfifo(path)
    thread = threading.Thread(target=feed)
    thread.start()
    return thread


def test_a_plain_file_is_mapped_and_never_copied(tmp_path: Path, long_capture: bytes) -> None:
    """All chunks share one array over the whole file, and offsets are those in the file."""
    path = tmp_path / "capture.pcap"
    path.write_bytes(long_capture)
    chunks = chunks_of(path)
    assert len(chunks) == 3
    assert all(chunk.data is chunks[0].data for chunk in chunks)
    assert len(chunks[0].data) == len(long_capture)
    offsets = np.concatenate([chunk.packets["offset"] for chunk in chunks])
    record_bytes = 16 + 28 + PACKET_BYTES
    assert offsets.tolist() == [24 + 16 + record_bytes * i for i in range(PACKET_COUNT)]


@pytest.mark.parametrize("source", ["gzip", "pipe", "gzip through a pipe", "standard input"])
def test_every_source_gives_the_chunks_of_the_plain_file(
    tmp_path: Path, long_capture: bytes, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    """Same chunk boundaries, columns and bytes, however the bytes arrive (law 7)."""
    plain, other = tmp_path / "plain.pcap", tmp_path / "other"
    plain.write_bytes(long_capture)
    thread = None
    if source == "gzip":
        # Two members, as pigz or `cat a.gz b.gz` make them.
        half = len(long_capture) // 2
        members = (long_capture[:half], long_capture[half:])
        other.write_bytes(b"".join(gzip.compress(member, 1) for member in members))
    elif source == "pipe":
        thread = pipe_of(long_capture, other)
    elif source == "gzip through a pipe":
        thread = pipe_of(gzip.compress(long_capture, 1), other)
    else:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(long_capture)))
        other = Path("-")
    expected, found = chunks_of(plain), chunks_of(other)
    if thread is not None:
        thread.join()
    assert len(found) == len(expected)
    assert all(same_packets(one, two) for one, two in zip(expected, found, strict=True))


def test_a_file_that_cannot_be_mapped_is_read_in_blocks(
    tmp_path: Path, long_capture: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some file systems do not map files; a limit on address space forbids it as well."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENODEV, "No such device")

    path = tmp_path / "capture.pcap"
    path.write_bytes(long_capture)
    expected = chunks_of(path)
    monkeypatch.setattr(mmap, "mmap", refuse)
    found = chunks_of(path)
    assert found[0].data is not found[1].data
    assert all(same_packets(one, two) for one, two in zip(expected, found, strict=True))


def test_a_chunk_holds_no_more_packets_than_asked_for(
    tmp_path: Path, build: SimpleNamespace
) -> None:
    """Ten packets in chunks of at most four."""
    path = tmp_path / "capture.pcap"
    path.write_bytes(build.pcap([(i, build.ipv4(build.udp())) for i in range(10)]))
    chunks = chunks_of(path, chunk_packets=4)
    assert [len(chunk.packets) for chunk in chunks] == [4, 4, 2]
    times = np.concatenate([chunk.packets["time_ns"] for chunk in chunks])
    assert times.tolist() == list(range(10))


def test_chunks_stay_valid_behind_the_reader(tmp_path: Path, long_capture: bytes) -> None:
    """A chunk's bytes can still be read when the file is closed and its pages were given back."""
    path = tmp_path / "capture.pcap"
    path.write_bytes(long_capture)
    chunks = chunks_of(path)
    assert packet_bytes(chunks[0], 0) == long_capture[40 : 40 + 28 + PACKET_BYTES]
    assert packet_bytes(chunks[-1], -1) == long_capture[-28 - PACKET_BYTES :]


def test_a_pcapng_block_longer_than_a_chunk_is_skipped_from_any_source(
    tmp_path: Path, build: SimpleNamespace
) -> None:
    """Unknown blocks need not fit anywhere: they are passed over, in a file and in a stream."""
    packet = build.ipv4(build.udp())
    capture = build.section() + build.interface() + build.enhanced("<", 0, 0, packet)
    capture += build.block("<", 0xBAD, bytes(3 * CHUNK_BYTES)) + build.enhanced("<", 0, 1, packet)
    plain, packed = tmp_path / "plain.pcapng", tmp_path / "packed.pcapng.gz"
    plain.write_bytes(capture)
    packed.write_bytes(gzip.compress(capture, 1))
    for path in (plain, packed):
        chunks = chunks_of(path)
        assert [packet_bytes(chunk, 0) for chunk in chunks] == [packet, packet]


def test_memory_does_not_grow_with_the_length_of_a_stream(
    tmp_path: Path, dull_capture: Path
) -> None:
    """Law 9: at any time one chunk is held, and while the next is read, two."""
    path = tmp_path / "capture.pcap.gz"
    with dull_capture.open("rb") as plain, gzip.open(path, "wb", 1) as packed:
        shutil.copyfileobj(plain, packed)
    with open_capture(path) as capture:
        iterator = iter(capture)
        first = next(iterator)
        tracemalloc.start()
        packets = len(first.packets) + sum(len(chunk.packets) for chunk in iterator)
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    rows_bytes = 65536 * first.packets.itemsize
    assert packets == 3500
    assert peak_bytes < 2 * (CHUNK_BYTES + rows_bytes) + 2**20


def test_memory_does_not_grow_with_the_length_of_a_mapped_file(dull_capture: Path) -> None:
    """Law 9: pages behind the reader are given back, so 210 MB never stay resident."""
    with open_capture(dull_capture) as capture:
        resident = [resident_bytes() for _ in capture]
    assert len(resident) > 24
    assert max(resident) - resident[0] < 4 * CHUNK_BYTES


def resident_bytes() -> int:
    """Memory of this process that is in RAM, mapped files included (proc(5), statm)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


Refused = Callable[[Path], str]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "empty; expected a pcap or pcapng file"),
        (b"\x7fELF", "not a capture: begins with 7f 45 4c 46, expected a pcap or pcapng file"),
        (b"\xa1", "not a capture: begins with a1"),
        (b"\xa1\xb2\xc3\xd4" + bytes(9), "cut off inside its header: 13 bytes found, 24 expected"),
        (b"\n\r\r\n" + bytes(30), "its section header is cut off, damaged or of a version other"),
        (gzip.compress(b"", mtime=0), "empty; expected a pcap or pcapng file"),
        (gzip.compress(b"GIF89a", mtime=0), "not a capture: begins with 47 49 46 38"),
        (b"\x1f\x8b", "cannot be read: Compressed file ended before"),
        (b"\x1f\x8b\x07 no such method", "cannot be read: Unknown compression method"),
    ],
)
def test_a_file_that_is_no_capture_gives_one_clear_line(
    tmp_path: Path, content: bytes, problem: str
) -> None:
    """The message names the file, what was found and what was expected."""
    path = tmp_path / "no-capture"
    path.write_bytes(content)
    with pytest.raises(CaptureError) as caught:
        open_capture(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("missing.pcap", "No such file or directory"),
        (".", "Is a directory"),
        ("nul\0inside", "embedded null byte"),
    ],
)
def test_a_path_that_cannot_be_opened_gives_one_clear_line(
    tmp_path: Path, name: str, problem: str
) -> None:
    """Whatever the operating system says comes with the path, as a user's error."""
    with pytest.raises(CaptureError, match=f"cannot be opened: {problem}"):
        open_capture(tmp_path / name)


def test_a_file_that_opens_but_does_not_read_gives_one_clear_line() -> None:
    """Address 0 of our own memory is not there to be read (proc(5))."""
    with pytest.raises(CaptureError, match="/proc/self/mem: cannot be read: Input/output error"):
        open_capture("/proc/self/mem")


def test_a_file_without_permission_gives_one_clear_line(tmp_path: Path) -> None:
    """Mode 000 is not for us; root, who may read everything, is somebody else meanwhile."""
    path = tmp_path / "secret.pcap"
    path.write_bytes(b"")
    path.chmod(0)
    user, nobody = os.geteuid(), 65534
    try:
        if user == 0:
            os.seteuid(nobody)
        with pytest.raises(CaptureError, match="cannot be opened: Permission denied"):
            open_capture(path)
    finally:
        os.seteuid(user)


@pytest.mark.parametrize("file_format", ["pcap", "pcapng"])
def test_a_link_type_that_is_not_supported_is_named_by_number(
    tmp_path: Path, build: SimpleNamespace, file_format: str
) -> None:
    """127 is 802.11 with radiotap headers: the message says what would be read instead."""
    path = tmp_path / "wifi.pcap"
    if file_format == "pcap":
        path.write_bytes(build.pcap([], link_type=127))
    else:
        path.write_bytes(build.section() + build.interface(link_type=127))
    with pytest.raises(CaptureError, match=r"link type 127 is not supported; .* Ethernet \(1\)"):
        open_capture(path)


def test_standard_input_that_is_closed_or_a_terminal_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Waiting for someone to type a capture would look like hanging."""
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(CaptureError, match="standard input: closed; expected a capture"):
        open_capture("-")
    controller, terminal = os.openpty()
    with os.fdopen(controller), os.fdopen(terminal) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        with pytest.raises(CaptureError, match="standard input: a terminal; expected a capture"):
            open_capture("-")


def test_a_bound_of_no_packets_is_refused(tmp_path: Path) -> None:
    """A chunk has to hold something."""
    with pytest.raises(ParameterError, match="chunk_packets: found 0, expected at least 1"):
        open_capture(tmp_path / "capture.pcap", chunk_packets=0)


def test_a_capture_without_packets_gives_no_chunks(tmp_path: Path, build: SimpleNamespace) -> None:
    """A header and nothing more is a capture of silence, not an error."""
    path = tmp_path / "silence.pcap"
    path.write_bytes(build.pcap([]))
    assert chunks_of(path) == []
    path.write_bytes(build.section() + build.interface())
    assert chunks_of(path) == []


def test_a_closed_reader_gives_nothing_more(tmp_path: Path, build: SimpleNamespace) -> None:
    """Closing in the middle ends the iteration."""
    path = tmp_path / "capture.pcap"
    path.write_bytes(build.pcap([(i, build.ipv4(build.udp())) for i in range(3)]))
    with open_capture(path, chunk_packets=1) as capture:
        columns: list[npt.NDArray[np.void]] = [next(iter(capture)).packets]
    assert len(columns[0]) == 1
    assert list(capture) == []
