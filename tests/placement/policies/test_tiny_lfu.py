"""W-TinyLFU with a margin, against the same told naively."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from nicmodel.profile import CardProfile
from saactors.lab.run import LabRun
from saactors.placement.cost import CostModel
from saactors.placement.table import read_parameters
from tests.placement.policies.conftest import (
    ARRIVALS,
    AT_ONCE,
    EXAMPLES,
    LATENCIES_NS,
    SLOTS,
    NaiveRule,
    arranged,
    card_of,
    decided,
    naively_decided,
)


class _TinyLfu(NaiveRule):
    """A window and two segments, most recent first; counts that are halved for everybody."""

    def __init__(self, card: CardProfile, margin: float, sample_per_slot: float) -> None:
        super().__init__(card)
        self.margin = margin
        self.sample = sample_per_slot * self.slots
        self.window: list[int] = []
        self.probation: list[int] = []
        self.protected: list[int] = []
        self.counts: Counter[int] = Counter()
        self.packets = 0
        self.window_max = max(1, self.slots // 100)

    def heard(self) -> None:
        self.counts[self.sa] += 1
        self.packets += 1
        if self.packets >= self.sample:
            self.packets = 0
            for sa in self.counts:
                self.counts[sa] //= 2

    def touch(self) -> None:
        if self.sa in self.probation:
            self.probation.remove(self.sa)
            self.protected.insert(0, self.sa)
            if len(self.protected) > int((self.slots - self.window_max) * 0.8):
                self.probation.insert(0, self.protected.pop())
            return
        queue = self.window if self.sa in self.window else self.protected
        queue.remove(self.sa)
        queue.insert(0, self.sa)

    def victim(self) -> int | None:
        ends = [queue[-1] for queue in (self.window, self.probation or self.protected) if queue]
        return min(ends, key=lambda end: self.counts[end], default=None)

    def wants(self) -> bool:
        lead = self.counts[self.sa] - self.margin
        if self.has_free_seat:
            return lead >= 0
        loser = self.victim()
        return loser is not None and lead >= self.counts[loser]

    def entered(self, sa: int) -> None:
        self.window.insert(0, sa)
        if len(self.window) > self.window_max:
            self.probation.insert(0, self.window.pop())

    def left(self, sa: int) -> None:
        for queue in (self.window, self.probation, self.protected):
            if sa in queue:
                queue.remove(sa)


@settings(deadline=None, max_examples=EXAMPLES)
@given(
    arrivals=ARRIVALS,
    slots=SLOTS,
    latency_ns=LATENCIES_NS,
    at_once=AT_ONCE,
    margin=st.sampled_from([0.0, 1.0, 1.0, 2.0, 3.5]),
    sample_per_slot=st.sampled_from([1.0, 2.5, 10.0, 1000.0]),
)
def test_tinylfu_decides_as_it_is_told(
    lab_run: Callable[..., LabRun],
    arrivals: list[tuple[int, int, int]],
    slots: int,
    latency_ns: int,
    at_once: int,
    margin: float,
    sample_per_slot: float,
) -> None:
    """Whatever is asked of newcomers, and however often all is halved."""
    card = card_of(slots, latency_ns, at_once)
    given = {"margin": margin, "sample_per_slot": sample_per_slot}
    run = lab_run("tinylfu", arranged(arrivals), card, given)
    assert decided(run) == naively_decided(_TinyLfu(card, margin, sample_per_slot), run)


def test_margin_and_sample_follow_from_the_costs() -> None:
    """A load worth 5 packets: that lead, counted over 50 packets per slot; a free one, over 10."""
    parameters = read_parameters("tinylfu", {}, CostModel(2000, 0, 400, 0, 8000))
    assert (parameters.margin, parameters.sample_per_slot) == (5, 50)
    free = read_parameters("tinylfu", {}, CostModel(2000, 0, 400, 0, 0))
    assert (free.margin, free.sample_per_slot) == (0, 10)


def test_nobody_leads_enough_where_the_card_saves_nothing() -> None:
    """The margin is infinite then, and all that is counted is as of little use as ever."""
    parameters = read_parameters("tinylfu", {}, CostModel(400, 0, 400, 0, 8000))
    assert (parameters.margin, parameters.sample_per_slot) == (math.inf, 10)
