"""Traces in files: what is written is read, and what is no trace is refused in a clear line."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dpkt
import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from saactors.errors import CaptureError, OutputError, ParameterError
from saactors.model.packets import NO_SA
from saactors.traces.column_files import read_columns, write_columns, write_pcap, write_trace
from saactors.traces.columns import TraceColumns
from saactors.traces.synthetic.table import synthesise

ENDINGS = ("npz", "parquet")
FIELDS = ("time_ns", "sa", "length_bytes", "chunk_stops", "predecessors")


def assert_same(found: TraceColumns, expected: TraceColumns) -> None:
    """Equal in every field, of the same types."""
    assert (found.name, found.sa_count) == (expected.name, expected.sa_count)
    for field in FIELDS:
        one, other = getattr(found, field), getattr(expected, field)
        assert one.dtype == other.dtype, field
        assert one.tolist() == other.tolist(), field


@st.composite
def traces(draw: Any) -> TraceColumns:
    """Any trace that there may be, from a capture or from a model."""
    packets = draw(st.integers(0, 30))
    sa_count = draw(st.integers(0, 10))
    gaps_ns = draw(arrays.arrays(np.int64, packets, elements=st.integers(0, 2**40)))
    sas = st.integers(NO_SA, sa_count - 1)
    has_heirs = draw(st.booleans())
    stops = draw(st.lists(st.integers(0, packets), max_size=3))
    return TraceColumns(
        draw(st.text(st.characters(codec="utf-8", exclude_characters="\0"))),  # no path has a NUL
        np.cumsum(gaps_ns),
        draw(arrays.arrays(np.int32, packets, elements=sas)),
        draw(arrays.arrays(np.int32, packets, elements=st.integers(0, 2**20))),
        sa_count,
        np.array([*sorted(stops), packets], np.int64),
        draw(arrays.arrays(np.int32, sa_count if has_heirs else 0, elements=sas)),
    )


@pytest.fixture(scope="module")
def rekeyed() -> TraceColumns:
    """A small trace in which SAs have predecessors."""
    return synthesise("rekeying", {"packets": 300, "sas": 20, "lifetime_ns": 100_000}, seed=1)


@pytest.mark.parametrize("ending", ENDINGS)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(trace=traces())
def test_whatever_trace_is_written_is_read_again(
    tmp_path: Path, ending: str, trace: TraceColumns
) -> None:
    """Field by field, also those that have no row of their own."""
    path = tmp_path / f"trace.{ending}"
    write_columns(trace, path)
    assert_same(read_columns(path), trace)


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_same_trace_makes_the_same_file(
    tmp_path: Path, ending: str, rekeyed: TraceColumns
) -> None:
    """No time of writing, no name of a machine."""
    write_columns(rekeyed, tmp_path / f"one.{ending}")
    write_columns(rekeyed, tmp_path / f"two.{ending}")
    one, two = ((tmp_path / f"{name}.{ending}").read_bytes() for name in ("one", "two"))
    assert one == two


def foreign(path: Path, **columns: Any) -> Path:
    """A file that somebody else has made, with these columns."""
    if path.suffix == ".npz":
        np.savez(path, **columns)
    else:
        pl.DataFrame(columns).write_parquet(path)
    return path


GOOD = {"time_ns": np.array([7, 7, 9]), "sa": np.array([5, -1, 2]), "length_bytes": [40, 60, 1500]}


@pytest.mark.parametrize("ending", ENDINGS)
def test_three_columns_of_anybody_make_a_trace(tmp_path: Path, ending: str) -> None:
    """Times from 0, SAs numbered by their first packets, one chunk; other columns are ignored."""
    path = foreign(tmp_path / f"day.{ending}", **GOOD, port=np.array([1.5, 2, 3]))
    trace = read_columns(path)
    assert trace.name == "day"
    assert trace.time_ns.tolist() == [0, 0, 2]
    assert trace.sa.tolist() == [0, NO_SA, 1]
    assert trace.length_bytes.tolist() == [40, 60, 1500]
    assert (trace.sa_count, trace.chunk_stops.tolist()) == (2, [3])


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"sa": None}, "no column sa: found time_ns, length_bytes"),
        ({"time_ns": np.array([7, 9, 8])}, "row 2 of time_ns: found 8 after 9.*sort the rows"),
        ({"time_ns": np.array([0.5, 1, 2])}, "time_ns: found float64.*whole numbers"),
        ({"time_ns": np.array([0, 1, 2**63], np.uint64)}, "row 2 of time_ns: found 9223372036"),
        ({"sa": np.array([0, -2, 1])}, "row 1 of sa: found -2, expected -1"),
        ({"sa": np.array(["a", "b", "c"])}, "sa: found .*whole numbers"),
        ({"sa": np.array([True, False, True])}, "sa: found bool.*whole numbers"),
        ({"length_bytes": np.array([0, 60, 60])}, "row 0 of length_bytes: found 0, expected 1 to"),
        ({"length_bytes": np.array([1, 60, 65536])}, "row 2 of length_bytes.*to 65535"),
    ],
)
def test_foreign_columns_that_make_no_trace_are_refused(
    tmp_path: Path, ending: str, changed: dict[str, Any], told: str
) -> None:
    """The message names the file, what was found, and what would do."""
    columns = {name: value for name, value in (GOOD | changed).items() if value is not None}
    path = foreign(tmp_path / f"day.{ending}", **columns)
    with pytest.raises(CaptureError, match=told) as refused:
        read_columns(path)
    assert str(refused.value).startswith(str(path))


def test_missing_values_are_refused(tmp_path: Path) -> None:
    """Parquet knows values that are not there."""
    path = foreign(tmp_path / "day.parquet", time_ns=[1, 2], sa=[0, None], length_bytes=[40, 40])
    with pytest.raises(CaptureError, match="1 values of sa are missing"):
        read_columns(path)


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        (GOOD | {"sa": np.array([1, 2])}, "found 3, 2 and 3 values"),
        (GOOD | {"sa": np.array([[1, 2, 3]])}, r"shape \(1, 3\)"),
        ({"time_ns": np.array([object()])}, "cannot be read as npz"),
    ],
)
def test_an_archive_of_other_shapes_is_refused(
    tmp_path: Path, columns: dict[str, Any], told: str
) -> None:
    """Parquet cannot hold these; an archive can, and objects in it would run code."""
    with pytest.raises(CaptureError, match=told):
        read_columns(foreign(tmp_path / "day.npz", **columns))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"sa_count": np.array(2)}, "of sa: found 2, expected -1 to 1"),
        ({"sa_count": np.array(-1)}, "sa_count: found -1"),
        ({"sa_count": np.array(1.5)}, "sa_count: found 1.5"),
        ({"chunk_stops": np.array([100])}, "chunk_stops: expected ascending numbers up to 300"),
        ({"chunk_stops": np.array([200, 100, 300])}, "chunk_stops"),
        ({"chunk_stops": np.array([], np.int64)}, "chunk_stops"),
        ({"predecessors": np.array([0, 1])}, "found 2 predecessors"),
    ],
)
def test_a_file_of_ours_that_contradicts_itself_is_refused(
    tmp_path: Path, rekeyed: TraceColumns, changed: dict[str, Any], told: str
) -> None:
    """Somebody has edited it."""
    write_columns(rekeyed, tmp_path / "ours.npz")
    with np.load(tmp_path / "ours.npz") as file:
        held = dict(file)
    with pytest.raises(CaptureError, match=told):
        read_columns(foreign(tmp_path / "edited.npz", **(held | changed)))


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("content", [b"", b"PK", b"PAR1", b"PAR1PAR1", b"time_ns,sa\n1,2\n"])
def test_what_is_no_file_of_columns_is_refused(tmp_path: Path, ending: str, content: bytes) -> None:
    """Whatever its name says."""
    path = tmp_path / f"other.{ending}"
    path.write_bytes(content)
    with pytest.raises(CaptureError, match="expected columns time_ns, sa, length_bytes"):
        read_columns(path)


@pytest.mark.parametrize("name", ["missing.npz", "missing.parquet", "folder.npz", "nul\0.npz"])
def test_a_file_that_cannot_be_opened_is_told(tmp_path: Path, name: str) -> None:
    """With the operating system's reason."""
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(CaptureError, match=r"cannot be read"):
        read_columns(tmp_path / name)


def test_an_array_alone_is_no_archive(tmp_path: Path) -> None:
    """NumPy opens both alike."""
    with (tmp_path / "one.npz").open("wb") as file:
        np.save(file, np.arange(3))
    with pytest.raises(CaptureError, match="a single array"):
        read_columns(tmp_path / "one.npz")


@pytest.mark.parametrize("ending", ENDINGS)
@settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_damage_is_found_or_harmless(
    tmp_path: Path, rekeyed: TraceColumns, ending: str, data: st.DataObject
) -> None:
    """A file cut off or with a byte changed is refused, or is a trace with the same packets."""
    path = tmp_path / f"damaged.{ending}"
    write_columns(rekeyed, path)
    octets = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(octets) - 1))
    if data.draw(st.booleans()):
        del octets[at:]
    else:
        octets[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(octets)
    try:
        trace = read_columns(path)
    except CaptureError:
        return
    for field in FIELDS[:3]:
        assert getattr(trace, field).tolist() == getattr(rekeyed, field).tolist()


@pytest.mark.parametrize("name", ["trace", "trace.csv", "trace.npz.gz"])
def test_an_ending_that_says_nothing_is_refused(
    tmp_path: Path, rekeyed: TraceColumns, name: str
) -> None:
    """Neither written nor read by guessing."""
    with pytest.raises(ParameterError, match=r"ends in \.npz or \.parquet or \.pcap"):
        write_trace(rekeyed, tmp_path / name)
    with pytest.raises(CaptureError, match=r"expected \.npz or \.parquet"):
        read_columns(tmp_path / name)


@pytest.mark.parametrize("ending", [*ENDINGS, "pcap"])
def test_a_file_that_cannot_be_written_is_told(
    tmp_path: Path, ending: str, rekeyed: TraceColumns
) -> None:
    """As an error of the run, not of the user."""
    with pytest.raises(OutputError, match="cannot be written"):
        write_trace(rekeyed, tmp_path / "nowhere" / f"trace.{ending}")


def test_captures_are_not_columns(tmp_path: Path, rekeyed: TraceColumns) -> None:
    """``write_columns`` promises a file that ``read_columns`` reads."""
    with pytest.raises(ParameterError):
        write_columns(rekeyed, tmp_path / "trace.pcap")


def by_hand(**columns: Any) -> TraceColumns:
    """A trace of three packets, one of them without SA."""
    given = {
        "time_ns": np.array([0, 1, 1_000_000_002]),
        "sa": np.array([0, NO_SA, 70_000], np.int32),
        "length_bytes": np.array([28, 100, 65_535], np.int32),
        "sa_count": 70_001,
    } | columns
    return TraceColumns("by hand", chunk_stops=np.array([3]), **given)


def packets_of(path: Path) -> Iterator[tuple[int, bytes]]:
    """Time in ns and bytes of each packet, read by the format's own description."""
    file = io.BytesIO(path.read_bytes())
    magic, *_, snap_bytes, link = struct.unpack("<IHHIIII", file.read(24))
    assert (magic, snap_bytes, link) == (0xA1B23C4D, 28, 101)
    while header := file.read(16):
        seconds, fraction_ns, captured_bytes, _ = struct.unpack("<IIII", header)
        yield seconds * 10**9 + fraction_ns, file.read(captured_bytes)


def test_a_capture_holds_headers_that_others_read(tmp_path: Path) -> None:
    """By dpkt: UDP over IPv4 with the right checksum and length, between private addresses."""
    write_pcap(by_hand(), tmp_path / "trace.pcap")
    (first_ns, first), (_, none), (last_ns, last) = packets_of(tmp_path / "trace.pcap")
    assert (first_ns, last_ns) == (0, 1_000_000_002)
    assert none[0] >> 4 == 0
    for octets, length, source, destination in (
        (first, 28, "10.0.0.1", "172.16.0.1"),
        (last, 65_535, "10.17.112.1", "172.16.1.1"),
    ):
        packet = dpkt.ip.IP(octets)
        assert (packet.v, packet.p, packet.len) == (4, dpkt.ip.IP_PROTO_UDP, length)
        assert packet.src == bytes(map(int, source.split(".")))
        assert packet.dst == bytes(map(int, destination.split(".")))
        assert packet.udp.ulen == length - 20
        assert dpkt.in_cksum(octets[:20]) == 0


@pytest.mark.parametrize(
    ("columns", "name"),
    [
        ({"length_bytes": np.array([28, 27, 28], np.int32)}, "length_bytes"),
        ({"time_ns": np.array([-1, 0, 1])}, "time_ns"),
        ({"time_ns": np.array([0, 1, 2**32 * 10**9])}, "time_ns"),
        ({"sa_count": 2**28 + 1}, "sa_count"),
    ],
)
def test_what_no_capture_can_hold_is_refused(
    tmp_path: Path, columns: dict[str, Any], name: str
) -> None:
    """Before anything is written."""
    with pytest.raises(ParameterError) as refused:
        write_pcap(by_hand(**columns), tmp_path / "trace.pcap")
    assert refused.value.name == name
    assert not (tmp_path / "trace.pcap").exists()
