"""Law 9: every bound is a bound: memory does not grow with the length of a trace."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from saactors.replay.options import ReplayOptions
from saactors.replay.run import replay
from saactors.scenario.load import scenario_of

MIB = 1 << 20
GAP_NS = 20_000
# Few slots, short memories and too much to do: loads, evictions, refused and lost loads, resets,
# waits and drops all the way through.
RESTLESS = {
    "host": {"software_packet_ns": 80_000.0},
    "card": {
        "slots_max": 4,
        "load_latency_ns": 400_000,
        "load_timeout_ns": 1_200_000,
        "load_full": "refuse",
        "load_blocks_engine": True,
        "engine_queue_packets_max": 16,
        "faults": {"load_lost_probability": 0.1, "resets_ns": [100_000_000, 200_000_000]},
    },
    "rule": {"threshold": 2.0, "bonus": 1.0, "decay": "factor:0.5", "period_ns": 5_000_000},
}


def peak_bytes(capture: Path, folder: Path, **options: Any) -> tuple[int, Any]:
    """The most memory that Python and NumPy held at once during a replay, and its result."""
    gc.collect()
    tracemalloc.start()
    try:
        result = replay(
            ReplayOptions(
                capture=capture,
                scenario=scenario_of("restless", RESTLESS),
                rx_ring=64,
                burst_wait_ns=options["burst"] * GAP_NS,
                write_esp=folder / "esp.pcap",
                events=folder / "events",
                **options,
            )
        )
        return tracemalloc.get_traced_memory()[1], result
    finally:
        tracemalloc.stop()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("burst", "packets", "length_bytes"), [(1, 3500, 6000), (64, 25_000, 1000)]
)
def test_a_trace_four_times_as_long_needs_no_more_memory(
    burst: int,
    packets: int,
    length_bytes: int,
    tmp_path: Path,
    traffic: Callable[..., Any],
    write_traffic: Callable[..., Path],
) -> None:
    """With all that can be written and told, and the same SAs all along.

    The shorter trace fills what there is: chunks of 8 MiB, of which two may be
    in use, and the 67 ms of a series' first bins.
    """
    peaks, results = [], []
    peak_bytes(write_traffic(tmp_path / "warm.pcap", traffic(1)), tmp_path, burst=burst)
    for times in (1, 4):
        sent = traffic(2, times * packets, gap_ns=GAP_NS, phases=20 * times)
        capture = write_traffic(
            tmp_path / f"{times}.pcap", [(at, flow, length_bytes) for at, flow, _ in sent]
        )
        del sent
        peak, result = peak_bytes(capture, tmp_path, burst=burst)
        peaks.append(peak)
        results.append(result)
    short, long = results
    assert long.packets.entered == 4 * short.packets.entered
    assert min(long.loads, long.evictions, long.loads_refused, long.dropped) > 15
    assert peaks[1] - peaks[0] < 0.25 * MIB
