"""What every rule can do besides deciding: forget, evict, adopt, work with fewer slots."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pytest

from nicmodel.residency import Residency
from saactors.model.packets import Route
from saactors.placement.change import change_of
from saactors.placement.cost import CostModel
from saactors.placement.metric_arbiter import MetricArbiter
from saactors.placement.plan import plan_rule
from saactors.placement.policies.shadow_layout import LISTED, MEMBERS
from saactors.placement.rule import SteerableArbiter
from saactors.placement.seats import FREE_GHOSTS
from saactors.placement.steered import SteeredArbiter
from saactors.placement.steered_keeper import SteeredKeeper

BurstOf: TypeAlias = Callable[..., npt.NDArray[np.void]]

COST = CostModel(2000, 0, 400, 0, 8000)
USUAL = ["metric", "first-come", "lru", "lfu"]  # of each kind of arbiter, and with a heap


def arbiter_of(name: str, slots: int = 3, loads_max: int = 3) -> SteerableArbiter:
    arbiter = plan_rule(name, {}, COST).arbiter(slots, loads_max)
    arbiter.receive(8)
    return arbiter


def adopt(arbiter: SteerableArbiter, *sas: int) -> None:
    for sa in sas:
        arbiter.adopt(sa, float(sa), 0, 0, loading=False)


@pytest.mark.parametrize("name", USUAL)
def test_adopted_residents_use_the_card(burst_of: BurstOf, name: str) -> None:
    """An adopted SA is RESIDENT, and one adopted while loading is once that is answered."""
    arbiter = arbiter_of(name)
    adopt(arbiter, 4)
    arbiter.adopt(5, 1.0, 0, 0, loading=True)
    assert (arbiter.residents().tolist(), arbiter.loading().tolist()) == ([4], [5])
    assert (arbiter.resident_count, arbiter.loads_outstanding) == (1, 1)
    arbiter.loaded(5, 0)
    packets = burst_of([4, 5, 6])
    arbiter.decide(packets, 0, 0)
    assert packets["route"].tolist() == [Route.NIC, Route.NIC, Route.SOFTWARE]


@pytest.mark.parametrize("name", USUAL)
def test_the_forgotten_leave_a_free_slot(name: str) -> None:
    """Forgetting or evicting any of three residents leaves a slot in which another has room."""
    for going in (1, 2, 3):
        for act in ("forget", "evict"):
            arbiter = arbiter_of(name)
            adopt(arbiter, 1, 2, 3)
            getattr(arbiter, act)(going)
            assert arbiter.residency(going) == Residency.ABSENT
            adopt(arbiter, 7)
            assert arbiter.residents().tolist() == sorted({1, 2, 3, 7} - {going})


@pytest.mark.parametrize("name", [*USUAL, "never"])
def test_fewer_slots_are_never_exceeded(burst_of: BurstOf, name: str) -> None:
    """A rule limited to one slot and one load uses no more, and all again when it may."""
    arbiter = arbiter_of(name)
    arbiter.limit(1, 1)
    packets = burst_of([*range(8)] * 2)
    packets["metric"] = 100
    commands = arbiter.decide(packets, 0, 0).commands
    assert len(commands) == min(1, arbiter.slots)
    for sa in commands["sa"].tolist():
        arbiter.loaded(sa, 0)
    assert len(arbiter.decide(packets, 0, 0).commands) <= 1
    if arbiter.slots:
        arbiter.limit(3, 3)
        assert arbiter.slots == 3


@pytest.mark.parametrize("name", ["metric", "first-come", "lru"])
def test_an_sa_on_its_way_cannot_be_forgotten(name: str) -> None:
    """Its load has to be answered first."""
    arbiter = arbiter_of(name)
    arbiter.adopt(5, 1.0, 0, 0, loading=True)
    with pytest.raises(AssertionError, match="SA 5 is still being loaded"):
        arbiter.forget(5)


def test_whoever_was_turned_away_is_offered_anew_under_another_name(burst_of: BurstOf) -> None:
    """First come: the card was full for an SA; its index's next owner finds it free again."""
    arbiter = arbiter_of("first-come", slots=1)
    adopt(arbiter, 1)
    assert arbiter.decide(burst_of([2]), 0, 0).card_full == 1
    arbiter.forget(1)
    assert len(arbiter.decide(burst_of([2]), 0, 0).commands) == 0
    arbiter.forget(2)
    assert arbiter.decide(burst_of([2]), 0, 0).commands["sa"].tolist() == [2]


@pytest.mark.parametrize("name", ["s3-fifo", "arc"])
def test_a_ghost_does_not_outlive_its_sa(burst_of: BurstOf, name: str) -> None:
    """Once forgotten, an SA that was remembered after it had been replaced has no ghost."""
    arbiter = arbiter_of(name)
    adopt(arbiter, 1, 2, 3)
    arbiter.decide(burst_of([2, 2, 3, 3]), 0, 0)
    arbiter.decide(burst_of([4]), 0, 0)
    ghosts = [sa for sa in (1, 2, 3) if arbiter.residency(sa) == Residency.ABSENT]
    free = arbiter.state.lists["length"][FREE_GHOSTS]
    assert free == 2, "one is remembered"
    arbiter.forget(ghosts[0])
    assert arbiter.state.lists["length"][FREE_GHOSTS] == 3
    assert arbiter.state.standings["place"][ghosts[0]] == -1


def test_a_deleted_sa_is_in_no_shadow(burst_of: BurstOf) -> None:
    """Adaptive: its memberships are taken back, and its next owner is listed once."""
    arbiter = arbiter_of("adaptive")
    for instant_ns in range(3):
        arbiter.decide(burst_of([1] * 200, 1000), 0, instant_ns)
    members = arbiter.state.memory[MEMBERS].sum()
    assert members > 0
    listed = arbiter.state.own[LISTED]
    for sa in arbiter.loading().tolist():
        arbiter.failed(sa, 0)
    arbiter.forget(1)
    assert arbiter.state.memory[MEMBERS].sum() == 0
    assert not arbiter.state.standings["traits"][1][:4].any()
    arbiter.decide(burst_of([1] * 20, 1000), 0, 4)
    assert arbiter.state.own[LISTED] == listed
    assert arbiter.state.memory[MEMBERS].sum() > 0


def test_a_keeper_forgets_what_was_earned(burst_of: BurstOf) -> None:
    """The metric of an index whose SA was deleted is the initial one, as of now."""
    keeper = plan_rule("metric", {"initial": 7.0}, COST).keeper(4)
    keeper.observe(burst_of([2] * 9))
    keeper.tick()
    keeper.forget(2)
    assert keeper.metrics_of(np.array([2])).tolist() == [7.0]


def test_the_order_of_the_lowest_survives_evictions() -> None:
    """The metric rule's lowest is the lowest of whoever is left, whichever goes."""
    generator = np.random.default_rng(5)
    arbiter = arbiter_of("metric", slots=12)
    assert isinstance(arbiter, MetricArbiter)
    arbiter.receive(12)
    metrics = generator.permutation(12).astype(float)
    for sa in range(12):
        arbiter.adopt(sa, metrics[sa], 0, 0, loading=False)
    left = set(range(12))
    for going in generator.permutation(12)[:11].tolist():
        arbiter.evict(going)
        left.remove(going)
        assert arbiter.coldest() == min(left, key=lambda sa: metrics[sa])


def test_halves_change_the_rule_together(burst_of: BurstOf) -> None:
    """A change to another rule gives both halves new ones, and keeps who is on the card."""
    plan = plan_rule("lru", {}, COST)
    keeper, arbiter = SteeredKeeper(plan), SteeredArbiter(plan, 2, 2)
    keeper.receive(4)
    arbiter.receive(4)
    arbiter.decide(burst_of([3, 1]), 0, 0)
    arbiter.loaded(3, 0)
    change = change_of("metric", {"initial": 2.0}, COST)
    assert change.plan is not None
    keeper.go_on_by(change.plan)
    arbiter.go_on_by(change.plan, keeper.ticks, 0)
    assert keeper.metrics().tolist() == [2.0] * 4
    assert (arbiter.residents().tolist(), arbiter.loading().tolist()) == ([3], [1])
    assert arbiter.lowest() == (3, 2.0)
    again = change_of("metric", {"threshold": 3.0}, COST)
    assert again.plan is not None
    keeper.go_on_by(again.plan)
    arbiter.go_on_by(again.plan, keeper.ticks, 0)
    assert arbiter.lowest() == (3, 2.0), "the same rule goes on with what it knows"


def test_a_pinned_load_that_fails_is_tried_again(burst_of: BurstOf) -> None:
    """With the SA's next packet, or the next tick, and not before."""
    arbiter = SteeredArbiter(plan_rule("never", {}, COST), 1, 1)
    arbiter.receive(2)
    arbiter.pin(0, "nic", 0, 0)
    assert arbiter.poll_loads().commands["sa"].tolist() == [0]
    for retry in ("packet", "tick"):
        arbiter.failed(0, 0)
        arbiter.decide(burst_of([1]), 0, 0)
        assert (list(arbiter.poll_evictions(0)), len(arbiter.poll_loads().commands)) == ([], 0)
        if retry == "packet":
            arbiter.decide(burst_of([0]), 0, 0)
        arbiter.poll_evictions(int(retry == "tick"))
        assert arbiter.poll_loads().commands["sa"].tolist() == [0]


def test_whoever_has_to_go_is_not_loaded_again_before_the_card_knows(burst_of: BurstOf) -> None:
    """A resident pinned to software and unpinned: loaded again, but only behind its eviction."""
    arbiter = SteeredArbiter(plan_rule("lru", {}, COST), 1, 1)
    arbiter.receive(2)
    arbiter.decide(burst_of([0]), 0, 0)
    arbiter.loaded(0, 0)
    arbiter.pin(0, "software", 0, 0)
    arbiter.pin(0, "auto", 0, 0)
    packets = burst_of([0, 0])
    assert len(arbiter.decide(packets, 0, 0).commands) == 0
    assert packets["route"].tolist() == [Route.SOFTWARE] * 2
    assert list(arbiter.poll_evictions(0)) == [0]
    assert arbiter.decide(packets, 0, 0).commands["sa"].tolist() == [0]


def test_a_plan_compiles_all_that_a_rule_needs() -> None:
    """Trying everything on a copy leaves the plan as it was."""
    for name in ("metric", "never", "first-come", "lru"):
        plan = plan_rule(name, {}, COST)
        plan.compile()
        assert plan.arbiter(3, 1).resident_count == 0
