"""Flows of published sizes: the tables are the published ones, and traces follow them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from saactors.traces.synthetic.flow_sizes import (
    FLOW_SIZES,
    ByteTable,
    PacketMixture,
    ParetoBytes,
)
from saactors.traces.synthetic.flows import Flows
from saactors.traces.synthetic.table import synthesise

FLOWS = 400_000


@pytest.fixture(scope="module")
def workloads(shared_folder: Path) -> Path:
    """The folder of published figures beside the checkout."""
    folder = shared_folder / "workloads"
    if not folder.is_dir():
        pytest.skip(f"SHARED FOLDER MISSING: expected published figures in {folder}")
    return folder


@pytest.mark.shared
@pytest.mark.parametrize("name", ["websearch", "hadoop", "storage"])
def test_a_table_is_the_published_one(workloads: Path, name: str) -> None:
    """Point by point: bytes and cumulative percent."""
    lines = (workloads / f"{name}_size_cdf.txt").read_text().split("\n")
    points = [tuple(map(float, line.split())) for line in lines if line.strip()]
    table = FLOW_SIZES[name]
    assert isinstance(table, ByteTable)
    assert list(zip(table.bytes, table.percent, strict=True)) == points


@pytest.mark.shared
def test_the_campus_mixture_is_the_published_one(workloads: Path) -> None:
    """Weight by weight, parameter by parameter."""
    published = json.loads((workloads / "campus_2015_flow_lengths.json").read_text())["mix"]
    mixture = FLOW_SIZES["campus-2015"]
    assert isinstance(mixture, PacketMixture)
    ours = [[weight, "uniform", [0, bound]] for weight, bound in mixture.uniform]
    ours += [[weight, "lognorm", [shape, 0, scale]] for weight, shape, scale in mixture.log_normal]
    assert ours == published


def test_campus_flows_are_as_short_and_as_long_as_published() -> None:
    """Of 4.03 G flows: 86.5 % have at most 10 packets, 0.55 % more than 1000 and 85.7 % of all."""
    mixture = FLOW_SIZES["campus-2015"]
    assert isinstance(mixture, PacketMixture)
    # The longest flows are rare and hold most packets: 4 M flows leave the mean uncertain by 4 %.
    packets = mixture.draw(10 * FLOWS, np.random.default_rng(1)).packets
    assert (packets <= 10).mean() == pytest.approx(0.865, abs=0.01)
    assert packets[packets <= 10].sum() / packets.sum() == pytest.approx(0.025, abs=0.004)
    assert (packets > 1000).mean() == pytest.approx(0.0055, abs=0.0005)
    assert packets[packets > 1000].sum() / packets.sum() == pytest.approx(0.857, abs=0.02)
    assert packets.mean() == pytest.approx(78.6, rel=0.1)
    # The paper's own fit: its mean is 3 % below that of the flows.
    assert mixture.mean_packets == pytest.approx(78.6, rel=0.04)


def test_campus_packets_have_the_published_mean_length() -> None:
    """870.6 bytes, of two sizes."""
    trace = synthesise("flows", {"packets": 200_000}, seed=1)
    assert trace.length_bytes.mean() == pytest.approx(870.6, rel=0.01)


@pytest.mark.parametrize(
    ("name", "mean_bytes"),
    [("websearch", 1.7e6), ("hadoop", 1.25e5), ("storage", 3.8e4), ("cache-rpc", 344)],
)
def test_byte_tables_have_their_mean(name: str, mean_bytes: float) -> None:
    """Of the flows drawn as of the formula, which the rough figure guards against slips."""
    table = FLOW_SIZES[name]
    assert isinstance(table, ByteTable | ParetoBytes)
    assert table.mean_bytes == pytest.approx(mean_bytes, rel=0.1)
    drawn = table.draw(FLOWS, np.random.default_rng(1))
    payload = (drawn.packets - 1) * 1460 + drawn.last_bytes - 40
    assert payload.mean() == pytest.approx(table.mean_bytes, rel=0.02)
    assert 41 <= drawn.last_bytes.min() <= drawn.last_bytes.max() <= 1500


def test_the_last_packet_of_a_flow_has_the_rest() -> None:
    """Of values of 344 bytes on average nearly all fit into one packet, behind 40 of headers."""
    trace = synthesise("flows", {"packets": 200_000, "distribution": "cache-rpc"}, seed=1)
    assert trace.length_bytes.mean() == pytest.approx(384, rel=0.05)
    assert len(np.unique(trace.length_bytes)) > 1000


def test_the_quantiles_of_a_table_are_its_points() -> None:
    """Half of the web search flows have less than 80 kB: 53 % have."""
    table = FLOW_SIZES["websearch"]
    drawn = table.draw(FLOWS, np.random.default_rng(1))
    payload = (drawn.packets - 1) * 1460 + drawn.last_bytes - 40
    for quantile, size in ((0.15, 10_000), (0.53, 80_000), (0.97, 10_000_000)):
        assert (payload <= size).mean() == pytest.approx(quantile, abs=0.005)


def test_the_rate_is_the_same_from_first_to_last() -> None:
    """Although flows last: what would come after the end comes at the beginning."""
    given = {"packets": 400_000, "packets_per_s": 20_000, "gap_ns": "10ms", "gap_spread": 0}
    trace = synthesise("flows", given, seed=1)
    thirds = np.histogram(trace.time_ns, bins=3)[0] / len(trace)
    assert thirds == pytest.approx(np.full(3, 1 / 3), abs=0.03)


def test_packets_of_a_flow_are_paced() -> None:
    """Its gaps are the gap asked for, give or take the jitter of two packets."""
    model = Flows(
        packets=50_000,
        packets_per_s=1000.0,
        pairs=1_000_000,  # so that hardly two flows share one
        exponent=0.0,
        distribution="websearch",
        gap_ns=10_000_000,
        gap_spread=0.0,
    )
    traffic = model.generate(np.random.default_rng(3))
    gaps_ns = []
    for pair in np.unique(traffic.keys):
        times_ns = np.sort(traffic.time_ns[traffic.keys == pair])
        # A flow that runs over the end is silent in between: that is its longest gap.
        gaps_ns.append(np.sort(np.diff(times_ns))[:-1])
    everyone_ns = np.concatenate(gaps_ns)
    assert len(everyone_ns) > 40_000
    assert everyone_ns.mean() == pytest.approx(10e6, rel=0.01)
    assert everyone_ns.max() <= 20_000_001


def test_pairs_share_flows_by_zipf_weights() -> None:
    """Of one-packet flows, so that flows can be counted."""
    given = {"packets": 200_000, "distribution": "cache-rpc", "pairs": 100, "exponent": 1.0}
    trace = synthesise("flows", given, seed=1)
    counts = np.sort(np.bincount(trace.sa))[::-1]
    assert trace.sa_count == 100
    assert counts[0] / len(trace) == pytest.approx(1 / 5.187, rel=0.05)  # 1 ÷ Σ 1/r
    assert counts[0] / counts[9] == pytest.approx(10, rel=0.1)
