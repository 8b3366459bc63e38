"""The decay timer: one tick per period, of the right instant, however busy the keeper is."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from saactors.actors.decay import run_decay
from saactors.model.burst import Tick
from saactors.placement.change import RuleChange
from saactors.placement.cost import CostModel
from saactors.placement.table import read_parameters


def change_to(period_ns: int, cost: CostModel, time_ns: int) -> RuleChange:
    """A change of the rule to another period, which arrives then."""
    given = {"period_ns": period_ns}
    return RuleChange("metric", given, read_parameters("metric", given, cost), time_ns)


def play(
    stage: Any,
    period_ns: int | None,
    until_ns: int,
    signals: list[tuple[int, RuleChange]] | None = None,
    busy_ns: int = 0,
    capacity: int = 4,
    seed: int = 0,
) -> list[tuple[int, Any]]:
    """Run a timer until an instant; whoever receives is busy for a while after each message."""
    received: list[tuple[int, Any]] = []

    async def scene() -> None:
        (network, signals_in), (out, taken) = stage.edge(), stage.edge(capacity)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.feed, network, signals or [])
            nursery.start_soon(run_decay, signals_in, out, period_ns, stage.clock)

            async def take() -> None:
                async for message in taken:
                    received.append((stage.clock.now_ns(), message))
                    await stage.clock.sleep_until_ns(stage.clock.now_ns() + busy_ns)

            nursery.start_soon(take)
            await stage.clock.sleep_until_ns(until_ns)
            nursery.cancel_scope.cancel()

    stage.run(scene, seed)
    return received


def test_a_tick_comes_with_every_period(stage: Any) -> None:
    """Numbered from 1, each with its instant and that of the next."""
    assert play(stage, 100, 350) == [
        (100, Tick(1, 100, 200)),
        (200, Tick(2, 200, 300)),
        (300, Tick(3, 300, 400)),
    ]


def test_ticks_of_a_busy_keeper_are_late_but_of_the_right_instant(stage: Any) -> None:
    """No period is left out, and none is stretched by the wait."""
    ticks = play(stage, 100, 1300, busy_ns=250, capacity=1)
    assert [tick for _, tick in ticks] == [
        Tick(number, 100 * number, 100 * number + 100) for number in range(1, 6)
    ]
    assert [now_ns for now_ns, _ in ticks] == [100, 350, 600, 850, 1100]


def test_a_rule_without_a_period_has_no_ticks(stage: Any, cost: CostModel) -> None:
    """Nor does any change bring them, or wait for somebody to take it."""
    none = read_parameters("never", {}, cost)
    changes = [(at, RuleChange("never", {}, none, at)) for at in range(100)]

    async def scene() -> None:
        (network, signals_in), (out, _) = stage.edge(), stage.edge()
        with trio.fail_after(1):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(stage.feed, network, changes)
                await run_decay(signals_in, out, None, stage.clock)
        assert out.gauge.sent == 0

    stage.run(scene)
    assert stage.clock.now_ns() == 99


@pytest.mark.parametrize("seed", range(6))
def test_a_changed_period_begins_when_the_present_one_ends(
    seed: int, stage: Any, cost: CostModel
) -> None:
    """Every tick says when the next is due; a change of a tick's own instant came too late."""
    changes = [(at, change_to(period_ns, cost, at)) for at, period_ns in ((150, 30), (200, 50))]
    assert play(stage, 100, 329, changes, seed=seed) == [
        (100, Tick(1, 100, 200)),
        (200, Tick(2, 200, 230)),
        (230, Tick(3, 230, 280)),
        (280, Tick(4, 280, 330)),
    ]
