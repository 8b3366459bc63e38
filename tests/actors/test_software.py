"""A software worker: one share after the other, each in the time that its packets take a core."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trio

from saactors.actors.software import run_software
from saactors.model.burst import Component, Finished, Share
from saactors.model.sa import SaTable
from saactors.placement.cost import CostModel
from saactors.streams.crypto import Sealing

# 1000 ns a packet and 2 ns a byte.
HOST = CostModel(1000, 2, 0, 0, 0)


def play(
    stage: Any,
    sas: SaTable,
    *sources: list[tuple[int, Share]],
    egress: int = 8,
    takes_ns: int = 0,
    seed: int = 0,
) -> list[tuple[int, Finished]]:
    """Run a worker over these sources; returns what it finished, and when that was taken."""
    finished: list[tuple[int, Finished]] = []

    async def scene() -> None:
        edges = [stage.edge() for _ in sources]
        out, taken = stage.edge(egress)
        async with trio.open_nursery() as nursery:
            for (outlet, _), shares in zip(edges, sources, strict=True):
                nursery.start_soon(stage.feed, outlet, shares)
            inlets = [inlet for _, inlet in edges]
            nursery.start_soon(
                run_software,
                *(inlets, out, Sealing(sas, real=False), HOST, stage.clock),
                *(stage.news(), "software_0"),
            )
            async for share in taken:
                finished.append((stage.clock.now_ns(), share))
                await stage.clock.sleep_until_ns(stage.clock.now_ns() + takes_ns)

    stage.run(scene, seed)
    return finished


def test_a_share_takes_the_time_of_its_packets_and_bytes(
    stage: Any, sas: SaTable, share_of: Callable[..., Share]
) -> None:
    """Three packets of 100 bytes: 3600 ns; rows that are another's cost nothing."""
    whole, part = share_of([0, 1, 2]), share_of([0, 1, 2], rows=[1])
    finished = play(stage, sas, [(50, whole), (10_000, part)])
    assert [now_ns for now_ns, _ in finished] == [50 + 3600, 10_000 + 1200]
    assert [share.rows.tolist() for _, share in finished] == [[0, 1, 2], [1]]
    assert {share.component for _, share in finished} == {Component.SOFTWARE}
    assert all(share.lengths.min() > 100 for _, share in finished)


def test_shares_wait_for_the_core_in_turn(
    stage: Any, sas: SaTable, share_of: Callable[..., Share]
) -> None:
    """The second begins when the first has ended, not when it came."""
    finished = play(stage, sas, [(0, share_of([0])), (100, share_of([1])), (9000, share_of([2]))])
    assert [now_ns for now_ns, _ in finished] == [1200, 2400, 10_200]


def test_what_the_card_gives_back_shares_the_same_core(
    stage: Any, sas: SaTable, share_of: Callable[..., Share]
) -> None:
    """Two sources, one worker: never two shares at once."""
    finished = play(stage, sas, [(0, share_of([0])), (1, share_of([1]))], [(2, share_of([2]))])
    assert [now_ns for now_ns, _ in finished] == [1200, 2400, 3600]


@pytest.mark.parametrize("seed", range(6))
def test_at_one_instant_what_the_card_gives_back_goes_first(
    seed: int, stage: Any, sas: SaTable, share_of: Callable[..., Share]
) -> None:
    """Whichever of them the scheduler lets in first; afterwards, whoever comes first."""
    arbiter = [(0, share_of([0])), (100, share_of([1])), (2000, share_of([1]))]
    card = [(0, share_of([2, 2])), (1900, share_of([2]))]
    finished = play(stage, sas, arbiter, card, seed=seed)
    assert [(now_ns, len(share.rows)) for now_ns, share in finished] == [
        (2400, 2),
        (3600, 1),
        (4800, 1),
        (6000, 1),
        (7200, 1),
    ]
    assert [share.burst.packets["sa"][0] for _, share in finished] == [2, 0, 2, 1, 1]


def test_a_worker_whose_egress_is_full_takes_nothing_more(
    stage: Any, sas: SaTable, share_of: Callable[..., Share]
) -> None:
    """Backpressure: the finished share waits, and with it the ones behind it."""
    shares = [(0, share_of([sa])) for sa in range(4)]
    finished = play(stage, sas, shares, egress=1, takes_ns=10_000)
    assert [now_ns for now_ns, _ in finished] == [1200, 11_200, 21_200, 31_200]


def test_a_worker_ends_when_all_its_sources_have(stage: Any, sas: SaTable) -> None:
    """And closes its outlet behind it."""
    assert play(stage, sas, [], []) == []
