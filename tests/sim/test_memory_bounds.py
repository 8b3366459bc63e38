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
# Few slots and short memories: loads, evictions, lost loads, resets and waits all the way through.
RESTLESS = {
    "host": {"software_packet_ns": 4000.0},
    "card": {
        "slots_max": 4,
        "load_latency_ns": 20_000,
        "load_timeout_ns": 60_000,
        "engine_queue_packets_max": 16,
        "load_full": "refuse",
        "load_blocks_engine": True,
        "faults": {"load_lost_probability": 0.1, "resets_ns": [50_000_000]},
    },
    "rule": {"threshold": 2.0, "bonus": 1.0, "decay": "factor:0.5", "period_ns": 500_000},
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
                write_esp=folder / "esp.pcap",
                events=folder / "events",
                **options,
            )
        )
        return tracemalloc.get_traced_memory()[1], result
    finally:
        tracemalloc.stop()


@pytest.mark.slow
@pytest.mark.parametrize(("burst", "packets"), [(1, 4_000), (64, 25_000)])
def test_a_trace_four_times_as_long_needs_no_more_memory(
    burst: int,
    packets: int,
    tmp_path: Path,
    traffic: Callable[..., Any],
    write_traffic: Callable[..., Path],
) -> None:
    """With everything written and told that can be, and the same SAs all along.

    What may grow is what stands for time: a series doubles the width of its bins, not their number.
    """
    peaks, results = [], []
    peak_bytes(write_traffic(tmp_path / "warm.pcap", traffic(1)), tmp_path, burst=burst)
    for times in (1, 4):
        sent = traffic(2, times * packets, gap_ns=1000, phases=20 * times)
        capture = write_traffic(tmp_path / f"{times}.pcap", sent)
        del sent
        peak, result = peak_bytes(capture, tmp_path, burst=burst)
        peaks.append(peak)
        results.append(result)
    short, long = results
    assert long.packets.entered == 4 * short.packets.entered
    assert min(long.loads, long.evictions, long.loads_refused, long.dropped) > 20
    print(peaks, long.loads, long.evictions, long.loads_refused, long.dropped)
    assert peaks[1] - peaks[0] < 0.25 * MIB
