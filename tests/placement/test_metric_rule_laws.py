"""The metric rule's laws: it decides as the claims written out in plain Python, burst by burst."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nicmodel.residency import Residency
from saactors.model.packets import NO_SA, Route
from saactors.placement.cost import CostModel
from saactors.placement.parameters import MetricParameters
from saactors.placement.rule import Decide, Decisions
from saactors.placement.table import Rule, make_rule

BurstOf: TypeAlias = Callable[..., npt.NDArray[np.void]]
Answer: TypeAlias = Callable[[Rule, int, bool], None]
Command: TypeAlias = tuple[int, int, float, float]  # SA, victim, metric, lowest metric

COST = CostModel(2000, 0, 400, 0, 8000)  # a load is worth 5 packets
SA_COUNT = 8


@dataclass
class NaiveRule:
    """Claims 1 to 10 and 41 to 44 by the letter: no heap, no lazy decay, no arrays.

    ``depth`` is a metric that decay by amount may take below 0; the metric itself is its part
    above 0, and of two metrics at 0 the deeper is the lower.
    """

    parameters: MetricParameters  # with threshold and bonus in figures
    card_slots: int
    loads_outstanding_max: int
    depth: list[float] = field(default_factory=list)
    residency: list[Residency] = field(default_factory=list)

    def metric(self, sa: int) -> float:
        """What an SA has earned lately."""
        return max(0.0, self.depth[sa])

    def standing(self, residency: Residency) -> list[int]:
        """The SAs that stand so with the card, ascending."""
        return [sa for sa, stands in enumerate(self.residency) if stands == residency]

    def receive(self, sa_count: int) -> None:
        """Claim 7: an SA starts with a predetermined metric."""
        new = sa_count - len(self.depth)
        self.depth += [self.parameters.initial] * new
        self.residency += [Residency.ABSENT] * new

    def tick(self) -> None:
        """Claims 10 and 44: every metric goes down, whatever the traffic does."""
        decay = self.parameters.decay
        self.depth = [depth * decay.factor - decay.amount for depth in self.depth]

    def add(self, sa: int, amount: float) -> None:
        """Raise a metric."""
        self.depth[sa] = self.metric(sa) + amount

    def consider(self, sa: int) -> Command | str:
        """Load an ABSENT SA into a free slot or the lowest resident's, if it has earned it."""
        residents = self.standing(Residency.RESIDENT)
        loading = self.standing(Residency.LOADING)
        victim, lowest = NO_SA, 0.0
        if len(residents) + len(loading) == self.card_slots:
            if not residents:
                return "declined"
            victim = min(residents, key=lambda resident: (self.depth[resident], resident))
            lowest = self.metric(victim)
        metric = self.metric(sa)
        assert self.parameters.threshold is not None
        if not (metric >= lowest + self.parameters.threshold and metric > lowest):
            return "declined"
        if len(loading) == self.loads_outstanding_max:
            return "refused"
        if victim != NO_SA:
            self.residency[victim] = Residency.ABSENT
        self.residency[sa] = Residency.LOADING
        return sa, victim, metric, lowest

    def burst(self, sas: Sequence[int]) -> tuple[list[int], list[Command], int]:
        """Routes, commands and refusals of a burst."""
        routes: list[int] = []
        outcomes = []
        for sa in sas:
            self.add(sa, self.parameters.increment)
            on_card = self.residency[sa] == Residency.RESIDENT
            routes.append(Route.NIC if on_card else Route.SOFTWARE)
            if self.residency[sa] == Residency.ABSENT and self.parameters.decide == Decide.ARRIVAL:
                outcomes.append(self.consider(sa))
        commands = [outcome for outcome in outcomes if isinstance(outcome, tuple)]
        return routes, commands, outcomes.count("refused")

    def review(self) -> tuple[list[Command], int]:
        """Commands and refusals of a periodic decision."""
        ranked = sorted(range(len(self.depth)), key=lambda sa: (-self.metric(sa), sa))
        outcomes = [self.consider(sa) for sa in ranked if self.residency[sa] == Residency.ABSENT]
        commands = [outcome for outcome in outcomes if isinstance(outcome, tuple)]
        return commands, outcomes.count("refused")

    def answer(self, sa: int, *, loaded: bool) -> None:
        """Claim 8: an SA that has entered the cache gets the bonus."""
        self.residency[sa] = Residency.RESIDENT if loaded else Residency.ABSENT
        if loaded:
            assert self.parameters.bonus is not None
            self.add(sa, self.parameters.bonus)

    def reset(self) -> None:
        """The card has forgotten its residents."""
        for sa in self.standing(Residency.RESIDENT):
            self.residency[sa] = Residency.ABSENT

    def follow(self, parameters: MetricParameters) -> None:
        """Metrics go on from where they are."""
        self.depth = [self.metric(sa) for sa in range(len(self.depth))]
        self.parameters = parameters


def commands_of(decisions: Decisions) -> list[Command]:
    """The commands as plain numbers."""
    commands: list[Command] = decisions.commands[["sa", "victim", "metric", "lowest"]].tolist()
    return commands


# Numbers whose sums, halves and quarters a double holds exactly: decisions must then agree exactly.
EXACT = {
    "initial": st.sampled_from([0.0, 1.0, 2.5]),
    "increment": st.sampled_from([1.0, 0.5, 4.0]),
    "bonus": st.sampled_from([0.0, 1.0, 6.0]),
    "threshold": st.sampled_from([0.0, 1.0, 2.0, 3.5]),
    "decay": st.sampled_from(["factor:0.5", "factor:0.25", "factor:1", "amount:1", "amount:0.25"]),
}
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("burst"), st.lists(st.integers(0, SA_COUNT - 1), max_size=12)),
        st.tuples(st.just("answer"), st.tuples(st.integers(0, 9), st.booleans())),
        st.tuples(st.just("tick"), st.integers(1, 3)),
        st.tuples(st.just("reset"), st.none()),
        st.tuples(st.just("follow"), st.fixed_dictionaries(EXACT)),
    ),
    max_size=30,
)


@pytest.mark.parametrize("decide", list(Decide))
@settings(deadline=None)  # the first example may compile
@given(
    parameters=st.fixed_dictionaries(EXACT),
    card_slots=st.integers(0, 4),
    loads_outstanding_max=st.integers(1, 3),
    events=EVENTS,
)
def test_decisions_are_those_of_the_claims_by_the_letter(
    burst_of: BurstOf,
    answer: Answer,
    decide: Decide,
    parameters: dict[str, object],
    card_slots: int,
    loads_outstanding_max: int,
    events: list[tuple[str, object]],
) -> None:
    """Same routes, same commands with the same metrics, same refusals, whatever happens."""
    asked = parameters | {"decide": decide}
    rule = make_rule("metric", asked, card_slots, loads_outstanding_max, COST)
    naive = NaiveRule(
        MetricParameters.from_mapping(asked).resolved(COST), card_slots, loads_outstanding_max
    )
    for half in (rule.keeper, rule.arbiter, naive):
        half.receive(SA_COUNT)
    for kind, what in events:
        match kind, what:
            case "burst", list(sas):
                packets = burst_of(sas)
                rule.keeper.observe(packets)
                decisions = rule.arbiter.decide(packets, rule.keeper.ticks, 0)
                routes, commands, refused = naive.burst(sas)
                assert packets["route"].tolist() == routes
                assert (commands_of(decisions), decisions.refused) == (commands, refused)
            case "answer", (int(number), bool(loaded)):
                loading = naive.standing(Residency.LOADING)
                if loading:
                    answer(rule, loading[number % len(loading)], loaded)
                    naive.answer(loading[number % len(loading)], loaded=loaded)
            case "tick", int(ticks):
                for _ in range(ticks):
                    rule.keeper.tick()
                    naive.tick()
                if decide == Decide.PERIODIC:
                    found = rule.keeper.candidates()
                    decisions = rule.arbiter.review(*found, rule.keeper.ticks, 0)
                    assert (commands_of(decisions), decisions.refused) == naive.review()
            case "reset", None:
                rule.arbiter.reset()
                naive.reset()
            case "follow", dict(changed):
                rule.follow(changed | {"decide": decide})
                naive.follow(MetricParameters.from_mapping(changed | {"decide": decide}))
        standing = [rule.arbiter.residency(sa) for sa in range(SA_COUNT)]
        assert standing == naive.residency
        assert rule.keeper.metrics().tolist() == [naive.metric(sa) for sa in range(SA_COUNT)]
        assert rule.arbiter.residents().tolist() == naive.standing(Residency.RESIDENT)
        loads_outstanding = rule.arbiter.loads_outstanding
        assert loads_outstanding == len(naive.standing(Residency.LOADING)) <= loads_outstanding_max
        assert len(rule.arbiter.residents()) + loads_outstanding <= card_slots


ROUNDS = st.lists(st.lists(st.integers(0, SA_COUNT - 1), max_size=30), max_size=12)


@settings(deadline=None)  # the first example may compile
@given(rounds=ROUNDS, decay=st.sampled_from(["factor:0.9", "factor:0.5", "amount:0.3"]))
def test_a_burst_decides_as_its_packets_one_by_one_would(
    burst_of: BurstOf, answer: Answer, rounds: list[list[int]], decay: str
) -> None:
    """Metrics, routes, commands and refusals are equal to the last bit."""
    given_ = {"decay": decay, "threshold": 2, "bonus": 1.7}
    bursts, singles = (make_rule("metric", given_, 3, 2, COST) for _ in range(2))
    for half in (bursts.keeper, bursts.arbiter, singles.keeper, singles.arbiter):
        half.receive(SA_COUNT)
    for sas in rounds:
        together, apart = burst_of(sas), burst_of(sas)
        bursts.keeper.observe(together)
        decisions = bursts.arbiter.decide(together, bursts.keeper.ticks, 0)
        one_by_one: list[Command] = []
        refused = 0
        for row in range(len(sas)):
            singles.keeper.observe(apart[row : row + 1])
            single = singles.arbiter.decide(apart[row : row + 1], singles.keeper.ticks, 0)
            one_by_one += commands_of(single)
            refused += single.refused
        assert together.tobytes() == apart.tobytes()
        assert (commands_of(decisions), decisions.refused) == (one_by_one, refused)
        for command in decisions.commands:
            for rule in (bursts, singles):
                answer(rule, int(command["sa"]), True)
        for rule in (bursts, singles):
            rule.keeper.tick()
    assert bursts.keeper.metrics().tolist() == singles.keeper.metrics().tolist()
    for rule in (bursts, singles):
        rule.arbiter.decide(burst_of([]), rule.keeper.ticks, 0)
    assert bursts.arbiter.lowest() == singles.arbiter.lowest()


@settings(deadline=None)  # the first example may compile
@given(rounds=ROUNDS, factor=st.floats(0.05, 1), ticks=st.integers(1, 60))
def test_the_arbiter_knows_what_its_residents_metrics_are_to_the_keeper(
    burst_of: BurstOf, answer: Answer, rounds: list[list[int]], factor: float, ticks: int
) -> None:
    """Having only seen packets, it works out the very number that the keeper does."""
    rule = make_rule("metric", {"decay": f"factor:{factor}", "threshold": 1}, 3, 2, COST)
    rule.keeper.receive(SA_COUNT)
    rule.arbiter.receive(SA_COUNT)
    for sas in rounds:
        packets = burst_of(sas)
        rule.keeper.observe(packets)
        for command in rule.arbiter.decide(packets, rule.keeper.ticks, 0).commands:
            answer(rule, int(command["sa"]), True)
        for _ in range(ticks):
            rule.keeper.tick()
        rule.arbiter.decide(burst_of([]), rule.keeper.ticks, 0)
        lowest = rule.arbiter.lowest()
        if lowest is not None:
            sa, metric = lowest
            assert metric == rule.keeper.metrics()[sa]
            assert metric == pytest.approx(rule.keeper.metrics()[rule.arbiter.residents()].min())
