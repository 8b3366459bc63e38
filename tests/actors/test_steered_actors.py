"""Actors that are steered while they work: instructions, card commands, another rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import trio

from nicmodel.card import Card
from nicmodel.faults import FaultPlan
from nicmodel.residency import Residency
from saactors.actors.arbiter import Instruction, run_arbiter
from saactors.actors.card_news import CardNews
from saactors.actors.decay import run_decay
from saactors.actors.keeper import run_keeper
from saactors.actors.nic import run_nic
from saactors.actors.placement_news import PlacementNews
from saactors.gateway.steering import CardSteering
from saactors.model.burst import (
    Burst,
    EvictCommand,
    LoadCommand,
    Outcome,
    ResetCommand,
    Share,
    Tick,
)
from saactors.model.packets import NO_SA
from saactors.model.sa import SaTable
from saactors.observe.hottest import HottestSas
from saactors.placement.change import change_of
from saactors.placement.cost import CostModel
from saactors.placement.plan import RulePlan, plan_rule
from saactors.placement.rule import Decide
from saactors.placement.steered import SteeredArbiter
from saactors.placement.steered_keeper import SteeredKeeper
from saactors.placement.table import Rule
from saactors.streams.crypto import Sealing
from saactors.streams.shares import Splitter

BurstOf = Callable[..., Burst]
A, B = 0, 1


@pytest.fixture
def plan(cost: CostModel) -> RulePlan:
    """The metric rule with a threshold of three packets."""
    return plan_rule("metric", {"threshold": 3, "bonus": 0, "decay": "factor:1"}, cost)


def steer(
    stage: Any,
    sas: SaTable,
    plan: RulePlan,
    messages: Callable[[SteeredArbiter, CardSteering], list[Any]],
    card_slots: int = 1,
) -> tuple[SteeredArbiter, list[Any], list[Any]]:
    """Run a steered arbiter; returns it and what it said to the card and to software."""
    arbiter = SteeredArbiter(plan, card_slots, 1)
    steering = CardSteering(arbiter)
    rule = Rule(plan.name, SteeredKeeper(plan), arbiter, plan.parameters, None, plan.cost)
    said: dict[str, list[Any]] = {}

    async def scene() -> None:
        (keeper, keeper_in), (_, card_in) = stage.edge(64), stage.edge(64)
        ends = {name: stage.edge(64) for name in ("egress", "nic", "software")}
        with keeper:
            for message in messages(arbiter, steering):
                await keeper.send(message)
        await run_arbiter(
            *(keeper_in, card_in, ends["egress"][0], ends["nic"][0], [ends["software"][0]]),
            *(arbiter, Splitter(1), PlacementNews(stage.emitter(), sas, rule), stage.news()),
            *(stage.clock, steering),
        )
        for name, (_, inlet) in ends.items():
            said[name] = [
                message.rows.tolist() if isinstance(message, Share) else message
                async for message in inlet
            ]

    stage.run(scene)
    return arbiter, said["nic"], said["software"]


def placed(burst_of: BurstOf, sas: list[int], instant_ns: int, metrics: list[float]) -> Burst:
    """A burst that the keeper has seen."""
    burst = burst_of(sas, order=list(range(len(sas))))
    burst.observed_ns = instant_ns
    burst.packets["metric"] = metrics
    return burst


def test_an_instruction_is_carried_out_between_the_bursts_around_it(
    stage: Any, sas: SaTable, plan: RulePlan, burst_of: BurstOf
) -> None:
    """An SA pinned to the card is loaded at once, behind the burst before, whatever its metric."""

    def messages(arbiter: SteeredArbiter, _steering: CardSteering) -> list[Any]:
        def pin(tick: int, now_ns: int) -> None:
            arbiter.pin(B, "nic", tick, now_ns)

        return [placed(burst_of, [A, B], 10, [1, 1]), Instruction(pin)]

    _, to_nic, to_software = steer(stage, sas, plan, messages)
    assert to_software == [[0, 1]]
    assert to_nic == [LoadCommand(B, NO_SA, 0)]


def test_what_the_gateway_wants_of_the_card_goes_its_way(
    stage: Any, sas: SaTable, plan: RulePlan, burst_of: BurstOf
) -> None:
    """A reset asked for in an instruction comes behind the loads before it."""

    def messages(_arbiter: SteeredArbiter, steering: CardSteering) -> list[Any]:
        reset = Instruction(lambda _tick, _now_ns: steering.wants(ResetCommand()))
        return [placed(burst_of, [A], 10, [5]), reset]

    _, to_nic, _ = steer(stage, sas, plan, messages)
    assert to_nic == [LoadCommand(A, NO_SA, 10), ResetCommand()]


def test_another_rule_takes_over_between_two_bursts(
    stage: Any, sas: SaTable, plan: RulePlan, burst_of: BurstOf, cost: CostModel
) -> None:
    """What would have earned its load a burst ago does not under ``never``."""

    def messages(_arbiter: SteeredArbiter, _steering: CardSteering) -> list[Any]:
        return [change_of("never", {}, cost, 5), placed(burst_of, [A], 10, [5])]

    arbiter, to_nic, to_software = steer(stage, sas, plan, messages)
    assert (to_nic, to_software) == ([], [[0]])
    assert arbiter.plan.name == "never"


def test_a_keeper_follows_at_once_and_begins_anew_under_another_rule(
    stage: Any, plan: RulePlan, burst_of: BurstOf, cost: CostModel
) -> None:
    """Without waiting for a packet; and where no tick will come, no burst waits for one."""
    keeper = SteeredKeeper(plan)
    handed_on: list[tuple[int, Any]] = []

    async def scene() -> None:
        (bursts, bursts_in), (_, ticks_in) = stage.edge(), stage.edge()
        (_, card_in), (out, out_in) = stage.edge(), stage.edge(64)
        network, signals_in = stage.edge()

        async def run() -> None:
            await run_keeper(
                *(bursts_in, ticks_in, card_in, out, keeper, stage.clock, 100, Decide.ARRIVAL),
                *(HottestSas(keeper.metrics_of), stage.news(), signals_in),
                follows_at_once=True,
            )

        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.collect, out_in, handed_on)
            nursery.start_soon(run)
            await stage.clock.sleep_until_ns(50)
            await network.send(change_of("lru", {}, cost, 50))
            await stage.clock.sleep_until_ns(60)
            assert [type(message).__name__ for _, message in handed_on] == ["RuleChange"]
            await stage.clock.sleep_until_ns(250)  # the tick of 100 ns never came
            with bursts:
                await bursts.send(burst_of([A]))
            await stage.clock.sleep_until_ns(260)
            nursery.cancel_scope.cancel()

    stage.run(scene)
    assert [now_ns for now_ns, _ in handed_on] == [50, 250]
    assert keeper.ticks == 0


@pytest.mark.parametrize("seed", [1, 2])
def test_ticks_begin_with_a_rule_that_has_them_and_end_with_one_that_has_none(
    seed: int, stage: Any, cost: CostModel
) -> None:
    """From none to 100 ns and back; numbers go on."""
    received: list[tuple[int, Any]] = []
    metric = {"period_ns": 100, "decay": "factor:0.5"}
    changes = [
        (150, change_of("metric", metric, cost, 150)),
        (460, change_of("lru", {}, cost, 460)),
        (600, change_of("metric", metric, cost, 600)),
    ]

    async def scene() -> None:
        (network, signals_in), (out, out_in) = stage.edge(), stage.edge()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.feed, network, changes)
            nursery.start_soon(run_decay, signals_in, out, None, stage.clock)
            nursery.start_soon(stage.collect, out_in, received)
            await stage.clock.sleep_until_ns(780)
            nursery.cancel_scope.cancel()

    stage.run(scene, seed)
    assert received == [
        (250, Tick(1, 250, 350)),
        (350, Tick(2, 350, 450)),
        (450, Tick(3, 450, 550)),
        (700, Tick(4, 700, 800)),
    ]


def test_the_card_evicts_and_resets_when_it_is_told_to(
    stage: Any, sas: SaTable, card_profile: Any
) -> None:
    """An eviction is nobody's victim; a reset is told to the arbiter."""
    card = Card(card_profile, FaultPlan(), np.random.default_rng(1))
    told: list[tuple[Outcome, int]] = []
    seen: list[tuple[int, Residency, Residency]] = []

    async def scene() -> None:
        ring, ring_in = stage.edge()
        (egress, _), (back, _) = stage.edge(), stage.edge()
        (arbiter, arbiter_in), (keeper, _) = stage.edge(64), stage.edge(64)
        messages = [
            (0, LoadCommand(A, NO_SA, 0)),
            (2000, LoadCommand(B, NO_SA, 2000)),
            (5000, EvictCommand(A)),
            (8000, ResetCommand()),
        ]

        async def feed() -> None:
            with ring:
                for instant_ns, message in messages:
                    await stage.clock.sleep_until_ns(instant_ns)
                    await ring.send(message)
                    await stage.clock.sleep_until_ns(instant_ns + 1500)
                    states = (card.residency(A), card.residency(B))
                    seen.append((stage.clock.now_ns(), *states))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(feed)
            await run_nic(
                *(ring_in, egress, back, arbiter, keeper, card, Sealing(sas, real=False)),
                *(stage.clock, CardNews(card, stage.emitter()), stage.news()),
            )
        told.extend((news.outcome, news.sa) for news in arbiter_in.earlier_than(10**18))

    stage.run(scene)
    there, gone = Residency.RESIDENT, Residency.ABSENT
    assert seen == [
        (1500, there, gone),
        (3500, there, there),
        (6500, gone, there),
        (9500, gone, gone),
    ]
    assert told == [(Outcome.LOADED, A), (Outcome.LOADED, B), (Outcome.RESET, -1)]


@pytest.fixture
def card_profile() -> Any:
    """A card that loads in a microsecond."""
    from nicmodel.presets import PROFILES  # noqa: PLC0415 - used here alone
    from nicmodel.profile import customised  # noqa: PLC0415 - likewise

    return customised(
        PROFILES["82599"], slots_max=2, load_latency_ns=1000, load_timeout_ns=5000,
        loads_at_once=1, load_queue_max=1,
    )  # fmt: skip
