"""Outcomes: the figures by which rules are judged, and what they are measured against."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nicmodel.presets import HOST, PROFILES
from nicmodel.profile import customised
from saactors.errors import ParameterError
from saactors.lab.load import load_trace
from saactors.lab.outcome import Best, Outcome, best_possible, evaluate
from saactors.lab.trace import LabTrace, lab_trace
from saactors.placement.table import RULES
from saactors.replay.options import ReplayOptions
from saactors.replay.run import replay
from saactors.traces.columns import trace_columns

CARD = customised(PROFILES["82599"], slots_max=2)
US = 1000


def trace_of(sas: list[int], gap_ns: int = 100 * US, length_bytes: int = 1500) -> LabTrace:
    """A packet every ``gap_ns``, each a burst of its own."""
    time_ns = np.arange(len(sas), dtype=np.int64) * gap_ns
    lengths = np.full(len(sas), length_bytes, np.int32)
    return lab_trace(trace_columns("made", time_ns, np.array(sas, np.int64), lengths), 1)


def outcome_with(never_ns: float, rule_ns: float, lower_ns: float | None) -> Outcome:
    """An outcome of these costs."""
    found = evaluate(trace_of([0, 0]), "never", {}, CARD, HOST)
    best = None if lower_ns is None else Best("prefetch", lower_ns, lower_ns + 1, 0.1)
    return replace(
        found, never_ns=never_ns, software_ns=rule_ns, nic_ns=0.0, loads_ns=0.0, optimum=best
    )


def test_the_saving_is_a_share_of_what_could_be_saved() -> None:
    """Half way between never and the optimum's lower bound is 50 %; the upper one is no matter."""
    assert outcome_with(1000.0, 700.0, 400.0).saving_percent == 50.0
    assert outcome_with(1000.0, 1000.0, 400.0).saving_percent == 0.0
    assert outcome_with(1000.0, 1600.0, 400.0).saving_percent == -100.0


def test_there_is_no_share_of_nothing() -> None:
    """Without an optimum, and where even the optimum saves nothing."""
    assert outcome_with(1000.0, 700.0, None).saving_percent is None
    assert outcome_with(1000.0, 1000.0, 1000.0).saving_percent is None


def test_never_costs_what_software_costs() -> None:
    """1685 ns a packet and 0.21 a byte: 2 µs at 1500 bytes."""
    found = evaluate(trace_of([0, 1, 0, -1]), "never", {}, CARD, HOST)
    assert found.never_ns == found.rule_ns == pytest.approx(3 * 2000)
    assert (found.loads, found.offload_packets, found.offload_bytes) == (0, 0.0, 0.0)
    assert found.packets == 4
    assert found.sas == 2


def test_a_rule_costs_its_packets_and_its_loads() -> None:
    """First-come loads two SAs; each packet after its SA's first goes to the card."""
    found = evaluate(trace_of([0, 0, 1, 1, 2, 0]), "first-come", {}, CARD, HOST)
    assert (found.loads, found.wasted_loads) == (2, 2)
    assert found.offload_packets == 0.5
    assert found.rule_ns == pytest.approx(3 * 2000 + 3 * 800 + 2 * 2550)
    assert found.loads_per_s == 2 / 500e-6
    assert found.refused == 1


def test_the_busiest_software_sa_is_the_one_with_the_most_host_time() -> None:
    """Not with the most packets; and its share of a core is told."""
    time_ns = np.arange(4, dtype=np.int64) * 1000 * US
    lengths = np.array([40, 40, 40, 60_000], np.int32)
    trace = lab_trace(trace_columns("t", time_ns, np.array([0, 0, 0, 1]), lengths), 1)
    found = evaluate(trace, "never", {}, CARD, HOST)
    assert found.busiest_software_sa == 1
    assert found.busiest_software_ns == pytest.approx(1685 + 60_000 * 0.21)
    assert found.busiest_software_load == pytest.approx(found.busiest_software_ns / 3e6)


def test_parameters_are_told_as_they_were_used() -> None:
    """What the cost analysis decided is filled in, and all is JSON."""
    found = evaluate(trace_of([0, 0]), "metric", {"bonus": 3}, CARD, HOST)
    assert found.parameters["bonus"] == 3
    assert found.parameters["threshold"] == pytest.approx(2550 / 1200)
    assert found.parameters["decay"] == "factor:0.9"
    assert evaluate(trace_of([0]), "never", {}, CARD, HOST).parameters == {}
    json.dumps(found.to_json_object(), allow_nan=False)


def test_a_card_that_saves_nothing_has_outcomes_too() -> None:
    """The metric rule's threshold is infinite then, which JSON cannot say as a number."""
    card = customised(CARD, nic_packet_ns=5000)
    found = evaluate(trace_of([0, 0]), "metric", {}, card, HOST)
    assert found.parameters["threshold"] == "inf"
    assert found.with_optimum(best_possible(trace_of([0, 0]), card, HOST)).saving_percent is None
    json.dumps(found.to_json_object(), allow_nan=False)


def test_a_trace_without_packets_has_an_outcome() -> None:
    """All zeroes, and nothing to save."""
    trace = trace_of([])
    found = evaluate(trace, "metric", {}, CARD, HOST).with_optimum(best_possible(trace, CARD, HOST))
    assert (found.packets, found.never_ns, found.rule_ns) == (0, 0.0, 0.0)
    assert (found.loads_per_s, found.busiest_software_load) == (0.0, 0.0)
    assert found.busiest_software_sa is None
    assert found.saving_percent is None


def test_what_cannot_be_run_is_refused() -> None:
    """A rule that does not exist, a parameter that it does not have."""
    with pytest.raises(ParameterError, match=r"rule: found 'mtric'.*did you mean metric\?"):
        evaluate(trace_of([0]), "mtric", {}, CARD, HOST)
    with pytest.raises(ParameterError):
        evaluate(trace_of([0]), "first-come", {"threshold": 3}, CARD, HOST)


def test_the_optimum_of_a_trace_that_one_can_reckon() -> None:
    """One SA of ten packets, one slot: all but those before the load's end, less one load."""
    card = customised(CARD, slots_max=1)
    best = best_possible(trace_of([0] * 10), card, HOST)
    saving_ns = 9 * 1200 - 2550  # the load starts with the trace and takes 2.55 of 100 µs
    assert best.gap == pytest.approx(0, abs=1e-9)
    assert best.lower_ns == pytest.approx(20_000 - saving_ns)
    assert best.upper_ns == pytest.approx(20_000 - saving_ns)


def test_whoever_may_load_at_any_time_does_no_worse() -> None:
    """The kinds of optimum in the order of what they may; ticks come every 100 ms."""
    trace = trace_of([0, 1, 2, 0, 0, 1, 1, 2] * 400)
    prefetch, demand, ticks = (
        best_possible(trace, CARD, HOST, kind) for kind in ("prefetch", "demand", "ticks")
    )
    assert prefetch.lower_ns < demand.lower_ns
    assert prefetch.lower_ns < ticks.lower_ns
    assert (prefetch.kind, demand.kind, ticks.kind) == ("prefetch", "demand", "ticks")
    with pytest.raises(ParameterError, match="kind: found 'oracle', expected one of prefetch"):
        best_possible(trace, CARD, HOST, "oracle")


SAS = st.lists(st.integers(-1, 6), min_size=1, max_size=120)
GENTLE = {"metric": {"threshold": 2.0, "bonus": 1.0, "period_ns": 500_000}}


@settings(deadline=None)
@given(SAS, st.sampled_from(sorted(RULES)), st.integers(1, 4), st.sampled_from([1, 50_000]))
def test_no_rule_costs_less_than_the_optimum(
    sas: list[int], rule: str, slots: int, latency_ns: int
) -> None:
    """Whatever the rule, the traffic, the slots and the load latency (law 8)."""
    card = customised(CARD, slots_max=slots, load_latency_ns=latency_ns, load_host_ns=1000)
    trace = trace_of(sas, gap_ns=20 * US)
    best = best_possible(trace, card, HOST)
    found = evaluate(trace, rule, GENTLE.get(rule, {}), card, HOST).with_optimum(best)
    assert best.lower_ns <= best.upper_ns + 1e-6 <= found.never_ns + 2e-6
    assert found.rule_ns >= best.lower_ns - 1e-6
    assert found.saving_percent is None or found.saving_percent <= 100 + 1e-9
    assert math.isfinite(best.gap)


@pytest.mark.parametrize("rule", ["metric", "first-come", "never"])
def test_the_lab_counts_what_a_replay_counts(
    rule: str, tmp_path: Path, write_traffic: Callable[..., Path]
) -> None:
    """The same capture through actors and lab: loads, packets on the card, host time."""
    draws = np.random.default_rng(5)
    flows = draws.zipf(1.3, 4000) % 60
    lengths = draws.integers(60, 1400, 4000)
    packets = [
        (number * 20 * US, int(flows[number]), int(lengths[number])) for number in range(4000)
    ]
    capture = write_traffic(tmp_path / "t.pcap", packets)
    replayed = replay(
        ReplayOptions(capture=str(capture), rule=rule, profile="netdevsim", crypto="none")
    ).to_json_object()
    card = PROFILES["netdevsim"]
    found = evaluate(lab_trace(load_trace(capture)), rule, {}, card, HOST)
    assert found.loads == replayed["loads"]
    assert found.offload_packets == replayed["offload_ratio"]["packets"]
    assert found.offload_bytes == replayed["offload_ratio"]["bytes"]
    assert found.rule_ns == pytest.approx(replayed["host_time_ns"]["total"])
    assert found.never_ns == pytest.approx(replayed["host_time_ns"]["all_software"])
    assert found.refused == replayed["loads_refused"]
