"""Our rule: its shadows' accounts told naively, and what it does with them on whole traces."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nicmodel.presets import HOST, PROFILES
from nicmodel.profile import CardProfile, customised
from saactors.lab.run import LabRun, cost_model, run_rule
from saactors.lab.trace import LAB_PACKET, LabTrace, lab_trace
from saactors.model.packets import Route
from saactors.placement.policies import shadow_layout as layout
from saactors.placement.policy_arbiter import PolicyArbiter
from saactors.placement.table import make_rule
from saactors.traces.synthetic import synthesise
from tests.placement.policies.conftest import EXAMPLES

SAVING_NS = 1570  # of 1500 bytes on the card below


def card_of(slots: int, load_packets: float = 50, latency_ns: int = 100_000) -> CardProfile:
    """A card on which a load costs as much as so many packets of 1500 bytes save."""
    return customised(
        PROFILES["connectx6"],
        slots_max=slots,
        load_host_ns=round(load_packets * SAVING_NS),
        load_latency_ns=latency_ns,
    )


def arbiter_of(slots: int, sas: int, load_packets: float = 50) -> PolicyArbiter:
    """The rule's arbiter half, with so many SAs known."""
    card = card_of(slots, load_packets)
    cost = cost_model(card, HOST)
    rule = make_rule("adaptive", {}, slots, card.loads_outstanding_max, cost)
    assert isinstance(rule.arbiter, PolicyArbiter)
    rule.arbiter.receive(sas)
    return rule.arbiter


def packets_of(sas: list[int]) -> np.ndarray:
    """A burst of packets of 1500 bytes."""
    packets = np.zeros(len(sas), LAB_PACKET)
    packets["sa"] = sas
    packets["length_bytes"] = 1500
    return packets


def traffic(model: str, seed: int = 1, **parameters: object) -> LabTrace:
    """Synthetic traffic in bursts."""
    return lab_trace(synthesise(model, parameters, seed))


def saved_ns(run: LabRun) -> float:
    """What a run saved, its loads paid."""
    packets = run.trace.packets[run.trace.packets["route"] == Route.NIC]
    saving = run.rule.cost.saving_packet_ns + run.rule.cost.saving_byte_ns * packets["length_bytes"]
    return float(saving.sum()) - len(run.loads) * run.rule.cost.load_host_ns


@settings(deadline=None, max_examples=EXAMPLES)
@given(ages_ns=st.lists(st.integers(80_000, 10**11), min_size=1, max_size=30))
def test_a_metric_fades_as_its_memory_says(ages_ns: list[int]) -> None:
    """By e to the minus age over memory, within what the table of factors can tell."""
    table = arbiter_of(4, 1).state
    layout.start(table, 0)
    table.standings[0]["traits"][: layout.MEMORIES] = 1.0
    now_ns = 0
    for age_ns in ages_ns:
        now_ns += age_ns
        layout.fade(table, 0, now_ns)
    for kept in range(layout.MEMORIES):
        age = now_ns / (layout.SHORTEST_NS * layout.RATIO**kept)
        found = float(table.standings[0]["traits"][kept])
        assert math.exp(-1.05 * age) - 1e-30 <= found <= math.exp(-0.95 * age) * 1.001


@settings(deadline=None, max_examples=EXAMPLES)
@given(sas=st.lists(st.integers(0, 5), min_size=1, max_size=200))
def test_a_shadow_pays_a_load_and_saves_from_then_on(sas: list[int]) -> None:
    """At one instant nothing fades, so each account can be told by counting packets."""
    arbiter = arbiter_of(50, 6, load_packets=10.5)  # no demand is a whole number of packets
    arbiter.decide(packets_of(sas), 0, 0)
    memory = arbiter.state.memory
    for shadow in range(layout.SHADOWS):
        first = math.ceil(10.5 * layout.demand_of(shadow))  # the packet that makes a member
        counts = [sas.count(sa) for sa in range(6)]
        paid = sum(count >= first for count in counts)
        saved = sum(max(0, count - first) for count in counts) / 10.5
        kept = shadow // layout.DEMANDS
        of_all = memory[layout.OF_MEMORY, kept]
        assert memory[layout.PAID, shadow] == paid
        assert memory[layout.SAVED, shadow] + of_all == pytest.approx(saved, rel=1e-4)


@pytest.mark.slow
def test_nothing_is_loaded_where_nothing_comes_back() -> None:
    """Every SA sends one packet: no shadow ever saves, so no load is risked."""
    run = run_rule(traffic("one-packet", packets=50_000), "adaptive", {}, card_of(500), HOST)
    assert len(run.loads) == 0


@pytest.mark.slow
def test_who_loads_always_too_late_is_not_followed() -> None:
    """Each SA falls silent at the threshold; what is tried costs less than a hundredth."""
    trace = traffic("threshold", packets=400_000)
    run = run_rule(trace, "adaptive", {}, card_of(200), HOST)
    assert saved_ns(run) >= -0.01 * len(trace.packets) * SAVING_NS
    assert saved_ns(run_rule(trace, "metric", {}, card_of(200), HOST)) < saved_ns(run)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["zipf", "on-off", "flows"])
def test_it_saves_about_as_much_as_the_metric_rule_at_its_best(model: str) -> None:
    """Within a tenth of the best of nine memories and thresholds, on traffic of each kind."""
    trace = traffic(model, packets=1_000_000)
    card = card_of(max(2, trace.columns.sa_count // 20))
    best = max(
        saved_ns(run_rule(trace, "metric", {"period_ns": ns, "threshold": size}, card, HOST))
        for ns in (2_000_000, 20_000_000, 200_000_000)
        for size in (15.0, 50.0, 150.0)
    )
    assert saved_ns(run_rule(trace, "adaptive", {}, card, HOST)) >= 0.9 * best


@pytest.mark.slow
def test_it_never_has_more_than_two_loads_under_way() -> None:
    """Also where a card would take as many as it has slots, and each takes long."""
    trace = traffic("zipf", packets=300_000, sas=2000)
    run = run_rule(trace, "adaptive", {}, card_of(100, 5, 5_000_000), HOST)
    assert len(run.loads) > 10
    begun, done = run.loads["time_ns"], np.sort(run.loads["done_ns"])
    for number, time_ns in enumerate(begun):
        assert number - np.searchsorted(done, time_ns, side="left") < 2


def test_a_rekeyed_sa_takes_over_what_the_old_one_earned() -> None:
    """The old one has nothing left, so its seat goes first; memberships go along, for a load."""
    arbiter = arbiter_of(4, 2, load_packets=10)
    arbiter.decide(packets_of([0] * 40), 0, 0)
    earned = arbiter.state.standings[0]["traits"].copy()
    paid = arbiter.state.memory[layout.PAID, : layout.SHADOWS].copy()
    arbiter.inherit(1, 0, 0)
    kept = layout.MEMORIES
    assert arbiter.state.standings[1]["traits"][:kept].tolist() == earned[:kept].tolist()
    assert not arbiter.state.standings[0]["traits"][:kept].any()
    members = int(earned[layout.MEMBERSHIPS])
    assert int(arbiter.state.standings[1]["traits"][layout.MEMBERSHIPS]) == members
    more = arbiter.state.memory[layout.PAID, : layout.SHADOWS] - paid
    assert more.tolist() == [float(members >> shadow & 1) for shadow in range(layout.SHADOWS)]


@pytest.mark.slow
def test_rekeying_moves_metrics_in_a_whole_trace() -> None:
    """Where a trace names predecessors, what is decided is not the same as without their names."""
    columns = synthesise("rekeying", {"packets": 400_000}, 1)
    card = card_of(columns.sa_count // 20)
    assert len(columns.predecessors)
    named = run_rule(lab_trace(columns), "adaptive", {}, card, HOST)
    nameless = replace(columns, predecessors=np.empty(0, np.int32))
    unnamed = run_rule(lab_trace(nameless), "adaptive", {}, card, HOST)
    assert named.loads["sa"].tolist() != unnamed.loads["sa"].tolist()


def test_an_sa_takes_at_most_64_bytes() -> None:
    """Its standing with the rule, and its record with the card."""
    assert arbiter_of(4, 1).state.standings.dtype.itemsize + 8 <= 64


def test_a_reset_card_is_filled_again() -> None:
    """The rule goes on from what it knows; nobody is left in the order of residents."""
    arbiter = arbiter_of(4, 8, load_packets=5)
    for burst in range(400):
        decisions = arbiter.decide(packets_of([0, 1, 2, 3] * 8), 0, burst * 1_000_000)
        for command in decisions.commands:
            arbiter.loaded(int(command["sa"]), 0)
    assert arbiter.resident_count == 4
    arbiter.reset()
    assert arbiter.resident_count == 0
    commands = sum(
        len(arbiter.decide(packets_of([0, 1, 2, 3] * 8), 0, (400 + burst) * 1_000_000).commands)
        for burst in range(50)
    )
    assert commands >= 2
