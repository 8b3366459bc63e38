"""The clairvoyant rule: who is chosen is loaded once, and whoever knows the trace chooses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

import numpy as np
from hypothesis import given, settings

from saactors.lab.clairvoyant import most_saving
from saactors.lab.run import LabRun, cost_model
from saactors.model.packets import NO_SA
from saactors.placement.rule import NOTHING_DECIDED, Packets
from saactors.placement.table import RULES, make_rule
from saactors.traces.columns import trace_columns
from tests.placement.policies.conftest import (
    ARRIVALS,
    AT_ONCE,
    EXAMPLES,
    HOST,
    LATENCIES_NS,
    LOAD_HOST_NS,
    SLOTS,
    NaiveRule,
    arranged,
    card_of,
    decided,
    naively_decided,
)

COST: Final = cost_model(card_of(1, 0, 1), HOST)


class _Static(NaiveRule):
    """Adds up what each SA saves from its second packet on, in trace order of the SAs."""

    def choose(self, run: LabRun) -> None:
        saved: Counter[int] = Counter()
        known = set()
        for packet in run.trace.packets:
            sa = int(packet["sa"])
            if sa in known:
                saved[sa] += int(self.cost.saving_ns(int(packet["length_bytes"])))
            known.add(sa)
        best = sorted(known, key=lambda sa: (-saved[sa], sa))[: self.slots]
        self.chosen = {sa for sa in best if saved[sa] > LOAD_HOST_NS}

    def wants(self) -> bool:
        return self.sa in self.chosen


@settings(deadline=None, max_examples=EXAMPLES)
@given(arrivals=ARRIVALS, slots=SLOTS, latency_ns=LATENCIES_NS, at_once=AT_ONCE)
def test_static_top_k_decides_as_it_is_told(
    lab_run: Callable[..., LabRun],
    arrivals: list[tuple[int, int, int]],
    slots: int,
    latency_ns: int,
    at_once: int,
) -> None:
    """The lab tells it what to load."""
    card = card_of(slots, latency_ns, at_once)
    run = lab_run("static-top-k", arranged(arrivals), card)
    rule = _Static(card)
    rule.choose(run)
    assert decided(run) == naively_decided(rule, run)


def test_those_that_save_most_are_chosen_if_they_are_worth_a_load() -> None:
    """600 ns for a load; packets of 100 and 1400 bytes save 200 and 1500, an SA's first nothing."""
    keys = np.array([0, 0, 0, 0, 1, 1, 2, 2, NO_SA, 3, 3, 3, 3, 3], np.int64)
    sizes = np.array([100] * 4 + [1400] * 2 + [100] * 2 + [1400] + [100] * 5, np.int32)
    columns = trace_columns("test", np.arange(14), keys, sizes)
    assert most_saving(columns, COST, 4).tolist() == [1, 3]
    assert most_saving(columns, COST, 1).tolist() == [1]
    assert most_saving(columns, COST, 0).tolist() == []


def test_where_nobody_has_chosen_nobody_is_loaded(burst_of: Callable[..., Packets]) -> None:
    """The rule alone knows nothing; and it is the only one that has to be told."""
    rule = make_rule("static-top-k", {}, 4, 4, COST)
    rule.arbiter.receive(3)
    assert rule.arbiter.decide(burst_of([0, 1, 2] * 99), 0, 0) is NOTHING_DECIDED
    assert [name for name, entry in RULES.items() if entry.clairvoyant] == ["static-top-k"]
