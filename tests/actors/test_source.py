"""The source: bursts when a card would raise its interrupt, and every packet accounted for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import trio

from saactors.actors.source import TraceSource
from saactors.model.packets import PACKET, Chunk
from saactors.observe.events import PacketsDropped
from saactors.traces.burst_former import BurstFormer
from saactors.traces.receive_ring import ReceiveRing


def chunk_at(*times_ns: int) -> Chunk:
    """Packets that arrive at these times."""
    packets = np.zeros(len(times_ns), PACKET)
    packets["time_ns"] = times_ns
    packets["length_bytes"] = packets["captured_bytes"] = 100
    return Chunk(np.zeros(0, np.uint8), packets)


def play(
    stage: Any,
    chunks: Sequence[Chunk],
    ring: ReceiveRing,
    takes_ns: Callable[[int], int],
    capacity: int = 8,
) -> tuple[list[tuple[int, Any]], list[int]]:
    """Run the source; whoever receives takes a burst at most at ``takes_ns(now)``.

    Returns the bursts with the time at which each was taken, and what progress was told.
    """
    received: list[tuple[int, Any]] = []
    progress: list[int] = []

    async def scene() -> None:
        outlet, inlet = stage.edge(capacity)
        emit = stage.emitter()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(
                _send_all,
                outlet,
                TraceSource(
                    iter(chunks), ring, stage.clock, emit, progress.append, stage.news(), False
                ),
            )
            async for burst in inlet:
                received.append((stage.clock.now_ns(), burst))
                await stage.clock.sleep_until_ns(takes_ns(stage.clock.now_ns()))

    stage.run(scene)
    return received, progress


async def _send_all(outlet: Any, source: TraceSource) -> None:
    with outlet:
        await source(outlet)


def times_of(burst: Any) -> list[int]:
    """When the burst's packets arrived."""
    times: list[int] = burst.packets["time_ns"].tolist()
    return times


def test_a_burst_is_handed_on_when_it_is_ready(stage: Any) -> None:
    """After the wait of 100 ns, or at the end of its chunk; numbered from 0 through all chunks."""
    chunks = [chunk_at(0, 60, 250), chunk_at(), chunk_at(400, 500)]
    ring = ReceiveRing(BurstFormer(256, 100))
    received, progress = play(stage, chunks, ring, lambda now_ns: now_ns)
    assert [(now_ns, times_of(burst)) for now_ns, burst in received] == [
        (100, [0, 60]),
        (250, [250]),
        (500, [400]),
        (500, [500]),
    ]
    assert [burst.number for _, burst in received] == [0, 1, 2, 3]
    assert received[0][1].data is chunks[0].data
    assert progress == sorted(progress)
    assert progress[-1] == 5
    assert stage.events == []


def test_while_the_edge_is_full_packets_gather_in_the_ring(stage: Any) -> None:
    """The source stands still from 0 to 1000 ns; then it takes what is there in one burst."""
    chunk = chunk_at(0, 1, 2, 10, 20, 30)
    ring = ReceiveRing(BurstFormer(256, 0))
    received, _ = play(stage, [chunk], ring, lambda now_ns: now_ns + 1000, capacity=1)
    assert [times_of(burst) for _, burst in received] == [[0], [1], [2], [10, 20, 30]]
    assert [now_ns for now_ns, _ in received] == [0, 1000, 2000, 3000]


def test_drops_are_told_as_events_and_counted_as_progress_to_the_last(
    stage: Any,
) -> None:
    """With room for two, the packets at the very end of the trace find the ring full, too."""
    chunks = [chunk_at(0, 1, 2, 10, 11, 12, 13), chunk_at(500, 2900, 2901, 2902, 2903)]
    ring = ReceiveRing(BurstFormer(256, 0), 2)
    received, progress = play(stage, chunks, ring, lambda now_ns: now_ns + 1000, capacity=1)
    sent = sum(len(burst.packets) for _, burst in received)
    told = [event for event in stage.events if isinstance(event, PacketsDropped)]
    assert [event.count for event in told] == [2, 2]
    assert sum(event.count for event in told) == ring.dropped
    assert {event.reason for event in told} == {"rx_ring_full"}
    assert sent + ring.dropped == 12
    assert progress[-1] == 12
