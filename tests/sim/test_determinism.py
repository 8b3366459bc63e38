"""Law 7: the same seed gives the same event log; another scheduler seed the same decisions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dpkt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from saactors.observe.events import EdgeWaited
from saactors.placement.change import encode_signal

SIGNALS = [
    (200_000, encode_signal("metric", {"threshold": 1.0, "bonus": 0.0, "period_ns": 20_000})),
    (600_000, encode_signal("metric", {"threshold": 3.0, "decide": "periodic"})),
]
SYSTEMS: dict[str, dict[str, Any]] = {
    "bursts of one": {"burst": 1},
    "four workers": {"burst": 8, "software_workers": 4},
    "periodic decisions": {"burst": 8, "rule": {"decide": "periodic", "period_ns": 8000}},
    "backpressure from the card": {
        "burst": 1,
        "rx_ring": 8,
        "card": {
            "load_full": "wait",
            "load_latency_ns": 40_000,
            "load_timeout_ns": 80_000,
            "engine_queue_packets_max": 4,
        },
    },
    "backpressure from software": {
        "burst": 2,
        "rx_ring": 16,
        "software_workers": 2,
        "host": {"software_packet_ns": 6000.0},
    },
    "chance": {
        "burst": 4,
        "card": {"load_latency_distribution": "lognormal", "load_latency_shape": 0.5},
        "faults": {
            "load_lost_probability": 0.2,
            "load_refused_probability": 0.2,
            "bit_flip_probability": 0.05,
            "resets_ns": list(range(60_000, 1_500_000, 60_000)),
        },
    },
    "resets under backpressure": {
        "burst": 2,
        "rx_ring": 16,
        "host": {"software_packet_ns": 6000.0},
        "card": {"engine_packet_ns": 2500.0, "engine_queue_packets_max": 4},
        "faults": {"resets_ns": list(range(40_000, 1_500_000, 40_000))},
    },
    "signals": {"burst": 1, "signals": SIGNALS},
}


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_same_seed_gives_the_same_event_log_and_capture_byte_for_byte(
    system: str, simulate: Callable[..., Any], traffic: Callable[..., Any], tmp_path: Path
) -> None:
    """The whole of both files, twice."""
    files = []
    for attempt in "ab":
        events, esp = tmp_path / f"{attempt}.events", tmp_path / f"{attempt}.pcap"
        simulate(traffic(8), seed=8, scheduler_seed=8, events=events, write_esp=esp,
                 **SYSTEMS[system])  # fmt: skip
        files.append((events.read_bytes(), esp.read_bytes()))
    assert len(files[0][0]) > 2000
    assert files[0] == files[1]


@pytest.mark.parametrize("system", SYSTEMS)
def test_another_scheduler_seed_gives_the_same_decisions(
    system: str, simulate: Callable[..., Any], traffic: Callable[..., Any], tmp_path: Path
) -> None:
    """Every event but those of waits, the component of every packet, and every SA's output."""
    outcomes = []
    for scheduler_seed in range(5):
        esp = tmp_path / "esp.pcap"
        run = simulate(traffic(9), seed=9, scheduler_seed=scheduler_seed, write_esp=esp,
                       **SYSTEMS[system])  # fmt: skip
        by_spi = defaultdict(list)
        with esp.open("rb") as file:
            for _, packet in dpkt.pcap.Reader(file):
                by_spi[packet[20:24]].append(packet)
        outcomes.append((decisions(run), by_spi))
    assert run.result.loads > 5
    for other in outcomes[1:]:
        assert other == outcomes[0]


@settings(deadline=None, max_examples=60)
@given(
    arrivals=st.lists(
        st.tuples(st.sampled_from([0, 0, 0, 500, 500, 1000, 2000]), st.sampled_from([0, 0, 1, 2])),
        min_size=140,
        max_size=160,
    ),
    burst=st.integers(1, 4),
    rx_ring=st.sampled_from([4, 64]),
    workers=st.sampled_from([1, 1, 2]),
    software_ns=st.sampled_from([1000.0, 1500.0]),
    engine_ns=st.sampled_from([1000.0, 1500.0]),
    load_full=st.sampled_from(["wait", "refuse"]),
    decide=st.sampled_from(["arrival", "arrival", "periodic"]),
    resets_ns=st.lists(st.integers(4, 180).map(lambda n: 500 * n), min_size=4, max_size=8),
)
@example(  # at a tick the first worker's edge has room again, and the last burst goes on
    arrivals=[(0, 0)] * 19 + [(0, 1)] * 9,
    burst=1,
    rx_ring=64,
    workers=2,
    software_ns=500.0,
    engine_ns=1000.0,
    load_full="wait",
    decide="periodic",
    resets_ns=[],
)
def test_instants_that_coincide_do_not_matter(
    simulate: Callable[..., Any],
    arrivals: list[tuple[int, int]],
    burst: int,
    rx_ring: int,
    workers: int,
    software_ns: float,
    engine_ns: float,
    load_full: str,
    decide: str,
    resets_ns: list[int],
) -> None:
    """Everything happens at multiples of 500 ns, so much of it at once, and on edges that are full.

    What the card gives back after a reset meets what the arbiter sends, just when a load ends.
    """
    sent, now_ns = [], 0
    for gap_ns, flow in arrivals:
        now_ns += gap_ns
        sent.append((now_ns, flow, 100))
    one, other = (
        simulate(
            sent,
            scheduler_seed=scheduler_seed,
            burst=burst,
            burst_wait_ns=500,
            rx_ring=rx_ring,
            software_workers=workers,
            crypto="none",
            host={"software_packet_ns": software_ns},
            card={
                "engine_packet_ns": engine_ns,
                "engine_queue_packets_max": 2,
                "load_full": load_full,
                "load_latency_ns": 500,
            },
            faults={"resets_ns": resets_ns},
            rule={"threshold": 1.0, "decay": "factor:1", "decide": decide, "period_ns": 5000},
        )
        for scheduler_seed in (1, 2)
    )
    assert decisions(one) == decisions(other)


def decisions(run: Any) -> tuple[list[Any], dict[tuple[int, int], Any]]:
    """All events but those of waits, and where the crypto of each packet ran."""
    events = [event for event in run.events if not isinstance(event, EdgeWaited)]
    return events, {(left.sa, left.order): left.component for left in run.left}
