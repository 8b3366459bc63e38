"""The rules that measure nothing: ``never`` and ``first-come``."""

from __future__ import annotations

from collections.abc import Callable
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

BurstOf: TypeAlias = Callable[..., npt.NDArray[np.void]]

COST = CostModel(2000, 0, 400, 0, 8000)
SA_COUNT = 8


def rule_of(name: str, card_slots: int = 2, loads_outstanding_max: int = 8) -> Rule:
    rule = make_rule(name, {}, card_slots, loads_outstanding_max, COST)
    rule.keeper.receive(SA_COUNT)
    rule.arbiter.receive(SA_COUNT)
    return rule


def placed(rule: Rule, packets: npt.NDArray[np.void]) -> Decisions:
    """Pass a burst through both halves."""
    rule.keeper.observe(packets)
    return rule.arbiter.decide(packets, rule.keeper.ticks, 0)


@pytest.mark.parametrize("name", ["never", "first-come"])
def test_nothing_is_measured(burst_of: BurstOf, name: str) -> None:
    """Packets, loads and time leave every metric at 0, and no review loads anything."""
    rule = rule_of(name)
    packets = burst_of([0, 1, 1])
    placed(rule, packets)
    rule.keeper.cached(1)
    rule.keeper.tick()
    assert rule.keeper.ticks == 1
    assert packets["metric"].tolist() == [0, 0, 0]
    assert rule.keeper.metrics().tolist() == [0] * SA_COUNT
    candidates = rule.keeper.candidates()
    assert [len(column) for column in candidates] == [0, 0]
    assert rule.arbiter.review(*candidates, rule.keeper.ticks, 0) is NOTHING_DECIDED
    assert rule.arbiter.lowest() is None


@pytest.mark.parametrize("name", ["never", "first-come"])
def test_packets_that_need_no_crypto_are_bypassed_or_dropped(burst_of: BurstOf, name: str) -> None:
    """Without an SA: BYPASS. With a verdict against it: DROP. An SA's: software, as yet."""
    packets = burst_of([-1, 0, -1, 0])
    packets["verdict"][[1, 2]] = Verdict.NO_POLICY
    placed(rule_of(name), packets)
    assert packets["route"].tolist() == [Route.BYPASS, Route.DROP, Route.DROP, Route.SOFTWARE]


@pytest.mark.parametrize("name", ["never", "first-come"])
def test_a_rule_without_parameters_takes_none(name: str) -> None:
    """Neither when it is made nor when it runs; without any, there is nothing to follow."""
    rule = rule_of(name)
    assert rule.analysis is None
    assert rule.parameters.period_ns is None
    assert rule.parameters.decide == Decide.ARRIVAL
    rule.follow({"threshold": None})
    with pytest.raises(ParameterError, match="threshold: found 3, expected nothing"):
        rule.follow({"threshold": 3})
    with pytest.raises(ParameterError, match="found 'MetricParameters'"):
        rule.keeper.follow(MetricParameters())
    with pytest.raises(ParameterError, match="found 'MetricParameters'"):
        rule.arbiter.follow(MetricParameters(), 0)


def test_never_does_all_crypto_in_software(burst_of: BurstOf) -> None:
    """However hot an SA is and however empty the card."""
    rule = rule_of("never")
    packets = burst_of([3] * 500)
    assert placed(rule, packets) is NOTHING_DECIDED
    assert set(packets["route"].tolist()) == {Route.SOFTWARE}
    rule.arbiter.reset()
    assert rule.arbiter.residency(3) == Residency.ABSENT
    assert rule.arbiter.residents().tolist() == []
    assert rule.arbiter.loads_outstanding == 0


def test_never_is_never_answered() -> None:
    """It asks for no load, so an answer to one is a broken invariant."""
    arbiter = rule_of("never").arbiter
    with pytest.raises(AssertionError, match="loaded SA 3"):
        arbiter.loaded(3, 0)
    with pytest.raises(AssertionError, match="failed to load SA 3"):
        arbiter.failed(3, 0)


def test_first_come_installs_each_sa_with_its_first_packet(burst_of: BurstOf) -> None:
    """In order, into free slots, until the card is full; then each SA is turned away once."""
    rule = rule_of("first-come")
    decisions = placed(rule, burst_of([5, 5, 2, 7, 7, 1]))
    assert decisions.commands["sa"].tolist() == [5, 2]
    assert decisions.commands["victim"].tolist() == [NO_SA, NO_SA]
    assert decisions.commands["row"].tolist() == [0, 2]
    assert decisions.commands["lowest"].tolist() == [0, 0]
    assert (decisions.refused, decisions.card_full) == (0, 2)
    assert placed(rule, burst_of([7, 1])) is NOTHING_DECIDED


def test_first_come_moves_nobody(burst_of: BurstOf) -> None:
    """Who came too late stays in software, whatever it carries."""
    rule = rule_of("first-come", card_slots=1)
    placed(rule, burst_of([0]))
    rule.arbiter.loaded(0, 0)
    packets = burst_of([1] * 99 + [0])
    placed(rule, packets)
    assert packets["route"].tolist() == [Route.SOFTWARE] * 99 + [Route.NIC]
    assert rule.arbiter.residents().tolist() == [0]


def test_first_come_waits_for_room_in_the_loader(burst_of: BurstOf) -> None:
    """A busy loader is no full card: the SA asks again with its next packet."""
    rule = rule_of("first-come", loads_outstanding_max=1)
    decisions = placed(rule, burst_of([0, 1, 1]))
    assert decisions.commands["sa"].tolist() == [0]
    assert (decisions.refused, decisions.card_full) == (2, 0)
    rule.arbiter.loaded(0, 0)
    assert placed(rule, burst_of([1])).commands["sa"].tolist() == [1]


def test_first_come_does_not_retry_a_failed_install(burst_of: BurstOf) -> None:
    """The SA is turned away for good, and its slot goes to the next that comes."""
    rule = rule_of("first-come", card_slots=1)
    placed(rule, burst_of([0]))
    rule.arbiter.failed(0, 0)
    assert rule.arbiter.residency(0) == Residency.ABSENT
    assert placed(rule, burst_of([0, 3])).commands["sa"].tolist() == [3]


def test_first_come_installs_again_after_a_reset_what_the_card_had_held(
    burst_of: BurstOf,
) -> None:
    """Those that had been turned away stay turned away (ixgbe_ipsec_restore)."""
    rule = rule_of("first-come", card_slots=1)
    placed(rule, burst_of([0, 1]))
    rule.arbiter.loaded(0, 0)
    rule.arbiter.reset()
    assert rule.arbiter.residents().tolist() == []
    assert placed(rule, burst_of([1, 0])).commands["sa"].tolist() == [0]


def test_first_come_is_answered_only_what_it_asked(burst_of: BurstOf) -> None:
    """An answer without a question is a broken invariant."""
    rule = rule_of("first-come")
    placed(rule, burst_of([0]))
    with pytest.raises(AssertionError):
        rule.arbiter.loaded(1, 0)


@settings(deadline=None)  # the first example may compile
@given(
    card_slots=st.integers(0, 4),
    loads_outstanding_max=st.integers(1, 3),
    bursts=st.lists(
        st.tuples(
            st.lists(st.integers(0, SA_COUNT - 1), max_size=10), st.lists(st.booleans(), max_size=4)
        ),
        max_size=8,
    ),
)
def test_first_come_keeps_within_slots_and_loader(
    burst_of: BurstOf,
    card_slots: int,
    loads_outstanding_max: int,
    bursts: list[tuple[list[int], list[bool]]],
) -> None:
    """Whatever is answered, and each SA is turned away at most once (law 4)."""
    rule = rule_of("first-come", card_slots, loads_outstanding_max)
    turned_away = 0
    loading: list[int] = []
    rule.arbiter.receive(SA_COUNT - 1)  # SAs that are known already change nothing
    for sas, answers in bursts:
        packets = burst_of(sas)
        residents = rule.arbiter.residents().tolist()
        decisions = placed(rule, packets)
        on_card = [Route.NIC if sa in residents else Route.SOFTWARE for sa in sas]
        assert packets["route"].tolist() == on_card
        turned_away += decisions.card_full
        loading += decisions.commands["sa"].tolist()
        assert rule.arbiter.loads_outstanding == len(loading) <= loads_outstanding_max
        assert len(rule.arbiter.residents()) + len(loading) <= card_slots
        for loaded in answers[: len(loading)]:
            answer = rule.arbiter.loaded if loaded else rule.arbiter.failed
            answer(loading.pop(0), 0)
    assert turned_away <= SA_COUNT
