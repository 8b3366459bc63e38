"""Any rule, steered at random: nothing on the card that was not commanded, no wish forgotten."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from nicmodel.residency import Residency
from saactors.model.packets import NO_SA, PACKET, Route
from saactors.model.verdicts import Verdict
from saactors.placement.cost import CostModel
from saactors.placement.plan import plan_rule
from saactors.placement.rule import Decide
from saactors.placement.sharing import Where
from saactors.placement.steered import SteeredArbiter
from saactors.placement.steered_keeper import SteeredKeeper
from saactors.placement.table import RULES

COST = CostModel(2000, 0, 400, 0, 3200)
SA_COUNT = 9
SLOTS_MAX = 5
FEW_RULES = ("metric", "never", "first-come", "lru", "s3-fifo", "arc", "adaptive", "ovs")
ALL_RULES = tuple(name for name, entry in RULES.items() if not entry.clairvoyant)


class Steering(RuleBasedStateMachine):
    """Drives both halves as the actors do, beside a card that holds what it has been told."""

    names = FEW_RULES

    @initialize(
        data=st.data(),
        slots=st.sampled_from([3, 2, 1, 4, 5, 0]),
        loads_max=st.integers(1, 3),
        spare=st.booleans(),
    )
    def begin(self, data: st.DataObject, slots: int, loads_max: int, spare: bool) -> None:
        """A card, and a rule for it."""
        plan = plan_rule(data.draw(st.sampled_from(self.names)), {}, COST)
        self.keeper = SteeredKeeper(plan)
        self.arbiter = SteeredArbiter(plan, slots, loads_max)
        self.slots, self.loads_max = slots, loads_max
        self.overfull = 0  # beyond its slots, since the card was made smaller with loads under way
        self.loading: list[int] = []
        self.residents: set[int] = set()
        self.pins = dict.fromkeys(range(SA_COUNT), "auto")
        self.now_ns = 0
        for half in (self.keeper, self.arbiter):
            half.receive(SA_COUNT - 2 * spare)
        self.count = SA_COUNT - 2 * spare

    @rule(
        sas=st.lists(st.integers(-1, SA_COUNT - 1), min_size=1, max_size=30), dropped=st.booleans()
    )
    def burst(self, sas: list[int], dropped: bool) -> None:
        """Packets; each goes where its SA is when the burst comes."""
        for half in (self.keeper, self.arbiter):
            half.receive(SA_COUNT)
        packets = np.zeros(len(sas), PACKET)
        packets["sa"], packets["length_bytes"] = sas, 1000
        if dropped:
            packets["verdict"][0] = Verdict.REPLAYED
        self.now_ns += 1_000_000
        self.keeper.observe(packets)
        there = set(self.arbiter.residents().tolist())
        assert there <= self.residents
        decisions = self.arbiter.decide(packets, self.keeper.ticks, self.now_ns)
        assert packets["sa"].tolist() == sas
        left = {int(command["victim"]): int(command["row"]) for command in decisions.commands}
        for row, sa in enumerate(sas):
            if dropped and row == 0:
                assert packets["route"][row] == Route.DROP
            elif sa == NO_SA:
                assert packets["route"][row] == Route.BYPASS
            else:
                on_card = sa in there and row <= left.get(sa, row)
                assert packets["route"][row] == (Route.NIC if on_card else Route.SOFTWARE)
        self.obey(decisions.commands)
        self.poll()

    @rule(hot=st.integers(0, SA_COUNT - 1), answers=st.integers(0, 3))
    def fill(self, hot: int, answers: int) -> None:
        """Much traffic, with one SA hotter than the others; some of its loads are answered."""
        for _ in range(3):
            self.burst([*range(SA_COUNT), *[hot] * 12], dropped=False)
            for _ in range(min(answers, len(self.loading))):
                self.answer(0, loaded=True, polled=False)

    @rule()
    def tick(self) -> None:
        """A period passes, with a review where the rule has one."""
        self.keeper.tick()
        self.now_ns += 100_000_000
        if self.arbiter.parameters.decide is Decide.PERIODIC:
            candidates = self.keeper.candidates()
            self.obey(self.arbiter.review(*candidates, self.keeper.ticks, self.now_ns).commands)
        self.poll()

    @precondition(lambda self: self.loading)
    @rule(which=st.integers(0, 9), loaded=st.booleans() | st.just(True), polled=st.booleans())
    def answer(self, which: int, loaded: bool, polled: bool) -> None:
        """The card has done a load, or not; more may be heard before the arbiter is polled."""
        sa = self.loading.pop(which % len(self.loading))
        if loaded:
            self.residents.add(sa)
            self.keeper.cached(sa)
            self.arbiter.loaded(sa, self.keeper.ticks)
        else:
            self.arbiter.failed(sa, self.keeper.ticks)
        if polled:
            self.poll()

    @rule(sa=st.integers(0, SA_COUNT - 3), where=st.sampled_from(list(Where)))
    def pin(self, sa: int, where: Where) -> None:
        """Somebody wants an SA there."""
        pinned = sum(each == "nic" for each in self.pins.values())
        if where == "nic" and self.pins[sa] != "nic" and pinned >= self.slots:
            return
        if sa in self.residents and self.arbiter.residency(sa) == Residency.ABSENT:
            self.poll()  # the wish comes too late: its eviction is decided and not yet polled
        self.arbiter.pin(sa, where, self.keeper.ticks, self.now_ns)
        self.pins[sa] = where
        self.poll()

    @rule(slots=st.integers(0, SLOTS_MAX))
    def resize(self, slots: int) -> None:
        """The card has more slots, or fewer."""
        if slots < sum(where == "nic" for where in self.pins.values()):
            return
        self.slots, self.overfull = slots, len(self.loading) + len(self.residents)
        self.arbiter.resize(slots, self.keeper.ticks, self.now_ns)
        self.poll()

    @rule(sa=st.integers(0, SA_COUNT - 3))
    def delete(self, sa: int) -> None:
        """An SA is deleted and its index used again at once."""
        if sa in self.loading:
            return
        self.arbiter.forget(sa)
        self.keeper.forget(sa)
        self.pins[sa] = "auto"
        self.poll()
        assert self.arbiter.residency(sa) == Residency.ABSENT

    @rule(data=st.data())
    def exchange(self, data: st.DataObject) -> None:
        """Another rule takes over."""
        name = data.draw(st.sampled_from(self.names))
        plan = plan_rule(name, {}, COST)
        before = set(self.arbiter.residents().tolist())
        self.keeper.go_on_by(plan)
        self.arbiter.go_on_by(plan, self.keeper.ticks, self.now_ns)
        self.poll()
        assert self.arbiter.rule_name == name
        if name != "never" and "nic" not in self.pins.values():
            assert self.residents == before, "who is there stays"

    @rule()
    def reset(self) -> None:
        """The card forgets its residents."""
        self.residents.clear()
        self.arbiter.reset()
        self.poll()

    def obey(self, commands: np.ndarray[Any, Any]) -> None:
        """Do as the card does; and notice what it could not do."""
        for command in commands:
            sa, victim = int(command["sa"]), int(command["victim"])
            assert sa not in self.residents, "a newcomer is ABSENT"
            assert sa not in self.loading, "each command is answered once"
            assert self.pins[sa] != "software", "never loaded"
            if victim != NO_SA:
                self.evict(victim)
            self.loading.append(sa)
            assert len(self.residents) + len(self.loading) <= max(self.slots, self.overfull)
            assert len(self.loading) <= self.loads_max

    def evict(self, sa: int) -> None:
        """An SA leaves the card."""
        assert sa in self.residents, "whoever is evicted is RESIDENT"
        assert self.pins[sa] != "nic", "never replaced"
        self.residents.remove(sa)

    def poll(self) -> None:
        """Tell the card what no burst has asked for."""
        for sa in self.arbiter.poll_evictions(self.keeper.ticks):
            self.evict(sa)
        self.obey(self.arbiter.poll_loads().commands)
        self.settled()

    def settled(self) -> None:
        """Card and arbiter are of one mind, and nobody is where he must not be."""
        self.overfull = min(self.overfull, len(self.residents) + len(self.loading))
        assert self.arbiter.residents().tolist() == sorted(self.residents)
        assert self.arbiter.loading().tolist() == sorted(self.loading)
        assert self.arbiter.resident_count == len(self.residents)
        assert self.arbiter.loads_outstanding == len(self.loading)
        assert len(self.residents) + len(self.loading) <= max(self.slots, self.overfull)
        assert not any(self.pins[sa] == "software" for sa in self.residents)

    @invariant()
    def is_small_enough(self) -> None:
        """The rule never works with more slots than there are."""
        if hasattr(self, "arbiter"):
            assert self.arbiter.inner.slots <= max(self.slots, self.overfull)

    def teardown(self) -> None:
        """In the end the card answers all, and whoever is pinned to it is there."""
        if not hasattr(self, "arbiter"):
            return
        for _ in range(12):
            while self.loading:
                self.answer(0, loaded=True, polled=True)
            self.tick()
        pinned = {sa for sa, where in self.pins.items() if where == "nic"}
        assert pinned <= self.residents


class SteeringAll(Steering):
    """The same with every rule of the table."""

    names = ALL_RULES


def _run(machine: type[Steering], examples: int, steps: int) -> None:
    unhurried = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=unhurried,
        ),
    )


def test_card_and_wishes_are_respected_under_any_steering() -> None:
    """Some rules of each kind, with bursts, answers, pins, deletions, exchanges and resets."""
    _run(Steering, 80, 30)


@pytest.mark.slow
def test_card_and_wishes_are_respected_by_every_rule() -> None:
    """The same for every rule of the table, for longer."""
    _run(SteeringAll, 1000, 50)
