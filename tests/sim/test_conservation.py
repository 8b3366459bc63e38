"""Law 1: every packet that enters leaves exactly once or is counted under one named reason."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dpkt
import pytest

from saactors.observe.events import PacketsDropped
from saactors.replay.options import ReplayOptions
from saactors.replay.run import replay
from saactors.topology import edges

SLOW_SOFTWARE = {"software_packet_ns": 9000.0}
TINY_QUEUE = {"engine_packet_ns": 3000.0, "engine_queue_packets_max": 4}
STALLS = [{"start_ns": 200_000 * n, "duration_ns": 90_000} for n in range(1, 8)]

CONDITIONS: dict[str, dict[str, Any]] = {
    "calm": {},
    "slow software": {"host": SLOW_SOFTWARE, "rx_ring": 8},
    "slow engine": {"card": TINY_QUEUE, "rx_ring": 1},
    "loads that block the engine": {
        "card": {
            **TINY_QUEUE, "load_blocks_engine": True,
            "load_latency_ns": 30_000, "load_timeout_ns": 90_000,
        },
        "rx_ring": 8,
    },
    "loads that have to wait": {
        "card": {
            "load_full": "wait", "load_queue_max": 0,
            "load_latency_ns": 60_000, "load_timeout_ns": 90_000,
        },
        "rx_ring": 1,
    },
    "stalls": {"card": TINY_QUEUE, "faults": {"stalls": STALLS}, "rx_ring": 8},
    "resets": {"faults": {"resets_ns": list(range(50_000, 1_500_000, 50_000))}, "rx_ring": 8},
    "lost and refused loads": {
        "faults": {"load_lost_probability": 0.5, "load_refused_probability": 0.3},
        "host": SLOW_SOFTWARE,
        "rx_ring": 8,
    },
}  # fmt: skip
CALM = {"calm", "resets"}


@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize(("seed", "burst"), [(1, 1), (2, 16), (3, 256)])
def test_what_comes_in_leaves_once_or_is_counted(
    condition: str,
    seed: int,
    burst: int,
    simulate: Callable[..., Any],
    traffic: Callable[..., Any],
) -> None:
    """In total and for every SA, whatever the card does and however little room there is."""
    sent = traffic(seed, gap_ns=700)
    run = simulate(sent, burst=burst, burst_wait_ns=20_000, software_workers=2, seed=seed,
                   **CONDITIONS[condition])  # fmt: skip
    result = run.result
    assert result.packets.entered == len(sent)
    assert result.packets.entered == result.packets.left + sum(result.drops.values())
    assert len(run.left) == result.packets.left == result.packets.software + result.packets.nic
    assert set(result.drops) <= (set() if condition in CALM else {"rx_ring_full"})
    entered = Counter(flow for _, flow, _ in sent)
    left = Counter(packet.flow for packet in run.left)
    assert sum((entered - left).values()) == result.dropped
    # Within an SA the orders that left are 0, 1, 2, …: none is missing, none came twice.
    assert {(packet.sa, packet.order) for packet in run.left} == {
        (packet_sa, order)
        for packet_sa, count in Counter(packet.sa for packet in run.left).items()
        for order in range(count)
    }


@pytest.mark.parametrize("condition", sorted(CONDITIONS.keys() - CALM))
def test_what_finds_the_ring_full_is_told(
    condition: str, simulate: Callable[..., Any], traffic: Callable[..., Any]
) -> None:
    """With bursts of one packet every one of these is too much; events and result agree on it."""
    run = simulate(traffic(1, gap_ns=700), burst=1, **CONDITIONS[condition])
    told: Counter[str] = Counter()
    for event in run.told(PacketsDropped):
        told[event.reason] += event.count
    assert told["rx_ring_full"] > 0
    assert told == run.result.drops


@pytest.mark.parametrize("condition", CONDITIONS)
def test_at_any_instant_what_is_missing_is_inside(
    condition: str, simulate: Callable[..., Any], traffic: Callable[..., Any]
) -> None:
    """What has entered and not left fits into edges, actors and the card's queue."""
    sent, burst = traffic(4), 4
    inside: list[tuple[int, int]] = []

    def watch(run: Any) -> None:
        system = run.built.system
        gone = system.leave.left + sum(system.leave.drops.values()) + run.built.source.ring.dropped
        arrived = sum(time_ns <= system.clock.now_ns() for time_ns, _, _ in sent)
        inside.append((run.built.source.ring.passed - gone, arrived - gone))

    run = simulate(sent, burst=burst, burst_wait_ns=5000, watch=watch, **CONDITIONS[condition])
    wired = edges(run.built.profile)
    actors = {edge.source for edge in wired} | {edge.target for edge in wired}
    messages = sum(edge.capacity for edge in wired if "completions" not in edge.carries)
    room = burst * (messages + len(actors)) + run.built.profile.engine_queue_packets_max
    assert len(inside) > 500
    assert all(0 <= taken <= min(present, room) for taken, present in inside)
    assert any(taken > 0 for taken, _ in inside)
    assert run.built.source.ring.passed == run.result.packets.left + run.result.dropped


@pytest.mark.parametrize("after", [1, 40, 300, 990])
def test_an_interrupt_counts_what_was_inside(
    after: int,
    tmp_path: Path,
    traffic: Callable[..., Any],
    write_traffic: Callable[..., Path],
) -> None:
    """SIGINT ends the run; what it had let out is written, and the rest of it is counted."""
    options = ReplayOptions(
        capture=write_traffic(tmp_path / "in.pcap", traffic(5)),
        write_esp=tmp_path / "esp.pcap",
        burst=1,
    )

    def interrupt(_capture: object, packets: int) -> None:
        if packets == after:
            signal.raise_signal(signal.SIGINT)

    result = replay(options, progress=interrupt, stop_on_signal=True)
    assert after <= result.packets.entered < 1000
    assert result.packets.entered == result.packets.left + sum(result.drops.values())
    assert set(result.drops) <= {"interrupted"}
    assert any("interrupted" in warning for warning in result.warnings)
    with (tmp_path / "esp.pcap").open("rb") as file:
        assert len(list(dpkt.pcap.Reader(file))) == result.packets.left
