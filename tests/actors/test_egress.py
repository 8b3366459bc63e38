"""The egress: packets leave in order, drops are told, and nobody is left behind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import trio

from saactors.actors.egress import run_egress
from saactors.model.burst import Burst, Component, Finished, Share
from saactors.model.verdicts import Verdict
from saactors.observe.events import PacketsDropped
from saactors.streams.exit import Exit

BurstOf = Callable[..., Burst]


def finished(burst: Burst, rows: list[int], component: Component = Component.NIC) -> Finished:
    """Rows of a burst that a component is done with."""
    starts, lengths = np.zeros(len(rows), np.int64), np.zeros(len(rows), np.int32)
    return Finished(burst, np.array(rows, np.int32), component, None, starts, lengths)


def let_out(
    stage: Any,
    leave: Exit,
    software: list[tuple[int, Finished]],
    nic: list[tuple[int, Finished]],
    past_both: list[tuple[int, Share]],
) -> None:
    """Run an egress until everything has come."""

    async def scene() -> None:
        edges = [stage.edge() for _ in range(3)]
        async with trio.open_nursery() as nursery:
            for (outlet, _), messages in zip(edges, (software, nic, past_both), strict=True):
                nursery.start_soon(stage.feed, outlet, messages)
            inlets = [inlet for _, inlet in edges]
            emit, news = stage.emitter(), stage.news()
            await run_egress(inlets[:2], inlets[2], leave, stage.clock, emit, print, news)

    stage.run(scene)


def test_packets_leave_in_order_whichever_component_was_faster(
    stage: Any, burst_of: BurstOf
) -> None:
    """All of them, each once, at the time when their turn has come."""
    burst = burst_of([0, 0, 0], order=[0, 1, 2])
    left: list[tuple[int, int]] = []

    class Turns:
        def take(self, share: Finished, positions: Any, now_ns: int) -> None:
            left.extend((now_ns, int(row)) for row in share.rows[positions])

    leave = Exit(None, [Turns()])
    let_out(
        stage,
        leave,
        [(50, finished(burst, [0], Component.SOFTWARE))],
        [(10, finished(burst, [1]))],
        [(70, Share(burst, np.array([2], np.int32)))],
    )
    assert left == [(50, 0), (50, 1), (70, 2)]


def test_drops_are_told_by_reason_when_they_leave(stage: Any, burst_of: BurstOf) -> None:
    """Of every component, and of what the classifier had refused."""
    burst = burst_of([0, 0, 0, 0], order=[0, 1, 2, -1])
    burst.packets["verdict"] = [Verdict.PASSED, *[Verdict.ICV_FAILED] * 2, Verdict.NO_POLICY]
    leave = Exit(None, [])
    let_out(
        stage,
        leave,
        [(50, finished(burst, [0, 1, 2]))],
        [],
        [(20, Share(burst, np.array([3], np.int32)))],
    )
    assert stage.events == [
        PacketsDropped(20, "no_policy", 1),
        PacketsDropped(50, "icv_failed", 2),
    ]


def test_a_packet_whose_turn_never_comes_shows_as_a_defect(stage: Any, burst_of: BurstOf) -> None:
    """An egress that ends with packets inside has lost the one before them (law 1)."""
    burst = burst_of([0, 0], order=[0, 1])
    with pytest.raises(ExceptionGroup) as caught:
        let_out(stage, Exit(None, []), [(5, finished(burst, [1]))], [], [])
    assert caught.group_contains(AssertionError, match="1 packets never had their turn")
