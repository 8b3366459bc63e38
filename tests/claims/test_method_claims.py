"""The method claims, 1 to 10 and 41 to 44, on the metric rule through its public API.

Each test's docstring says what the claim asks. The parameters are small, round numbers, and the
same two streams run through most tests: their packets carry the index of their SA.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from nicmodel.residency import Residency
from saactors.model.packets import NO_SA, PACKET, Route
from saactors.placement.cost import CostModel
from saactors.placement.rule import Decisions
from saactors.placement.table import Rule, make_rule

WEB, BULK = 0, 1  # two streams' SAs

# A packet costs 2000 ns in software and 400 ns on the card, a load 8000 ns: worth 5 packets.
COST = CostModel(2000, 0, 400, 0, 8000)


def agent(card_slots: int = 1, **given: object) -> Rule:
    """A driver agent that has received both SAs."""
    plain: dict[str, object] = {
        "initial": 0, "bonus": 0, "threshold": 3, "decay": "factor:0.5"
    }  # fmt: skip
    rule = make_rule("metric", plain | given, card_slots, 4, COST)
    rule.keeper.receive(2)
    rule.arbiter.receive(2)
    return rule


def send(rule: Rule, sas: Sequence[int]) -> tuple[list[int], Decisions]:
    """Send a packet of each stream named; returns the packets' routes and what was decided."""
    packets: npt.NDArray[np.void] = np.zeros(len(sas), PACKET)
    packets["sa"] = sas
    packets["length_bytes"] = 1000
    rule.keeper.observe(packets)
    decisions = rule.arbiter.decide(packets, rule.keeper.ticks, 0)
    return packets["route"].tolist(), decisions


def load(rule: Rule, decisions: Decisions) -> list[int]:
    """Have the card carry out the decisions; returns the SAs that it loaded."""
    loaded: list[int] = decisions.commands["sa"].tolist()
    for sa in loaded:
        rule.keeper.cached(sa)
        rule.arbiter.loaded(sa, rule.keeper.ticks)
    return loaded


def review(rule: Rule) -> Decisions:
    """Let a period pass and take the decision that is due then."""
    rule.keeper.tick()
    return rule.arbiter.review(*rule.keeper.candidates(), rule.keeper.ticks, 0)


def metric(rule: Rule, sa: int) -> float:
    return float(rule.keeper.metrics()[sa])


def test_claim_01_streams_are_mapped_to_components_by_the_metric_of_their_sa() -> None:
    """An SA for a stream, a metric for the SA, traffic to modify it, and a component by it.

    The claim: associate a security association with a traffic stream; associate a metric value with
    the security association; modify it based on network traffic; dynamically map the stream to one
    of multiple components that perform cryptography operations based on the metric value.
    """
    rule = agent()
    assert [metric(rule, WEB), metric(rule, BULK)] == [0, 0]
    routes, decisions = send(rule, [WEB, BULK, BULK, BULK])
    assert [metric(rule, WEB), metric(rule, BULK)] == [1, 3]
    assert routes == [Route.SOFTWARE] * 4
    assert load(rule, decisions) == [BULK]
    assert send(rule, [WEB, BULK])[0] == [Route.SOFTWARE, Route.NIC]
    send(rule, [WEB] * 3)
    assert load(rule, send(rule, [WEB])[1]) == []  # 6 against 4: no lead of 3 yet
    assert load(rule, send(rule, [WEB])[1]) == [WEB]
    assert send(rule, [WEB, BULK])[0] == [Route.NIC, Route.SOFTWARE]


def test_claim_02_the_mapping_can_be_decided_at_points_in_time() -> None:
    """The dynamic mapping is performed using a time-based analysis."""
    rule = agent(decide="periodic")
    for _ in range(10):
        routes, decisions = send(rule, [BULK] * 10)
        assert routes == [Route.SOFTWARE] * 10
        assert len(decisions.commands) == 0
    assert load(rule, review(rule)) == [BULK]
    assert send(rule, [BULK])[0] == [Route.NIC]


def test_claim_03_the_components_are_driver_agent_and_network_interface() -> None:
    """The multiple components comprise a driver agent and a network interface."""
    rule = agent()
    load(rule, send(rule, [BULK] * 3)[1])
    assert set(send(rule, [WEB, BULK])[0]) == {Route.SOFTWARE, Route.NIC}


def test_claim_04_the_network_interface_is_chosen_while_it_has_the_sa_cached() -> None:
    """Whose SA is cached goes to the card, and no other.

    The claim: mapping comprises selecting between performing cryptography operations with a driver
    agent and with a network interface using cached cryptography information.
    """
    rule = agent()
    _, decisions = send(rule, [BULK] * 3)
    assert rule.arbiter.residency(BULK) == Residency.LOADING
    assert send(rule, [BULK])[0] == [Route.SOFTWARE]
    load(rule, decisions)
    assert rule.arbiter.residency(BULK) == Residency.RESIDENT
    assert send(rule, [BULK])[0] == [Route.NIC]
    rule.arbiter.reset()
    assert rule.arbiter.residency(BULK) == Residency.ABSENT
    assert send(rule, [BULK])[0] == [Route.SOFTWARE]


@pytest.mark.parametrize("threshold", [0, 1, 3, 10])
def test_claim_05_a_cached_sa_is_replaced_by_one_ahead_by_the_predetermined_amount(
    threshold: int,
) -> None:
    """Replaced at that lead, and not before.

    The claim: replace a cached security association with a non-cached one when the metric value of
    the latter differs from that of the former by at least a predetermined amount.
    """
    rule = agent(threshold=threshold)
    load(rule, send(rule, [WEB] * 10)[1])
    lead_needed = max(threshold, 1)  # with an amount of 0: any lead, but not a tie
    _, decisions = send(rule, [BULK] * (int(metric(rule, WEB)) + lead_needed - 1))
    assert len(decisions.commands) == 0
    _, decisions = send(rule, [BULK])
    assert decisions.commands[["sa", "victim"]].tolist() == [(BULK, WEB)]
    assert decisions.commands[["metric", "lowest"]].tolist() == [(10 + lead_needed, 10)]
    assert load(rule, decisions) == [BULK]
    assert rule.arbiter.residents().tolist() == [BULK]


@pytest.mark.parametrize(("load_host_ns", "packets"), [(8000, 5), (16_000, 10), (1600, 1)])
def test_claim_06_the_predetermined_amount_comes_from_a_cost_analysis(
    load_host_ns: float, packets: int
) -> None:
    """The predetermined amount is selected based on a cost-based analysis."""
    cost = CostModel(2000, 0, 400, 0, load_host_ns)
    rule = make_rule("metric", {"bonus": 0}, 1, 4, cost)
    rule.keeper.receive(2)
    rule.arbiter.receive(2)
    assert rule.analysis is not None
    assert rule.analysis.threshold == packets
    _, decisions = send(rule, [BULK] * (packets + 5))
    assert decisions.commands["row"].tolist() == [packets - 1]


def test_claim_07_the_metric_starts_at_a_predetermined_value_when_the_sa_is_received() -> None:
    """The metric is initialized to a predetermined value when a driver agent receives the SA."""
    rule = agent(initial=7)
    assert rule.keeper.metrics().tolist() == [7, 7]
    send(rule, [WEB])
    rule.keeper.receive(3)
    assert rule.keeper.metrics().tolist() == [8, 7, 7]


def test_claim_08_the_metric_changes_by_a_predetermined_amount_when_the_sa_is_cached() -> None:
    """The metric is changed by a predetermined amount when the SA is added to the cache."""
    rule = agent(bonus=20)
    _, decisions = send(rule, [BULK] * 3)
    assert metric(rule, BULK) == 3
    load(rule, decisions)
    assert metric(rule, BULK) == 23
    assert rule.arbiter.lowest() == (BULK, 23)


def test_claim_09_the_metric_changes_when_a_packet_is_received() -> None:
    """The metric is changed when a packet is received: of its own SA, and of no other."""
    rule = agent(increment=2)
    for received in range(1, 6):
        send(rule, [WEB])
        assert rule.keeper.metrics().tolist() == [2 * received, 0]


@pytest.mark.parametrize(
    ("decay", "metrics"),
    [("factor:0.5", [8, 4, 2, 1]), ("amount:6", [10, 4, 0, 0])],
)
def test_claim_10_the_metric_changes_periodically_independent_of_traffic(
    decay: str, metrics: list[float]
) -> None:
    """The metric is changed periodically, whether or not there is any traffic."""
    rule = agent(decay=decay, threshold=1000)
    send(rule, [BULK] * 16)
    without_traffic = []
    for _ in metrics:
        rule.keeper.tick()
        without_traffic.append(metric(rule, BULK))
    assert without_traffic == metrics


def test_claim_41_an_sa_is_cached_if_the_policy_says_so() -> None:
    """Not cached and earning it: cached. Cached: nothing to decide.

    The claim: associate a security association with a stream; determine whether the one that the
    packet needs is cached; determine whether it should be, based on a predetermined policy; cache
    it if the policy says so.
    """
    rule = agent(card_slots=2)
    routes, decisions = send(rule, [WEB, BULK, BULK, BULK])
    assert routes == [Route.SOFTWARE] * 4  # none was cached ...
    assert decisions.commands["sa"].tolist() == [BULK]  # ... and one should be
    assert decisions.commands["victim"].tolist() == [NO_SA]
    load(rule, decisions)
    assert [rule.arbiter.residency(sa) for sa in (WEB, BULK)] == [
        Residency.ABSENT,
        Residency.RESIDENT,
    ]
    routes, decisions = send(rule, [BULK])
    assert routes == [Route.NIC]  # it was cached, so there is nothing to decide
    assert len(decisions.commands) == 0


def test_claim_42_the_policy_can_be_performed_periodically() -> None:
    """The predetermined policy is performed on a periodic basis."""
    rule = agent(decide="periodic")
    assert len(send(rule, [BULK] * 100)[1].commands) == 0
    assert load(rule, review(rule)) == [BULK]
    assert len(send(rule, [WEB] * 100)[1].commands) == 0
    decisions = review(rule)
    assert decisions.commands[["sa", "victim"]].tolist() == [(WEB, BULK)]


def test_claim_43_the_policy_is_metric_initial_value_bonus_increment_and_threshold() -> None:
    """Every part of the policy in one run of three SAs and two slots.

    The claim: associate a metric value with a security association; initialize it to a
    predetermined value when a driver agent receives the association; increase it by a predetermined
    value when that is added to a cache; increment it when a packet is received; determine whether
    it is greater than the lowest of the cached ones by at least a predetermined amount.
    """
    rule = agent(card_slots=2, initial=1, bonus=4, increment=1, threshold=3)
    rule.keeper.receive(4)
    rule.arbiter.receive(4)
    assert rule.keeper.metrics().tolist() == [1, 1, 1, 1]
    assert load(rule, send(rule, [0, 0, 0, 1, 1])[1]) == [0, 1]
    assert rule.keeper.metrics().tolist() == [1 + 3 + 4, 1 + 2 + 4, 1, 1]
    assert rule.arbiter.lowest() == (1, 7)
    assert len(send(rule, [2] * 8)[1].commands) == 0  # 9 leads 7 by less than 3
    _, decisions = send(rule, [2])
    command = decisions.commands[["sa", "victim", "metric", "lowest"]]
    assert command.tolist() == [(2, 1, 10, 7)]


@pytest.mark.parametrize("decay", ["factor:0.25", "amount:9"])
def test_claim_44_the_metric_decreases_periodically(decay: str) -> None:
    """The metric value is decreased periodically.

    So an SA that has fallen silent loses its place to one that did not lead it before, and no
    metric falls below 0.
    """
    rule = agent(decay=decay, threshold=3)
    load(rule, send(rule, [WEB] * 12)[1])
    assert len(send(rule, [BULK] * 6)[1].commands) == 0
    rule.keeper.tick()
    assert metric(rule, WEB) == 3
    assert 0 <= metric(rule, BULK) < 6
    _, decisions = send(rule, [BULK] * 6)
    assert decisions.commands[["sa", "victim"]].tolist() == [(BULK, WEB)]
    for _ in range(1100):
        rule.keeper.tick()
    assert rule.keeper.metrics().tolist() == [0, 0]
