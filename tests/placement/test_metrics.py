"""The keeper half of the metric rule: what an SA has earned lately."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saactors.errors import ParameterError
from saactors.model.verdicts import Verdict
from saactors.placement.cost import CostModel, Weight
from saactors.placement.metrics import METRIC, DecayingMetrics
from saactors.placement.parameters import Decay, MetricParameters
from saactors.placement.policy_parameters import PolicyParameters
from saactors.placement.residents import empty_residents

BurstOf: TypeAlias = Callable[..., npt.NDArray[np.void]]

COST = CostModel(2000, 1, 400, 0, 8000)
SA_COUNT = 5


def keeper_of(parameters: MetricParameters, sa_count: int = SA_COUNT) -> DecayingMetrics:
    keeper = DecayingMetrics(parameters, COST)
    keeper.receive(sa_count)
    return keeper


@dataclass
class EagerMetrics:
    """The claims by the letter: every metric, changed at every event. Slow and plain."""

    parameters: MetricParameters
    values: list[float] = field(default_factory=list)

    def receive(self, sa_count: int) -> None:
        """New SAs start with the initial metric."""
        self.values += [self.parameters.initial] * (sa_count - len(self.values))

    def observe(self, sas: Sequence[int]) -> list[float]:
        """Each packet raises its SA's metric; returns the metric after each."""
        seen = []
        for sa in sas:
            self.values[sa] += self.parameters.increment
            seen.append(self.values[sa])
        return seen

    def cached(self, sa: int) -> None:
        """The bonus."""
        assert self.parameters.bonus is not None
        self.values[sa] += self.parameters.bonus

    def tick(self) -> None:
        """The decay of all."""
        decay = self.parameters.decay
        self.values = [max(0.0, value * decay.factor - decay.amount) for value in self.values]


PARAMETERS = st.builds(
    MetricParameters,
    initial=st.sampled_from([0.0, 1.0, 2.5]),
    increment=st.sampled_from([0.5, 1.0, 3.0]),
    bonus=st.sampled_from([0.0, 4.0]),
    decay=st.sampled_from(
        ["factor:0.5", "factor:0.9", "factor:0.001", "factor:1", "amount:0.1", "amount:2"]
    ).map(Decay.parse),
)

EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("observe"), st.lists(st.integers(0, SA_COUNT - 1), max_size=8)),
        st.tuples(st.just("cached"), st.integers(0, SA_COUNT - 1)),
        st.tuples(st.just("tick"), st.integers(1, 40)),
        st.tuples(st.just("follow"), PARAMETERS),
    ),
    max_size=25,
)


@settings(deadline=None)  # the first example may compile
@given(parameters=PARAMETERS, events=EVENTS)
def test_metrics_are_those_of_the_claims_by_the_letter(
    burst_of: BurstOf, parameters: MetricParameters, events: list[tuple[str, object]]
) -> None:
    """Working a metric out when it is needed gives what changing all of them at every tick does."""
    keeper, eager = keeper_of(parameters), EagerMetrics(parameters)
    eager.receive(SA_COUNT)
    for kind, what in events:
        match kind, what:
            case "observe", list(sas):
                packets = burst_of(sas)
                keeper.observe(packets)
                assert packets["metric"] == pytest.approx(eager.observe(sas))
            case "cached", int(sa):
                keeper.cached(sa)
                eager.cached(sa)
            case "tick", int(times):
                for _ in range(times):
                    keeper.tick()
                    eager.tick()
            case "follow", MetricParameters() as changed:
                keeper.follow(changed)
                eager.parameters = changed
        assert keeper.metrics() == pytest.approx(eager.values)


@settings(deadline=None)  # the first example may compile
@given(
    sas=st.lists(st.integers(0, SA_COUNT - 1), max_size=40),
    lengths=st.data(),
    weight=st.sampled_from(Weight),
    cut=st.integers(0, 40),
)
def test_bursts_of_any_size_give_the_same_metrics(
    burst_of: BurstOf, sas: list[int], lengths: st.DataObject, weight: Weight, cut: int
) -> None:
    """Where a burst ends is no concern of the metrics, to the last bit."""
    sizes = lengths.draw(
        st.lists(st.integers(20, 9000), min_size=len(sas), max_size=len(sas)), label="lengths"
    )
    parameters = MetricParameters(weight=weight)
    whole, parts, ones = (keeper_of(parameters) for _ in range(3))
    at_once, in_two, singly = (burst_of(sas, sizes) for _ in range(3))
    whole.observe(at_once)
    parts.observe(in_two[:cut])
    parts.observe(in_two[cut:])
    for row in range(len(sas)):
        ones.observe(singly[row : row + 1])
    assert at_once["metric"].tolist() == in_two["metric"].tolist() == singly["metric"].tolist()
    assert whole.metrics().tolist() == parts.metrics().tolist() == ones.metrics().tolist()


def test_a_packet_adds_one_its_bytes_or_the_time_it_saves(burst_of: BurstOf) -> None:
    """``weight`` says which; the increment multiplies it."""
    earned = {}
    for weight in Weight:
        packets = burst_of([0], 1500)
        keeper_of(MetricParameters(weight=weight, increment=2)).observe(packets)
        earned[weight] = packets["metric"][0]
    assert earned == {
        Weight.PACKETS: 2,
        Weight.BYTES: 2 * 1500,
        Weight.SAVED_NS: 2 * (2000 + 1500 - 400),
    }


def test_a_packet_that_the_card_would_not_save_on_earns_nothing(burst_of: BurstOf) -> None:
    """Saved time is never negative, so that no packet makes its SA look worse."""
    keeper = DecayingMetrics(
        MetricParameters(weight=Weight.SAVED_NS), CostModel(100, 0, 400, 0, 8000)
    )
    keeper.receive(1)
    keeper.observe(burst_of([0]))
    assert keeper.metrics().tolist() == [0]


def test_packets_without_an_sa_or_dropped_before_are_not_counted(burst_of: BurstOf) -> None:
    """Their ``metric`` is left alone."""
    packets = burst_of([0, -1, 0, 1])
    packets["metric"] = -7
    packets["verdict"][2] = Verdict.SEQUENCE_EXHAUSTED
    keeper = keeper_of(MetricParameters())
    keeper.observe(packets)
    assert packets["metric"].tolist() == [1, -7, -7, 1]
    assert keeper.metrics()[:2].tolist() == [1, 1]


def test_an_sa_starts_with_the_initial_metric_when_it_is_received() -> None:
    """From then on it decays; SAs that were there before are not set again."""
    keeper = keeper_of(MetricParameters(initial=8, decay=Decay.parse("factor:0.5")), sa_count=1)
    keeper.tick()
    keeper.receive(3)
    keeper.receive(2)
    assert keeper.metrics().tolist() == [4, 8, 8]
    keeper.tick()
    assert keeper.metrics().tolist() == [2, 4, 4]


def test_a_tick_touches_no_metric() -> None:
    """It costs the same for ten SAs as for ten million: nothing is written."""
    keeper = keeper_of(MetricParameters(initial=1))
    before = keeper._kept.metrics.copy()
    keeper.tick()
    assert keeper._kept.metrics.tobytes() == before.tobytes()
    assert keeper.ticks == 1


def test_metrics_are_a_copy() -> None:
    """Who writes on a report does not write on the metrics."""
    keeper = keeper_of(MetricParameters())
    keeper.metrics()[:] = 99
    assert keeper.metrics().tolist() == [0] * SA_COUNT


@pytest.mark.parametrize(("threshold", "candidates"), [(2, [1, 3]), (0, [0, 1, 3]), (3, [3])])
def test_candidates_are_the_sas_that_could_earn_a_load(
    burst_of: BurstOf, threshold: float, candidates: list[int]
) -> None:
    """Metric at least the threshold and above 0, in order of index."""
    keeper = keeper_of(MetricParameters(threshold=threshold))
    keeper.observe(burst_of([3, 1, 3, 0, 1, 3]))
    sas, metrics = keeper.candidates()
    assert sas.tolist() == candidates
    assert sas.dtype == np.int32
    assert metrics.tolist() == keeper.metrics()[candidates].tolist()


def test_other_parameters_apply_from_now_on(burst_of: BurstOf) -> None:
    """What was earned and lost so far stays; the initial metric is for SAs still to come."""
    slow = MetricParameters(decay=Decay.parse("factor:0.5"))
    keeper = keeper_of(slow, sa_count=1)
    keeper.observe(burst_of([0] * 8))
    keeper.tick()
    keeper.follow(replace(slow, decay=Decay.parse("amount:1"), increment=10, initial=5))
    assert keeper.metrics().tolist() == [4]
    keeper.receive(2)
    keeper.tick()
    keeper.observe(burst_of([0]))
    assert keeper.metrics().tolist() == [13, 4]


def test_the_parameters_of_another_rule_are_refused() -> None:
    """And the metrics go on by the old ones."""
    keeper = keeper_of(MetricParameters(initial=3))
    with pytest.raises(ParameterError, match="found 'PolicyParameters'"):
        keeper.follow(PolicyParameters())
    assert keeper.metrics().tolist() == [3] * SA_COUNT


def test_both_halves_together_keep_under_64_bytes_per_sa() -> None:
    """Arrays grow by doubling, so up to twice this is reserved."""
    residents = empty_residents(card_slots=1, loading_max=1)
    per_sa = METRIC.itemsize + residents.residency.itemsize + residents.place.itemsize
    assert 2 * per_sa <= 64
