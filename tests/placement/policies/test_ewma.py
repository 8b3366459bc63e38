"""The cost rule with an explicit horizon, against the same told naively."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nicmodel.profile import CardProfile
from saactors.lab.run import LabRun
from saactors.placement.cost import CostModel
from saactors.placement.rule import Packets
from saactors.placement.table import make_rule
from tests.placement.policies.conftest import (
    ARRIVALS,
    AT_ONCE,
    EXAMPLES,
    LATENCIES_NS,
    LOAD_HOST_NS,
    SLOTS,
    NaiveRule,
    arranged,
    card_of,
    decided,
    naively_decided,
)


class _Ewma(NaiveRule):
    """A level per SA; the lowest goes."""

    def __init__(self, card: CardProfile, memory_ns: int, horizon_ns: int) -> None:
        super().__init__(card)
        self.memory_ns, self.horizon_ns = memory_ns, horizon_ns
        self.levels: dict[int, float] = {}

    def heard(self) -> None:
        level = math.log(self.saving_ns) + self.now_ns / self.memory_ns
        if self.sa in self.levels:
            lower, higher = sorted([level, self.levels[self.sa]])
            level = higher + math.log1p(math.exp(lower - higher))
        self.levels[self.sa] = level

    def expected_ns(self, sa: int) -> float:
        account_ns = math.exp(self.levels[sa] - self.now_ns / self.memory_ns)
        return account_ns / self.memory_ns * self.horizon_ns

    def wants(self) -> bool:
        gain_ns = self.expected_ns(self.sa) - LOAD_HOST_NS
        if self.has_free_seat:
            return gain_ns >= 0
        victim = self.victim()
        return victim is not None and gain_ns >= 0 and gain_ns >= self.expected_ns(victim)

    def victim(self) -> int | None:
        return min(self.resident, key=lambda one: (self.levels[one], one), default=None)


@settings(deadline=None, max_examples=EXAMPLES)
@given(
    arrivals=ARRIVALS,
    slots=SLOTS,
    latency_ns=LATENCIES_NS,
    at_once=AT_ONCE,
    memory_ns=st.sampled_from([1, 300, 3000, 100_000, 10**12]),
    horizons=st.sampled_from([0.5, 1.0, 3.0]),
)
def test_ewma_decides_as_it_is_told(
    lab_run: Callable[..., LabRun],
    arrivals: list[tuple[int, int, int]],
    slots: int,
    latency_ns: int,
    at_once: int,
    memory_ns: int,
    horizons: float,
) -> None:
    """However long it remembers and expects, the finest memory included."""
    card = card_of(slots, latency_ns, at_once)
    given = {"memory_ns": memory_ns, "horizon_ns": max(1, round(memory_ns * horizons))}
    run = lab_run("ewma", arranged(arrivals), card, given)
    assert decided(run) == naively_decided(_Ewma(card, **given), run)


@given(arrivals=ARRIVALS, memory_ns=st.sampled_from([3000, 100_000, 10**9]))
def test_a_level_is_the_logarithm_of_a_sum_that_fades(
    arrivals: list[tuple[int, int, int]], memory_ns: int
) -> None:
    """The very sum of the theory, packet by packet."""
    rule = _Ewma(card_of(1, 0, 1), memory_ns, memory_ns)
    packets = [(time_ns, length_bytes) for time_ns, _, length_bytes in arranged(arrivals)]
    for time_ns, length_bytes in packets:
        rule.sa, rule.now_ns, rule.saving_ns = 0, time_ns, float(length_bytes)
        rule.heard()
    faded = (length * math.exp(-(rule.now_ns - time) / memory_ns) for time, length in packets)
    assert rule.expected_ns(0) == pytest.approx(math.fsum(faded), rel=1e-9)


def test_rates_are_kept_when_the_memory_changes(burst_of: Callable[..., Packets]) -> None:
    """SA 0 saves 100 ns in 1000; ten times the memory and horizon expect 1000 ns for each 100."""
    cost = CostModel(500, 0, 400, 0, 1000)
    rule = make_rule("ewma", {"memory_ns": 1000, "horizon_ns": 1000}, 1, 1, cost)
    rule.arbiter.receive(2)
    now_ns = 10**12
    assert len(rule.arbiter.decide(burst_of([0]), 0, now_ns).commands) == 0
    rule.follow({"memory_ns": 10_000, "horizon_ns": 10_000})
    commands = rule.arbiter.decide(burst_of([1, 0]), 0, now_ns).commands
    assert commands["sa"].tolist() == [0]
    assert commands["metric"][0] == pytest.approx(1000 + 100 - 1000, rel=1e-3)


def test_a_load_pays_if_the_newcomer_makes_up_for_the_resident(
    lab_run: Callable[..., LabRun],
) -> None:
    """SA 0 saves 3000 ns; SA 1 needs 600 ns more: two packets of 1500 ns do not, three do."""
    packets = [(0, 0, 1400), (0, 0, 1400), *((1000 + n, 1, 1400) for n in range(4))]
    run = lab_run("ewma", packets, card_of(1, 0, 1), {"memory_ns": 10**12, "horizon_ns": 10**12})
    assert run.loads[["sa", "victim"]].tolist() == [(0, -1), (1, 0)]
    assert run.loads["time_ns"].tolist() == [0, 1002]
    assert run.loads["metric"][1] == pytest.approx(3 * 1500 - LOAD_HOST_NS)
