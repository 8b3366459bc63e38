"""Both halves of the metric rule together: one behaviour at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pytest

from nicmodel.residency import Residency
from saactors.errors import ParameterError
from saactors.model.packets import NO_SA, Route
from saactors.model.verdicts import Verdict
from saactors.placement.cost import CostModel
from saactors.placement.parameters import MetricParameters
from saactors.placement.policy_parameters import PolicyParameters
from saactors.placement.rule import NOTHING_DECIDED, Decisions
from saactors.placement.table import Rule, make_rule

BurstOf: TypeAlias = Callable[..., npt.NDArray[np.void]]
Answer: TypeAlias = Callable[[Rule, int, bool], None]

COST = CostModel(2000, 0, 400, 0, 8000)  # a load is worth 5 packets
SA_COUNT = 8
DECISION = ["sa", "victim", "metric", "lowest"]


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


def test_a_command_says_who_whom_why_and_at_which_packet(burst_of: BurstOf, answer: Answer) -> None:
    """SA 1 takes SA 0's slot as its 5th packet, in row 6, puts it 2 ahead of 3."""
    rule = rule_of()
    first = placed(rule, burst_of([0, 0, 0]))
    assert first.commands[DECISION].tolist() == [(0, NO_SA, 2.0, 0.0)]
    assert first.commands["row"].tolist() == [1]
    answer(rule, 0, True)
    second = placed(rule, burst_of([2, 1, 1, 1, 1, 2, 1, 1]))
    assert second.commands[DECISION].tolist() == [(1, 0, 5.0, 3.0)]
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


def test_a_victim_goes_to_software_from_the_next_packet_on(
    burst_of: BurstOf, answer: Answer
) -> None:
    """It is ABSENT for the arbiter at once, within the same burst."""
    rule = rule_of()
    placed(rule, burst_of([0, 0]))
    answer(rule, 0, True)
    packets = burst_of([0, 1, 1, 1, 1, 1, 0])
    assert placed(rule, packets).commands[DECISION].tolist() == [(1, 0, 5.0, 3.0)]
    assert packets["route"].tolist() == [Route.NIC] + [Route.SOFTWARE] * 6
    assert rule.arbiter.residency(0) == Residency.ABSENT


def test_a_failed_load_frees_its_slot_and_the_sa_may_ask_again(
    burst_of: BurstOf, answer: Answer
) -> None:
    """Traffic goes on in software meanwhile (law 5)."""
    rule = rule_of()
    placed(rule, burst_of([0, 0]))
    answer(rule, 0, False)
    assert rule.arbiter.residency(0) == Residency.ABSENT
    assert rule.arbiter.loads_outstanding == 0
    packets = burst_of([0])
    assert placed(rule, packets).commands[DECISION].tolist() == [(0, NO_SA, 3.0, 0.0)]
    assert packets["route"].tolist() == [Route.SOFTWARE]


def test_loads_wanted_while_the_loader_is_busy_are_counted(burst_of: BurstOf) -> None:
    """Once per packet that asks."""
    rule = rule_of(card_slots=4, loads_outstanding_max=1)
    decisions = placed(rule, burst_of([0, 0, 1, 1, 1]))
    assert (decisions.commands[DECISION].tolist(), decisions.refused) == ([(0, NO_SA, 2.0, 0.0)], 2)
    decisions = placed(rule, burst_of([1]))
    assert (decisions.commands[DECISION].tolist(), decisions.refused) == ([], 1)


def test_a_reset_card_starts_anew_but_loads_under_way_are_still_answered(
    burst_of: BurstOf,
    answer: Answer,
) -> None:
    """The card reports each load that a reset ended as LOST."""
    rule = rule_of(card_slots=2)
    placed(rule, burst_of([0, 0]))
    answer(rule, 0, True)
    placed(rule, burst_of([1, 1]))
    rule.arbiter.reset()
    assert rule.arbiter.residents().tolist() == []
    assert rule.arbiter.loads_outstanding == 1
    answer(rule, 1, False)
    assert rule.arbiter.loads_outstanding == 0
    decisions = placed(rule, burst_of([0, 1]))
    assert decisions.commands[DECISION].tolist() == [(0, NO_SA, 3.0, 0.0), (1, NO_SA, 3.0, 0.0)]


def test_a_review_takes_the_best_first_and_ties_by_index(burst_of: BurstOf) -> None:
    """With two slots free of five that could earn one."""
    rule = rule_of(card_slots=2, decide="periodic")
    assert placed(rule, burst_of([4] * 3 + [2] * 5 + [5] * 4 + [3] * 4 + [0] * 9)).refused == 0
    rule.keeper.tick()
    decisions = rule.arbiter.review(*rule.keeper.candidates(), rule.keeper.ticks, 0)
    assert decisions.commands[DECISION].tolist() == [(0, NO_SA, 9.0, 0.0), (2, NO_SA, 5.0, 0.0)]
    assert decisions.commands["row"].tolist() == [-1, -1]


def test_a_running_rule_follows_other_parameters(burst_of: BurstOf, answer: Answer) -> None:
    """A lower threshold lets in at once an SA that the old one kept out; residents stay."""
    rule = rule_of(threshold=10)
    assert placed(rule, burst_of([0] * 5)) is NOTHING_DECIDED
    rule.follow({"threshold": 6, "decay": "factor:1", "bonus": 0})
    assert isinstance(rule.parameters, MetricParameters)
    assert rule.parameters.threshold == 6
    assert placed(rule, burst_of([0])).commands[DECISION].tolist() == [(0, NO_SA, 6.0, 0.0)]
    answer(rule, 0, True)
    rule.follow({"threshold": 1, "decay": "factor:0.5", "bonus": 0})
    assert rule.arbiter.residents().tolist() == [0]
    rule.keeper.tick()
    assert placed(rule, burst_of([1] * 4)).commands[DECISION].tolist() == [(1, 0, 4.0, 3.0)]


def test_residents_keep_their_order_under_another_decay(burst_of: BurstOf, answer: Answer) -> None:
    """At tick 10 their metrics are 5 and 3; then the lower one earns 3 more."""
    rule = rule_of(card_slots=2, decay="factor:0.5", threshold=1)
    for _ in range(10):
        rule.keeper.tick()
    for command in placed(rule, burst_of([0] * 5 + [1] * 3)).commands:
        answer(rule, int(command["sa"]), True)
    rule.follow({"decay": "factor:1", "threshold": 1, "bonus": 0})
    placed(rule, burst_of([1] * 3))
    assert rule.arbiter.lowest() == (0, 5.0)


def test_what_passed_before_a_change_decays_by_the_old_parameters(
    burst_of: BurstOf, answer: Answer
) -> None:
    """The arbiter hears of two ticks only with the change that abolishes decay."""
    rule = rule_of(decay="factor:0.5")
    answer(rule, int(placed(rule, burst_of([0] * 8)).commands["sa"][0]), True)
    rule.keeper.tick()
    rule.keeper.tick()
    rule.follow({"decay": "factor:1"})
    assert rule.arbiter.lowest() == (0, 2.0)
    assert rule.keeper.metrics()[0] == 2.0


def test_parameters_that_cannot_be_followed_change_nothing(burst_of: BurstOf) -> None:
    """Neither half takes over what the other refuses."""
    rule = rule_of()
    with pytest.raises(ParameterError):
        rule.follow({"threshold": -1})
    with pytest.raises(ParameterError, match="found 'PolicyParameters'"):
        rule.arbiter.follow(PolicyParameters(), 0)
    assert placed(rule, burst_of([0, 0])).commands[DECISION].tolist() == [(0, NO_SA, 2.0, 0.0)]


def test_the_tables_grow_with_the_sas(burst_of: BurstOf, answer: Answer) -> None:
    """Those on the card stay there."""
    rule = rule_of()
    placed(rule, burst_of([7, 7]))
    answer(rule, 7, True)
    rule.keeper.receive(1000)
    rule.arbiter.receive(1000)
    rule.arbiter.receive(3)
    packets = burst_of([7, 999])
    placed(rule, packets)
    assert packets["route"].tolist() == [Route.NIC, Route.SOFTWARE]
    assert rule.arbiter.residency(999) == Residency.ABSENT
