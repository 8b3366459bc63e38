"""Captures that are cut off or damaged: read up to there, with a warning, and nothing raised."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from saactors.errors import CaptureError
from saactors.model.packets import NO_SA
from saactors.model.verdicts import Verdict
from saactors.traces.reader import CaptureReader, open_capture

READER_VERDICTS = [
    Verdict.PASSED,
    Verdict.NOT_IP,
    Verdict.MALFORMED_IP,
    Verdict.CUT_BY_SNAP_LENGTH,
]


@pytest.fixture(scope="session")
def valid_captures(build: SimpleNamespace) -> list[bytes]:
    """Small captures that between them hold every kind of record, block, link and header."""
    extension = bytes([44, 0]) + bytes(6)
    fragment = bytes([17, 0, 0, 1]) + bytes(4)
    ips = [
        build.ipv4(build.udp()),
        build.ipv4(build.udp(), options=bytes(8), position=0x2000),
        build.ipv6(build.udp()),
        build.ipv6(extension + fragment + build.udp(), 0),
    ]
    frames = [build.ethernet(ips[0], tags=[0x88A8, 0x8100]), build.ethernet(ips[3], 0x86DD)]
    pcaps = [
        build.pcap(list(enumerate(ips)), order="<", unit_ns=1000),
        build.pcap([(5, ips[3], 99), (3, ips[1])], order=">", link_type=12),
        build.pcap(list(enumerate(frames)), link_type=1),
        build.pcap([(0, b"\x08\0" + bytes(18) + ips[0])], link_type=276),
        build.pcap([(0, bytes(14) + b"\x86\xdd" + ips[2])], link_type=113),
        build.pcap([(0, b"\x02\0\0\0" + ips[0])], link_type=0),
    ]
    pcapngs = [
        build.section(order)
        + build.interface(order, snap_bytes=90, resolution=0x80 | 30, offset_s=-5)
        + build.interface(order, link_type=1, resolution=12)
        + build.enhanced(order, 0, 1 << 62, ips[0])
        + build.block(order, 5, bytes(20))
        + build.simple(order, ips[1])
        + build.obsolete(order, 1, 77, frames[0])
        for order in "<>"
    ]
    return [*pcaps, *pcapngs, pcapngs[0] + pcapngs[1]]


def read_all(path: Path) -> tuple[CaptureReader, int]:
    """Read everything, checking what every other part of the agent relies on."""
    count, latest_ns = 0, 0
    with open_capture(path, chunk_packets=3) as capture:
        for chunk in capture:
            packets = chunk.packets
            passed = packets[packets["verdict"] == Verdict.PASSED]
            ends = packets["offset"] + packets["captured_bytes"]
            assert len(packets) > 0
            assert np.isin(packets["verdict"], READER_VERDICTS).all()
            assert (packets["sa"] == NO_SA).all()
            assert (packets["offset"] >= 0).all()
            assert (ends <= len(chunk.data)).all()
            assert (packets["captured_bytes"] <= packets["length_bytes"]).all()
            assert (np.diff(packets["time_ns"], prepend=latest_ns) >= 0).all()
            assert np.isin(passed["ip_version"], [4, 6]).all()
            assert (passed["transport_offset"] >= 20).all()
            assert (passed["transport_offset"] <= passed["captured_bytes"]).all()
            count, latest_ns = count + len(packets), int(packets["time_ns"][-1])
    return capture, count


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300
)
@given(data=st.data())
def test_no_bytes_whatever_raise_anything_but_a_capture_error(
    tmp_path: Path, valid_captures: list[bytes], data: st.DataObject
) -> None:
    """Valid captures with bytes overwritten, inserted, removed or cut off, plain and in gzip."""
    capture = bytearray(data.draw(st.sampled_from(valid_captures)))
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, len(capture)))
        width = data.draw(st.sampled_from([0, 1, 2, 4, 8]))
        capture[at : at + width] = data.draw(
            st.one_of(
                st.binary(max_size=8), st.sampled_from([b"\xff" * 4, bytes(4), b"\0\x10" * 2])
            )
        )
    del capture[data.draw(st.integers(0, len(capture))) :]
    packed = data.draw(st.booleans())
    path = tmp_path / "capture"
    path.write_bytes(
        gzip.compress(capture)[: data.draw(st.integers(2, 400))] if packed else capture
    )
    try:
        read_all(path)
    except CaptureError as error:
        assert str(error).startswith(str(path))  # noqa: PT017 - either outcome is a good one


@given(content=st.binary(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_pcap_header_followed_by_anything_is_read_without_raising(
    tmp_path: Path, build: SimpleNamespace, content: bytes
) -> None:
    """Behind a good header nothing is an error any more: at worst the capture ends there."""
    path = tmp_path / "capture.pcap"
    path.write_bytes(build.pcap([]) + content)
    read_all(path)


def test_a_capture_cut_off_anywhere_is_read_up_to_there(
    tmp_path: Path, build: SimpleNamespace
) -> None:
    """Every whole record before the cut is read; a cut between records is no damage at all."""
    packet = build.ipv4(build.udp())
    pcap = build.pcap([(i, packet) for i in range(3)])
    header = build.section() + build.interface()
    pcapng = header + b"".join(build.enhanced("<", 0, i, packet) for i in range(3))
    path = tmp_path / "capture"
    for capture, header_bytes in ((pcap, 24), (pcapng, len(header))):
        record_bytes = (len(capture) - header_bytes) // 3
        for cut in range(header_bytes, len(capture) + 1):
            path.write_bytes(capture[:cut])
            reader, count = read_all(path)
            whole, rest = divmod(cut - header_bytes, record_bytes)
            assert count == whole
            at = header_bytes + whole * record_bytes
            expected = (
                f"the capture is cut off inside the record at byte {at}; the replay ends there"
            )
            assert reader.warnings == ([expected] if rest else [])


@pytest.mark.parametrize("lost", [1, 8, 500])
def test_a_gzip_stream_that_breaks_off_is_read_up_to_there(
    tmp_path: Path, build: SimpleNamespace, lost: int
) -> None:
    """What could be inflated is replayed; the warning says that reading failed."""
    random = np.random.default_rng(1)
    packets = [build.ipv4(build.udp(random.bytes(100))) for _ in range(100)]
    path = tmp_path / "capture.pcap.gz"
    path.write_bytes(gzip.compress(build.pcap(list(enumerate(packets))))[:-lost])
    reader, count = read_all(path)
    assert count == 100 if lost <= 8 else 90 < count < 100  # 8 bytes: checksum and length
    (warning,) = reader.warnings
    assert warning.startswith("the capture cannot be read on (Compressed file ended")


def test_a_gzip_stream_with_a_wrong_checksum_is_reported(
    tmp_path: Path, build: SimpleNamespace
) -> None:
    """Every packet was inflated before the checksum could be seen to be wrong."""
    path = tmp_path / "capture.pcap.gz"
    stream = bytearray(gzip.compress(build.pcap([(0, build.ipv4(build.udp()))])))
    stream[-8] ^= 1
    path.write_bytes(stream)
    reader, count = read_all(path)
    assert count == 1
    (warning,) = reader.warnings
    assert warning.startswith("the capture cannot be read on (CRC check failed")


Damage = Callable[[SimpleNamespace, bytes], bytes]


def unequal_lengths(build: SimpleNamespace, packet: bytes) -> bytes:
    """A packet block whose length at its end is another than at its beginning."""
    return bytes(build.enhanced("<", 0, 0, packet)[:-4]) + bytes(4)


def odd_length(_: SimpleNamespace, __: bytes) -> bytes:
    """A block of 13 bytes: not a multiple of four."""
    return b"\x05\0\0\0\x0d\0\0\0" + bytes(5)


def no_length(_: SimpleNamespace, __: bytes) -> bytes:
    """A block of no bytes would never end."""
    return b"\x05\0\0\0\0\0\0\0" + bytes(8)


def unknown_interface(build: SimpleNamespace, packet: bytes) -> bytes:
    """A packet of an interface that nobody described."""
    return bytes(build.enhanced("<", 1, 0, packet))


def captured_beyond_block(build: SimpleNamespace, packet: bytes) -> bytes:
    """A packet that claims more bytes than its block holds."""
    block = bytearray(build.enhanced("<", 0, 0, packet))
    block[20:24] = (200).to_bytes(4, "little")
    return bytes(block)


def block_too_short_for_its_kind(build: SimpleNamespace, _: bytes) -> bytes:
    """An enhanced packet block that ends before its packet begins."""
    return bytes(build.block("<", 6, bytes(12)))


def giant_packet_block(_: SimpleNamespace, __: bytes) -> bytes:
    """A packet block of 2 GiB."""
    return b"\x06\0\0\0\0\0\0\x80" + bytes(24)


def giant_interface_block(_: SimpleNamespace, __: bytes) -> bytes:
    """An interface description of 2 GiB."""
    return b"\x01\0\0\0\0\0\0\x80" + bytes(24)


def section_of_another_version(build: SimpleNamespace, _: bytes) -> bytes:
    """A section of pcapng version 2, which nobody has seen yet."""
    return bytes(build.section(major=2))


def section_without_byte_order(build: SimpleNamespace, _: bytes) -> bytes:
    """A section header with something else in place of its byte-order magic."""
    return bytes(build.section().replace(b"\x4d\x3c\x2b\x1a", b"\x4d\x3c\x2b\x1b"))


def section_of_unequal_lengths(build: SimpleNamespace, _: bytes) -> bytes:
    """A section header that ends with another length than it begins with."""
    return bytes(build.section()[:-4]) + bytes(4)


@pytest.mark.parametrize(
    "damage",
    [
        unequal_lengths,
        odd_length,
        no_length,
        unknown_interface,
        captured_beyond_block,
        block_too_short_for_its_kind,
        giant_packet_block,
        giant_interface_block,
        section_of_another_version,
        section_without_byte_order,
        section_of_unequal_lengths,
    ],
)
def test_a_block_that_contradicts_itself_ends_the_replay(
    tmp_path: Path, build: SimpleNamespace, damage: Damage
) -> None:
    """What precedes the damage is read, what follows is not, and the warning says where."""
    packet = build.ipv4(build.udp())
    good = build.section() + build.interface() + build.enhanced("<", 0, 0, packet)
    path = tmp_path / "capture.pcapng"
    path.write_bytes(good + damage(build, packet) + build.enhanced("<", 0, 0, packet))
    reader, count = read_all(path)
    assert count == 1
    assert reader.warnings == [f"the capture is damaged at byte {len(good)}; the replay ends there"]


def test_a_pcap_record_of_impossible_length_ends_the_replay(
    tmp_path: Path, build: SimpleNamespace
) -> None:
    """No link has packets of more than 262 144 bytes; such a length is what damage looks like."""
    packet = build.ipv4(build.udp())
    good = build.pcap([(0, packet)])
    path = tmp_path / "capture.pcap"
    path.write_bytes(good + bytes(8) + (262_145).to_bytes(4, "little") + bytes(300_000))
    reader, count = read_all(path)
    assert count == 1
    assert reader.warnings == [f"the capture is damaged at byte {len(good)}; the replay ends there"]


def test_interfaces_without_end_are_damage(tmp_path: Path, build: SimpleNamespace) -> None:
    """Every bound is a bound: the interface table does not grow for ever (law 9)."""
    path = tmp_path / "capture.pcapng"
    path.write_bytes(build.section() + build.interface() * 65_537)
    reader, count = read_all(path)
    assert count == 0
    assert "damaged" in reader.warnings[0]
