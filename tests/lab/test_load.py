"""Traces by name: captures as a replay classifies them, files of columns, traffic made to order."""

from __future__ import annotations

import gzip
import io
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from saactors.errors import CaptureError, ParameterError
from saactors.lab.load import load_trace
from saactors.model.packets import NO_SA
from saactors.model.verdicts import Verdict
from saactors.replay.options import SaPer
from saactors.traces.column_files import write_trace
from saactors.traces.columns import TraceColumns
from saactors.traces.reader import open_capture
from saactors.traces.synthetic.table import synthesise

WriteTraffic = Callable[[Path, Iterable[tuple[int, int, int]]], Path]


@pytest.fixture
def three_flows(tmp_path: Path, write_traffic: WriteTraffic) -> Path:
    """Flows 1, 2 and 300, the last from another /24, a microsecond apart."""
    flows = (1, 2, 1, 300, 2, 1)
    packets = [(1000 * n, flow, 100 + n) for n, flow in enumerate(flows)]
    return write_traffic(tmp_path / "three.flows.pcap", packets)


@pytest.mark.parametrize("sa_per", ["flow", "host-pair", "subnet"])
@pytest.mark.parametrize("ending", ["npz", "parquet", "pcap"])
def test_traffic_written_to_a_file_is_loaded_again(
    tmp_path: Path, ending: str, sa_per: str
) -> None:
    """The same times, SAs and lengths from every kind of file, whatever an SA is per."""
    made = synthesise("zipf", {"packets": 200_000, "sas": 80_000, "exponent": 0.2}, seed=1)
    assert made.sa_count > 65_536  # beyond what one octet pair of an address can tell apart
    path = tmp_path / f"made.{ending}"
    write_trace(made, path)
    loaded = load_trace(path, sa_per=sa_per)
    assert loaded.name == "made"
    assert loaded.sa_count == made.sa_count
    for field in ("time_ns", "sa", "length_bytes"):
        assert np.array_equal(getattr(loaded, field), getattr(made, field)), field


def test_a_capture_holds_packets_without_sa_too(tmp_path: Path) -> None:
    """What is no IP fills bursts, but no component handles it."""
    made = TraceColumns(
        "made",
        np.array([0, 5, 9]),
        np.array([0, NO_SA, 1], np.int32),
        np.array([28, 70_000, 70_000], np.int32),  # merged by the host, as captures may be
        2,
        np.array([3]),
    )
    write_trace(made, tmp_path / "made.pcap")
    loaded = load_trace(tmp_path / "made.pcap")
    assert loaded.sa.tolist() == [0, NO_SA, 1]
    assert loaded.time_ns.tolist() == [0, 5, 9]
    assert loaded.length_bytes.tolist() == [28, 70_000, 70_000]


@pytest.mark.parametrize(
    ("sa_per", "expected"),
    [
        ("flow", [0, 1, 0, 2, 1, 0]),
        ("host-pair", [0, 1, 0, 2, 1, 0]),
        ("subnet", [0, 0, 0, 1, 0, 0]),
    ],
)
def test_an_sa_is_per_what_was_asked_for(
    three_flows: Path, sa_per: str, expected: list[int]
) -> None:
    """SAs are numbered by their first packets."""
    trace = load_trace(three_flows, sa_per=sa_per)
    assert trace.name == "three.flows"
    assert trace.sa.tolist() == expected
    assert trace.sa_count == max(expected) + 1
    assert trace.time_ns.tolist() == [0, 1000, 2000, 3000, 4000, 5000]
    assert trace.length_bytes.tolist() == [100, 101, 102, 103, 104, 105]


def test_what_an_sa_may_be_per_is_what_a_replay_offers() -> None:
    """The two drivers take the same words."""
    for sa_per in SaPer:
        assert load_trace("synth:zipf,packets=10", sa_per=sa_per.value).sa_count
    with pytest.raises(ParameterError, match="one of flow, host-pair, subnet"):
        load_trace("no.pcap", sa_per="host")


def test_chunks_are_those_of_the_capture_reader(tmp_path: Path) -> None:
    """Hence bursts are those of a replay: none spans two chunks."""
    path = tmp_path / "long.pcap"
    write_trace(synthesise("scan", {"packets": 150_000, "sas": 10}, seed=1), path)
    with open_capture(path) as capture:
        lengths = [len(chunk.packets) for chunk in capture]
    assert len(lengths) > 2
    assert load_trace(path).chunk_stops.tolist() == np.cumsum(lengths).tolist()


def test_gzip_and_standard_input_are_captures_too(
    three_flows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for a replay."""
    packed = three_flows.with_suffix(".pcap.gz")
    packed.write_bytes(gzip.compress(three_flows.read_bytes()))
    assert load_trace(packed).name == "three.flows"
    assert load_trace(packed).sa.tolist() == load_trace(three_flows).sa.tolist()
    piped = io.TextIOWrapper(io.BytesIO(three_flows.read_bytes()))
    monkeypatch.setattr(sys, "stdin", piped)
    trace = load_trace("-")
    assert trace.name == "standard input"
    assert len(trace) == 6


def test_a_capture_that_ends_in_the_middle_is_told(three_flows: Path) -> None:
    """The packets before count; whoever wants to know hears why there are no more."""
    three_flows.write_bytes(three_flows.read_bytes()[:-3])
    told: list[str] = []
    assert len(load_trace(three_flows, warn=told.append)) == 5
    assert len(told) == 1
    assert "cut off" in told[0]
    assert str(three_flows) in told[0]


def test_a_capture_without_packets_is_an_empty_trace(
    tmp_path: Path, write_traffic: WriteTraffic
) -> None:
    """One chunk that holds nothing."""
    trace = load_trace(write_traffic(tmp_path / "empty.pcap", []))
    assert (len(trace), trace.sa_count, trace.chunk_stops.tolist()) == (0, 0, [0])


def test_traffic_is_made_to_order() -> None:
    """Named by the order, drawn by the seed."""
    text = "synth:zipf,packets=1000,sas=1e2"
    trace = load_trace(text, seed=9)
    assert trace.name == text
    made = synthesise("zipf", {"packets": 1000, "sas": 100}, seed=9)
    assert trace.sa.tolist() == made.sa.tolist()
    assert load_trace(text, seed=10).sa.tolist() != made.sa.tolist()


@pytest.mark.parametrize("text", ["synth:", "synth:zopf", "synth:zipf,sas=0", "synth:zipf,sas"])
def test_orders_that_make_no_sense_are_refused(text: str) -> None:
    """By the name of what is wrong."""
    with pytest.raises(ParameterError):
        load_trace(text)


@pytest.mark.parametrize("name", ["missing.pcap", "missing.npz", "no:such,thing"])
def test_what_does_not_exist_is_refused(tmp_path: Path, name: str) -> None:
    """As a capture, unless its name says otherwise."""
    with pytest.raises(CaptureError, match=name):
        load_trace(tmp_path / name)


@pytest.mark.shared
def test_real_captures_have_an_sa_for_every_packet_that_is_ip(shared_folder: Path) -> None:
    """Counted by the reader alone."""
    for path in sorted((shared_folder / "captures" / "plain").iterdir()):
        with open_capture(path) as capture:
            passed = np.concatenate([chunk.packets["verdict"] for chunk in capture])
        trace = load_trace(path)
        assert ((trace.sa != NO_SA) == (passed == Verdict.PASSED)).all(), path
        assert trace.sa_count == len(np.unique(trace.sa[trace.sa != NO_SA]))
