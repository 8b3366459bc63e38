"""Slots, residency and the heap of residents, against sorting everything anew."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from nicmodel.residency import Residency
from saactors.placement.cost import CostModel
from saactors.placement.parameters import Decay, MetricParameters
from saactors.placement.residents import (
    Residents,
    advance,
    begin_load,
    empty_residents,
    end_load,
    find_lowest,
    forget_residents,
    rebase,
    refresh,
    settle,
)

SA_COUNT, CARD_SLOTS, LOADING_MAX, BONUS = 12, 5, 3, 2.0
COST = CostModel(2000, 0, 400, 0, 8000)
SAS = st.integers(0, SA_COUNT - 1)
DECAYS = st.sampled_from(
    ["factor:0.5", "factor:0.9", "factor:1e-9", "factor:1", "amount:1", "amount:4e8"]
)


class SlotsAgainstSorting(RuleBasedStateMachine):
    """Whatever happens, the slots agree with plain sets and dictionaries."""

    def __init__(self) -> None:
        super().__init__()
        empty = empty_residents(CARD_SLOTS, LOADING_MAX)
        self.residents: Residents = empty._replace(
            residency=np.zeros(SA_COUNT, np.uint8), place=np.zeros(SA_COUNT, np.int32)
        )
        self.tick = 0
        self.metrics: dict[int, float] = {}  # of every SA with a slot, before flooring at 0
        self.resident: set[int] = set()
        self.loading: set[int] = set()
        self.apply("factor:0.5")

    def apply(self, decay: str) -> None:
        """Take over other settings."""
        parameters = MetricParameters(decay=Decay.parse(decay), bonus=BONUS)
        self.decay = parameters.decay
        self.settings = parameters.settings(COST)[0]

    def worth(self, sa: int) -> float:
        """An SA's metric."""
        return max(0.0, self.metrics[sa])

    @precondition(lambda self: len(self.loading) < LOADING_MAX)
    @rule(sa=SAS, metric=st.integers(0, 50))
    def load(self, sa: int, metric: int) -> None:
        """A newcomer takes a free slot, or the lowest resident's."""
        if sa in self.metrics:
            return
        victim = -1
        if len(self.metrics) == CARD_SLOTS:
            if not self.resident:
                return
            find_lowest(self.residents, self.settings)
            victim = int(self.residents.slots[0]["sa"])
            self.resident.remove(victim)
            del self.metrics[victim]
        begin_load(self.residents, sa, float(metric), victim)
        self.metrics[sa] = float(metric)
        self.loading.add(sa)

    @precondition(lambda self: self.loading)
    @rule(number=st.integers(0, LOADING_MAX), loaded=st.booleans())
    def answer(self, number: int, loaded: bool) -> None:
        """The card answers one of the loads under way."""
        sa = sorted(self.loading)[number % len(self.loading)]
        end_load(self.residents, self.settings, sa, loaded)
        self.loading.remove(sa)
        if loaded:
            self.resident.add(sa)
            self.metrics[sa] = self.worth(sa) + BONUS
        else:
            del self.metrics[sa]

    @precondition(lambda self: self.metrics)
    @rule(number=st.integers(0, CARD_SLOTS), change=st.integers(-5, 20))
    def packet(self, number: int, change: int) -> None:
        """The metric of an SA with a slot changes; down, too, which packets never do."""
        sa = sorted(self.metrics)[number % len(self.metrics)]
        self.metrics[sa] = max(0.0, self.worth(sa) + change)
        refresh(self.residents, sa, self.metrics[sa])

    @rule(ticks=st.sampled_from([1, 2, 7, 300]))
    def ticks(self, ticks: int) -> None:
        """Periods pass; 300 at a time go beyond what one base serves."""
        self.tick += ticks
        advance(self.residents, self.settings, self.tick)
        for sa, metric in self.metrics.items():
            self.metrics[sa] = metric * self.decay.factor**ticks - self.decay.amount * ticks

    @rule(decay=DECAYS)
    def follow(self, decay: str) -> None:
        """Metrics go on from where they are by another decay."""
        settle(self.residents, self.settings)
        self.apply(decay)
        rebase(self.residents, self.settings)
        self.metrics = {sa: self.worth(sa) for sa in self.metrics}

    @rule()
    def reset(self) -> None:
        """The card forgets its residents."""
        forget_residents(self.residents)
        for sa in self.resident:
            del self.metrics[sa]
        self.resident.clear()

    @invariant()
    def residency_says_who_is_where(self) -> None:
        """Each SA is RESIDENT, LOADING or ABSENT as the sets have it, and counted."""
        states = {
            sa: Residency.RESIDENT if sa in self.resident
            else Residency.LOADING if sa in self.loading
            else Residency.ABSENT
            for sa in range(SA_COUNT)
        }  # fmt: skip
        assert dict(enumerate(self.residents.residency)) == states
        ledger = self.residents.ledger[0]
        assert (ledger["residents"], ledger["loading"]) == (len(self.resident), len(self.loading))

    @invariant()
    def every_place_holds_its_sa(self) -> None:
        """Residents from the left, loads from the right, each where ``place`` says."""
        for sa in self.metrics:
            place = int(self.residents.place[sa])
            assert self.residents.slots[place]["sa"] == sa
            if sa in self.resident:
                assert place < len(self.resident)
            else:
                assert place >= CARD_SLOTS - len(self.loading)

    @invariant()
    def no_child_has_a_lower_key_than_its_parent(self) -> None:
        """The heap's own law, ties by index included."""
        heap = self.residents.slots[: len(self.resident)]
        order = [(slot["key"], slot["sa"]) for slot in heap]
        for place in range(1, len(order)):
            assert order[(place - 1) // 2] < order[place]

    @precondition(lambda self: self.resident)
    @invariant()
    def the_root_is_the_lowest(self) -> None:
        """It has the least metric of all residents, and its metric is worked out right."""
        found = find_lowest(self.residents, self.settings)
        sa = int(self.residents.slots[0]["sa"])
        assert sa in self.resident
        assert found == pytest.approx(self.worth(sa), rel=1e-9, abs=1e-6)
        assert found == pytest.approx(
            min(self.worth(resident) for resident in self.resident), rel=1e-9, abs=1e-6
        )


TestSlotsAgainstSorting = SlotsAgainstSorting.TestCase
TestSlotsAgainstSorting.settings = hypothesis_settings(
    max_examples=150, stateful_step_count=30, deadline=None
)


def slots_with(metrics: list[float], decay: str) -> tuple[Residents, np.void]:
    """A card whose residents are SAs 0, 1, ... with these metrics."""
    residents = empty_residents(len(metrics), len(metrics))._replace(
        residency=np.zeros(len(metrics), np.uint8), place=np.zeros(len(metrics), np.int32)
    )
    settings = MetricParameters(decay=Decay.parse(decay), bonus=0).settings(COST)[0]
    for sa in reversed(range(len(metrics))):
        begin_load(residents, sa, metrics[sa], -1)
        end_load(residents, settings, sa, True)
    return residents, settings


def test_of_equal_metrics_the_lower_index_is_the_lower() -> None:
    """Whatever the order in which they came."""
    residents, settings = slots_with([7.0, 5.0, 5.0, 5.0], "factor:0.5")
    assert find_lowest(residents, settings) == 5.0
    assert residents.slots[0]["sa"] == 1


def test_of_two_at_zero_the_one_that_got_there_first_is_the_lower() -> None:
    """Decay by amount brings both to 0, but SA 1 sooner."""
    residents, settings = slots_with([3.0, 2.0, 90.0], "amount:1")
    advance(residents, settings, 10)
    assert find_lowest(residents, settings) == 0.0
    assert residents.slots[0]["sa"] == 1


def test_order_outlives_more_ticks_than_a_double_has_exponents() -> None:
    """After 5000 halvings the metrics are 0; a packet then still makes its SA the higher."""
    residents, settings = slots_with([3.0, 2.0], "factor:0.5")
    for tick in range(1, 5001):
        advance(residents, settings, tick)
    refresh(residents, 0, 1.0)
    assert find_lowest(residents, settings) == 0.0
    assert residents.slots[0]["sa"] == 1


def test_making_keys_afresh_makes_the_order_afresh() -> None:
    """SA 0 has become the highest, which nobody had to know until 600 ticks had passed."""
    residents, settings = slots_with([1.0, 2.0, 3.0], "factor:0.5")
    refresh(residents, 0, 50.0)
    advance(residents, settings, 600)
    assert find_lowest(residents, settings) == 2.0 * 0.5**600
    assert residents.slots[0]["sa"] == 1


def test_an_sa_that_is_loading_stays_out_of_the_order() -> None:
    """However little it has earned: it is no resident yet."""
    residents, settings = slots_with([10.0, 20.0, 30.0], "factor:0.5")
    residents = residents._replace(
        residency=np.append(residents.residency, np.uint8(0)),
        place=np.append(residents.place, np.int32(0)),
    )
    begin_load(residents, 3, 12.0, 0)
    refresh(residents, 3, 0.5)
    assert find_lowest(residents, settings) == 20.0
    assert residents.slots[0]["sa"] == 1


def test_ticks_never_go_back() -> None:
    """Whoever says so has mixed up messages."""
    residents, settings = slots_with([1.0], "factor:0.5")
    advance(residents, settings, 3)
    with pytest.raises(AssertionError):
        advance(residents, settings, 2)


def test_only_a_load_under_way_can_be_answered() -> None:
    """An answer without a question is a broken invariant."""
    residents, settings = slots_with([1.0], "factor:0.5")
    with pytest.raises(AssertionError):
        end_load(residents, settings, 0, True)
