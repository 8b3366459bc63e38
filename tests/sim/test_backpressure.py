"""Backpressure: while a card loads, channels fill and senders wait; no packet is lost unnamed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from saactors.observe.events import EdgeWaited, PacketsDropped

SLOW_LOADS = {"load_latency_ns": 100_000, "load_timeout_ns": 300_000}
CARDS: dict[str, dict[str, Any]] = {
    "stalls while it loads": {
        **SLOW_LOADS, "load_blocks_engine": True, "engine_queue_packets_max": 4,
    },
    "has its driver wait for every load": {
        **SLOW_LOADS, "load_full": "wait", "load_queue_max": 0,
    },
}  # fmt: skip
ON_THE_WAY_TO_THE_CARD = (
    "source_classifier", "classifier_keeper", "keeper_arbiter", "arbiter_nic",
)  # fmt: skip


@pytest.mark.parametrize("card", CARDS)
def test_senders_wait_all_the_way_back_to_the_ring_while_the_card_loads(
    card: str, simulate: Callable[..., Any], traffic: Callable[..., Any]
) -> None:
    """Each edge says how often and how long; the ring overflows, and that is counted."""
    run = simulate(traffic(1), burst=1, rx_ring=4, verify=True, card=CARDS[card])
    result = run.result
    for name in ON_THE_WAY_TO_THE_CARD:
        edge = result.edges[name]
        assert edge.waits > 0
        assert edge.waited_ns > 0
        assert edge.high_water == edge.capacity
    assert result.drops.keys() == {"rx_ring_full"}
    assert result.packets.left + result.drops["rx_ring_full"] == 1000
    told = [event.count for event in run.told(PacketsDropped) if event.reason == "rx_ring_full"]
    assert sum(told) == result.drops["rx_ring_full"]
    assert result.verification.checked == result.packets.left
    assert result.verification.failed == 0


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("burst", [1, 4])
def test_in_a_closed_loop_whoever_sends_waits_and_nothing_is_dropped(
    card: str, burst: int, simulate: Callable[..., Any], traffic: Callable[..., Any]
) -> None:
    """The same card makes the trace take longer instead."""
    sent = traffic(1)
    run = simulate(sent, burst=burst, rx_ring=4, closed_loop=True, verify=True, card=CARDS[card])
    result = run.result
    assert result.dropped == 0
    assert result.packets.left == result.verification.checked == len(sent)
    assert result.verification.failed == 0
    assert result.edges["arbiter_nic"].waited_ns > 0
    assert result.duration_ns > sent[-1][0]


def test_a_card_that_loads_beside_its_engine_makes_nobody_wait(
    simulate: Callable[..., Any], traffic: Callable[..., Any]
) -> None:
    """The same slow loads, refused while there is no room for them: no edge has a wait."""
    run = simulate(traffic(1), burst=1, rx_ring=64, card=SLOW_LOADS)
    assert run.result.loads > 0
    assert {name for name, edge in run.result.edges.items() if edge.waits} == set()
    assert run.result.dropped == 0


def test_waits_are_told_as_they_end(
    simulate: Callable[..., Any], traffic: Callable[..., Any]
) -> None:
    """The events of each edge add up to what the result says of it."""
    card = CARDS["has its driver wait for every load"]
    run = simulate(traffic(2), burst=1, rx_ring=4, card=card)
    for name, edge in run.result.edges.items():
        waited_ns = [event.waited_ns for event in run.told(EdgeWaited) if event.edge == name]
        assert (len(waited_ns), sum(waited_ns)) == (edge.waits, edge.waited_ns)
    assert any(run.told(EdgeWaited))
