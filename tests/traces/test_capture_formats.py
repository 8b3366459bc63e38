"""pcap and pcapng in all their variants: byte orders, clocks, sections, interfaces, blocks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saactors.traces.reader import open_capture
from saactors.traces.times import TICKS, epoch_ns_of, ticks_of

Read = Callable[[bytes], npt.NDArray[np.void]]

EPOCH_NS = 1_700_000_000_123_456_789
MICROSECONDS = 1000


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("unit_ns", [1, 1000])
def test_pcap_is_read_in_both_byte_orders_and_resolutions(
    read: Read, build: SimpleNamespace, order: str, unit_ns: int
) -> None:
    """The magic says order and unit; addresses, ports and lengths do not depend on either."""
    times_ns = [EPOCH_NS, EPOCH_NS + 238, EPOCH_NS + 3_000_000_001]
    records = [(time_ns, build.ipv4(build.udp())) for time_ns in times_ns]
    packets = read(build.pcap(records, order=order, unit_ns=unit_ns))
    exact = [time_ns // unit_ns * unit_ns for time_ns in times_ns]
    assert packets["time_ns"].tolist() == [time_ns - exact[0] for time_ns in exact]
    assert packets["source_low"].tolist() == [0xFFFF_0A00_0001] * 3
    assert packets["destination_low"].tolist() == [0xFFFF_C0A8_0102] * 3
    assert packets["source_port"].tolist() == [4000] * 3
    assert packets["destination_port"].tolist() == [53] * 3
    assert packets["length_bytes"].tolist() == [36] * 3


def test_the_first_packets_epoch_time_is_kept_exactly(
    tmp_path: Path, build: SimpleNamespace
) -> None:
    """238 ns are not lost in a float of epoch seconds."""
    path = tmp_path / "capture.pcap"
    path.write_bytes(build.pcap([(EPOCH_NS, build.ipv4(build.udp()))]))
    with open_capture(path) as capture:
        chunks = list(capture)
        assert capture.first_time_epoch_ns == EPOCH_NS
        assert capture.packets_read == len(chunks[0].packets) == 1


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcapng_packet_blocks_of_every_kind_are_read(
    read: Read, build: SimpleNamespace, order: str
) -> None:
    """Enhanced, obsolete and simple packet blocks; the simple one repeats the time before it."""
    packet = build.ipv4(build.udp())
    capture = (
        build.section(order)
        + build.interface(order)
        + build.enhanced(order, 0, EPOCH_NS // MICROSECONDS, packet)
        + build.obsolete(order, 0, EPOCH_NS // MICROSECONDS + 5, packet)
        + build.simple(order, packet)
        + build.enhanced(order, 0, EPOCH_NS // MICROSECONDS + 9, packet)
    )
    packets = read(capture)
    assert packets["time_ns"].tolist() == [0, 5000, 5000, 9000]
    assert packets["source_port"].tolist() == [4000] * 4
    assert packets["captured_bytes"].tolist() == [len(packet)] * 4


def test_a_simple_packet_block_is_cut_by_its_interfaces_snap_length(
    read: Read, build: SimpleNamespace
) -> None:
    """A simple block does not say how much it captured: snap length and block length do."""
    packet = build.ipv4(build.udp(bytes(100)))
    capture = build.section() + build.interface(snap_bytes=50)
    capture += build.simple("<", packet[:50], wire_bytes=len(packet))
    packets = read(capture)
    assert packets["length_bytes"].tolist() == [128]
    assert packets["captured_bytes"].tolist() == [50]


def test_blocks_of_unknown_kind_are_skipped(read: Read, build: SimpleNamespace) -> None:
    """Name resolution, statistics, custom blocks and whatever comes later are no packets."""
    packet = build.ipv4(build.udp())
    strange = [build.block("<", kind, bytes(kind % 40)) for kind in (4, 5, 10, 0xBAD, 0x80000001)]
    capture = build.section() + strange[0] + build.interface() + strange[1]
    capture += build.enhanced("<", 0, 0, packet) + b"".join(strange[2:])
    capture += build.enhanced("<", 0, 1, packet)
    assert len(read(capture)) == 2


def test_each_section_has_its_own_byte_order_and_interfaces(
    read: Read, build: SimpleNamespace
) -> None:
    """A section header begins anew: interface 0 is another one, numbers are the other way round."""
    packet = build.ipv4(build.udp())
    capture = (
        build.section("<")
        + build.interface("<", link_type=101)
        + build.enhanced("<", 0, 1_000_000, packet)
        + build.section(">")
        + build.interface(">", link_type=1, resolution=9)
        + build.enhanced(">", 0, 1_000_000_007, build.ethernet(packet))
    )
    packets = read(capture)
    assert packets["time_ns"].tolist() == [0, 7]
    assert packets["verdict"].tolist() == [0, 0]
    assert packets["source_port"].tolist() == [4000, 4000]


def test_each_interface_has_its_own_link_type_and_clock(
    tmp_path: Path, build: SimpleNamespace
) -> None:
    """Four interfaces count the same instant in µs, ns, 2⁻³² s and from another epoch."""
    packet = build.ipv4(build.udp())
    second = 1_700_000_000
    capture = (
        build.section()
        + build.interface(link_type=101)
        + build.interface(link_type=1, resolution=9)
        + build.interface(link_type=276, resolution=0x80 | 32)
        + build.interface(link_type=228, resolution=3, offset_s=second - 10)
        + build.enhanced("<", 0, second * 10**6, packet)
        + build.enhanced("<", 1, second * 10**9 + 1, build.ethernet(packet))
        + build.enhanced("<", 2, (second << 32) + (1 << 31), b"\x08\0" + bytes(18) + packet)
        + build.enhanced("<", 3, 10_750, packet)
    )
    path = tmp_path / "capture.pcapng"
    path.write_bytes(capture)
    with open_capture(path) as reader:
        (chunk,) = list(reader)
        assert reader.link_types == (101, 1, 276, 228)
    assert chunk.packets["time_ns"].tolist() == [0, 1, 500_000_000, 750_000_000]
    assert chunk.packets["verdict"].tolist() == [0] * 4


def test_packets_of_an_unsupported_interface_beside_others_are_counted_as_not_ip(
    tmp_path: Path, build: SimpleNamespace
) -> None:
    """A capture of all interfaces may hold a USB monitor (220): it is named, not fatal."""
    packet = build.ipv4(build.udp())
    path = tmp_path / "capture.pcapng"
    path.write_bytes(
        build.section()
        + build.interface(link_type=220)
        + build.interface(link_type=101)
        + build.enhanced("<", 0, 0, packet)
        + build.enhanced("<", 1, 1, packet)
    )
    with open_capture(path) as reader:
        (chunk,) = list(reader)
        assert chunk.packets["verdict"].tolist() == [1, 0]
        (warning,) = reader.warnings
    assert warning.startswith("packets of interface 0 count as not_ip: link type 220")


@settings(deadline=None)
@given(
    ticks=st.integers(0, 2**64 - 1),
    resolution=st.integers(0, 255),
    offset_s=st.integers(-(2**31), 2**31),
)
def test_ticks_of_any_resolution_become_nanoseconds_exactly(
    ticks: int, resolution: int, offset_s: int
) -> None:
    """Against Python's unbounded integers, wherever the result fits 63 bits (until 2262)."""
    per_second = 2 ** (resolution & 127) if resolution & 128 else 10 ** (resolution & 127)
    expected_ns = ticks * 10**9 // per_second + offset_s * 10**9
    if ticks * 10**9 // per_second < 2**63 and abs(expected_ns) < 2**63:
        units = np.array([ticks_of(resolution, offset_s)], TICKS)
        assert epoch_ns_of(np.uint64(ticks), units[0]) == expected_ns


def test_times_that_run_backwards_are_held_and_counted(
    tmp_path: Path, build: SimpleNamespace
) -> None:
    """The replay needs monotone times: a packet earlier than one before it gets that one's time."""
    packet = build.ipv4(build.udp())
    path = tmp_path / "capture.pcap"
    path.write_bytes(build.pcap([(10**9 + t, packet) for t in (0, 50, 20, 49, 60, 59)]))
    with open_capture(path) as reader:
        (chunk,) = list(reader)
        assert chunk.packets["time_ns"].tolist() == [0, 50, 50, 50, 60, 60]
        assert reader.warnings == [
            "time runs backwards at 3 packets: each was given the latest time before it"
        ]


def test_packets_before_the_first_packet_do_not_get_negative_times(
    read: Read, build: SimpleNamespace
) -> None:
    """Time counts from the first packet in the file even if a later one is stamped earlier."""
    packet = build.ipv4(build.udp())
    packets = read(build.pcap([(2 * 10**9, packet), (10**9, packet)]))
    assert packets["time_ns"].tolist() == [0, 0]
