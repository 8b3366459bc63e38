"""Both halves of the metric rule together, against the claims written out in plain Python."""

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
from saactors.errors import ParameterError
from saactors.model.packets import NO_SA, Route
from saactors.model.verdicts import Verdict
from saactors.placement.cost import CostModel
from saactors.placement.parameters import MetricParameters
from saactors.placement.rule import NOTHING_DECIDED, Decide, Decisions
from saactors.placement.table import Rule, make_rule
from saactors.placement.unmeasured import NoParameters

BurstOf: TypeAlias = Callable[..., npt.NDArray[np.void]]
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
        routes, outcomes = [], []
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
    """SA, victim and the two metrics of each command, as plain numbers."""
    return [
        (int(c["sa"]), int(c["victim"]), float(c["metric"]), float(c["lowest"]))
        for c in decisions.commands
    ]


def answer(rule: Rule, sa: int, *, loaded: bool) -> None:
    """Tell both halves what became of a load, as the card would."""
    if loaded:
        rule.keeper.cached(sa)
        rule.arbiter.loaded(sa, rule.keeper.ticks)
    else:
        rule.arbiter.failed(sa, rule.keeper.ticks)


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
                    answer(rule, loading[number % len(loading)], loaded=loaded)
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
    burst_of: BurstOf, rounds: list[list[int]], decay: str
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
                answer(rule, int(command["sa"]), loaded=True)
        for rule in (bursts, singles):
            rule.keeper.tick()
    assert bursts.keeper.metrics().tolist() == singles.keeper.metrics().tolist()
    for rule in (bursts, singles):
        rule.arbiter.decide(burst_of([]), rule.keeper.ticks, 0)
    assert bursts.arbiter.lowest() == singles.arbiter.lowest()


@settings(deadline=None)  # the first example may compile
@given(rounds=ROUNDS, factor=st.floats(0.05, 1), ticks=st.integers(1, 60))
def test_the_arbiter_knows_what_its_residents_metrics_are_to_the_keeper(
    burst_of: BurstOf, rounds: list[list[int]], factor: float, ticks: int
) -> None:
    """Having only seen packets, it works out the very number that the keeper does."""
    rule = make_rule("metric", {"decay": f"factor:{factor}", "threshold": 1}, 3, 2, COST)
    rule.keeper.receive(SA_COUNT)
    rule.arbiter.receive(SA_COUNT)
    for sas in rounds:
        packets = burst_of(sas)
        rule.keeper.observe(packets)
        for command in rule.arbiter.decide(packets, rule.keeper.ticks, 0).commands:
            answer(rule, int(command["sa"]), loaded=True)
        for _ in range(ticks):
            rule.keeper.tick()
        rule.arbiter.decide(burst_of([]), rule.keeper.ticks, 0)
        lowest = rule.arbiter.lowest()
        if lowest is not None:
            sa, metric = lowest
            assert metric == rule.keeper.metrics()[sa]
            assert metric == pytest.approx(rule.keeper.metrics()[rule.arbiter.residents()].min())


def rule_of(card_slots: int = 1, loads_outstanding_max: int = 8, **given_: object) -> Rule:
    """A metric rule with SAs to place and, unless told otherwise, no decay and no bonus."""
    plain: dict[str, object] = {"decay": "factor:1", "bonus": 0, "threshold": 2}
    rule = make_rule("metric", plain | given_, card_slots, loads_outstanding_max, COST)
    rule.keeper.receive(SA_COUNT)
    rule.arbiter.receive(SA_COUNT)
    return rule


def placed(rule: Rule, packets: npt.NDArray[np.void]) -> Decisions:
    """Pass a burst through both halves."""
    rule.keeper.observe(packets)
    return rule.arbiter.decide(packets, rule.keeper.ticks, 0)


def test_a_command_says_who_whom_why_and_at_which_packet(burst_of: BurstOf) -> None:
    """SA 1 takes SA 0's slot as its 5th packet, in row 6, puts it 2 ahead of 3."""
    rule = rule_of()
    first = placed(rule, burst_of([0, 0, 0]))
    assert commands_of(first) == [(0, NO_SA, 2.0, 0.0)]
    assert first.commands["row"].tolist() == [1]
    answer(rule, 0, loaded=True)
    second = placed(rule, burst_of([2, 1, 1, 1, 1, 2, 1, 1]))
    assert commands_of(second) == [(1, 0, 5.0, 3.0)]
    assert second.commands["row"].tolist() == [6]


def test_packets_that_need_no_crypto_are_bypassed_or_dropped(burst_of: BurstOf) -> None:
    """Without an SA: BYPASS. With a verdict against it: DROP. Neither earns anything."""
    packets = burst_of([-1, 0, -1, 0])
    packets["verdict"][[1, 2]] = Verdict.NO_POLICY
    assert placed(rule_of(threshold=1), packets).commands["row"].tolist() == [3]
    assert packets["route"].tolist() == [Route.BYPASS, Route.DROP, Route.DROP, Route.SOFTWARE]


def test_an_uneventful_burst_allocates_no_decisions(burst_of: BurstOf) -> None:
    """The common case returns the one empty answer."""
    assert placed(rule_of(), burst_of([0, 1, 2])) is NOTHING_DECIDED
    assert len(NOTHING_DECIDED.commands) == 0


def test_decisions_stay_what_they_were(burst_of: BurstOf) -> None:
    """A later burst does not write over the commands of an earlier one."""
    rule = rule_of(card_slots=2)
    first = placed(rule, burst_of([3, 3]))
    placed(rule, burst_of([4, 4]))
    assert first.commands["sa"].tolist() == [3]


def test_an_sa_that_is_loading_is_no_victim(burst_of: BurstOf) -> None:
    """With every slot still loading nobody can be replaced, however hot the newcomer."""
    rule = rule_of()
    placed(rule, burst_of([0, 0]))
    assert placed(rule, burst_of([1] * 50)) is NOTHING_DECIDED
    assert rule.arbiter.residency(0) == Residency.LOADING
    assert rule.arbiter.lowest() is None


def test_a_victim_goes_to_software_from_the_next_packet_on(burst_of: BurstOf) -> None:
    """It is ABSENT for the arbiter at once, within the same burst."""
    rule = rule_of()
    placed(rule, burst_of([0, 0]))
    answer(rule, 0, loaded=True)
    packets = burst_of([0, 1, 1, 1, 1, 1, 0])
    assert commands_of(placed(rule, packets)) == [(1, 0, 5.0, 3.0)]
    assert packets["route"].tolist() == [Route.NIC] + [Route.SOFTWARE] * 6
    assert rule.arbiter.residency(0) == Residency.ABSENT


def test_a_failed_load_frees_its_slot_and_the_sa_may_ask_again(burst_of: BurstOf) -> None:
    """Traffic goes on in software meanwhile (law 5)."""
    rule = rule_of()
    placed(rule, burst_of([0, 0]))
    answer(rule, 0, loaded=False)
    assert rule.arbiter.residency(0) == Residency.ABSENT
    assert rule.arbiter.loads_outstanding == 0
    packets = burst_of([0])
    assert commands_of(placed(rule, packets)) == [(0, NO_SA, 3.0, 0.0)]
    assert packets["route"].tolist() == [Route.SOFTWARE]


def test_loads_wanted_while_the_loader_is_busy_are_counted(burst_of: BurstOf) -> None:
    """Once per packet that asks."""
    rule = rule_of(card_slots=4, loads_outstanding_max=1)
    decisions = placed(rule, burst_of([0, 0, 1, 1, 1]))
    assert (commands_of(decisions), decisions.refused) == ([(0, NO_SA, 2.0, 0.0)], 2)
    decisions = placed(rule, burst_of([1]))
    assert (commands_of(decisions), decisions.refused) == ([], 1)


def test_a_reset_card_starts_anew_but_loads_under_way_are_still_answered(
    burst_of: BurstOf,
) -> None:
    """The card reports each load that a reset ended as LOST."""
    rule = rule_of(card_slots=2)
    placed(rule, burst_of([0, 0]))
    answer(rule, 0, loaded=True)
    placed(rule, burst_of([1, 1]))
    rule.arbiter.reset()
    assert rule.arbiter.residents().tolist() == []
    assert rule.arbiter.loads_outstanding == 1
    answer(rule, 1, loaded=False)
    assert rule.arbiter.loads_outstanding == 0
    decisions = placed(rule, burst_of([0, 1]))
    assert commands_of(decisions) == [(0, NO_SA, 3.0, 0.0), (1, NO_SA, 3.0, 0.0)]


def test_a_review_takes_the_best_first_and_ties_by_index(burst_of: BurstOf) -> None:
    """With two slots free of five that could earn one."""
    rule = rule_of(card_slots=2, decide="periodic")
    assert placed(rule, burst_of([4] * 3 + [2] * 5 + [5] * 4 + [3] * 4 + [0] * 9)).refused == 0
    rule.keeper.tick()
    decisions = rule.arbiter.review(*rule.keeper.candidates(), rule.keeper.ticks, 0)
    assert commands_of(decisions) == [(0, NO_SA, 9.0, 0.0), (2, NO_SA, 5.0, 0.0)]
    assert decisions.commands["row"].tolist() == [-1, -1]


def test_a_running_rule_follows_other_parameters(burst_of: BurstOf) -> None:
    """A lower threshold lets in at once an SA that the old one kept out; residents stay."""
    rule = rule_of(threshold=10)
    assert placed(rule, burst_of([0] * 5)) is NOTHING_DECIDED
    rule.follow({"threshold": 6, "decay": "factor:1", "bonus": 0})
    assert isinstance(rule.parameters, MetricParameters)
    assert rule.parameters.threshold == 6
    assert commands_of(placed(rule, burst_of([0]))) == [(0, NO_SA, 6.0, 0.0)]
    answer(rule, 0, loaded=True)
    rule.follow({"threshold": 1, "decay": "factor:0.5", "bonus": 0})
    assert rule.arbiter.residents().tolist() == [0]
    rule.keeper.tick()
    assert commands_of(placed(rule, burst_of([1] * 4))) == [(1, 0, 4.0, 3.0)]


def test_parameters_that_cannot_be_followed_change_nothing(burst_of: BurstOf) -> None:
    """Neither half takes over what the other refuses."""
    rule = rule_of()
    with pytest.raises(ParameterError):
        rule.follow({"threshold": -1})
    with pytest.raises(ParameterError, match="found 'NoParameters'"):
        rule.arbiter.follow(NoParameters(), 0)
    assert commands_of(placed(rule, burst_of([0, 0]))) == [(0, NO_SA, 2.0, 0.0)]


def test_the_tables_grow_with_the_sas(burst_of: BurstOf) -> None:
    """Those on the card stay there."""
    rule = rule_of()
    placed(rule, burst_of([7, 7]))
    answer(rule, 7, loaded=True)
    rule.keeper.receive(1000)
    rule.arbiter.receive(1000)
    rule.arbiter.receive(3)
    packets = burst_of([7, 999])
    placed(rule, packets)
    assert packets["route"].tolist() == [Route.NIC, Route.SOFTWARE]
    assert rule.arbiter.residency(999) == Residency.ABSENT
