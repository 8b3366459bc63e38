"""The account of a run: the compiled pass counts what a plain reading of its records counts."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nicmodel.presets import PROFILES
from nicmodel.profile import CardProfile, HostProfile, customised
from saactors.lab.account import account
from saactors.lab.driver import LAB_LOAD
from saactors.lab.run import LabRun, cost_model, run_rule
from saactors.lab.trace import LabTrace, lab_trace
from saactors.model.packets import NO_SA, Route
from saactors.placement.table import make_rule
from saactors.traces.columns import TraceColumns, trace_columns

HOST = HostProfile(name="plain", software_packet_ns=1000.0, software_byte_ns=1.0)
# A packet of 100 bytes costs 1100 ns in software and 300 on the card; a load costs 1000.
CARD = customised(
    PROFILES["netdevsim"], slots_max=2, nic_packet_ns=200, nic_byte_ns=1.0, load_host_ns=1000
)


def trace_of(packets: Sequence[tuple[int, int]], burst_max: int = 1) -> LabTrace:
    """A trace of packets of 100 bytes, given as (time_ns, SA)."""
    time_ns = np.array([time_ns for time_ns, _ in packets], np.int64)
    sa = np.array([sa for _, sa in packets], np.int64)
    return lab_trace(trace_columns("t", time_ns, sa, np.full(len(sa), 100, np.int32)), burst_max, 0)


def run_of(trace: LabTrace, routes: str, loads: Sequence[tuple[int, int, int, int]] = ()) -> LabRun:
    """A made-up run: a letter per packet (s: software, n: card, finished after 500 ns, b: bypass).

    A load is (before_row, SA, victim, done_ns).
    """
    letters = {"s": Route.SOFTWARE, "n": Route.NIC, "b": Route.BYPASS}
    trace.packets["route"] = [letters[letter] for letter in routes]
    trace.packets["finish_ns"] = trace.packets["time_ns"] + 500
    log = np.zeros(len(loads), LAB_LOAD)
    for entry, (before_row, sa, victim, done_ns) in zip(log, loads, strict=True):
        entry["before_row"], entry["sa"], entry["victim"] = before_row, sa, victim
        entry["done_ns"] = done_ns
    rule = make_rule("never", {}, 2, 1, cost_model(CARD, HOST))
    return LabRun(rule, trace, log, 0, 0, 0.0)


def test_packets_and_bytes_are_counted_by_component() -> None:
    """What needs no crypto is counted nowhere."""
    counted = account(run_of(trace_of([(0, 0), (1, 1), (2, -1), (3, 0)]), "snbs"))
    assert counted.totals["software_packets"] == 2
    assert counted.totals["software_bytes"] == 200
    assert counted.totals["nic_packets"] == 1
    assert counted.totals["nic_bytes"] == 100
    assert len(counted.latency) == 3


def test_each_sa_has_its_own_host_time() -> None:
    """In software, and what the card saved."""
    counted = account(run_of(trace_of([(0, 0), (1, 1), (2, 0), (3, 1)]), "snsn"))
    assert counted.software_ns.tolist() == [2200.0, 0.0]
    assert counted.saved_ns.tolist() == [0.0, 1600.0]


def test_a_software_worker_serves_one_packet_after_another() -> None:
    """The second waits for the first, the third comes when nobody waits."""
    counted = account(run_of(trace_of([(0, 0), (100, 1), (10_000, 0)]), "sss"))
    assert counted.latency.percentile_ns(0.34) == pytest.approx(1100, rel=1 / 256)
    assert counted.latency.percentile_ns(1.0) == pytest.approx(2100, rel=1 / 256)


def test_latency_on_the_card_is_what_the_card_said() -> None:
    """The queue of the software worker is no matter."""
    counted = account(run_of(trace_of([(0, 0), (0, 0), (100, 1)], burst_max=1), "ssn"))
    assert counted.latency.percentile_ns(0.01) == pytest.approx(500, rel=1 / 256)


def test_a_load_that_saves_less_than_it_costs_is_wasted() -> None:
    """One packet saves 800 of 1000 ns, two save 1600; the end of the trace ends a visit, too."""
    packets = [(time_ns, sa) for time_ns, sa in enumerate([0, 0, 1, 1, 1])]
    loads = [(1, 0, NO_SA, 0), (3, 1, 0, 2)]
    counted = account(run_of(trace_of(packets), "snsnn", loads))
    assert counted.totals["wasted_loads"] == 1
    counted = account(run_of(trace_of(packets[:4]), "snsn", loads))
    assert counted.totals["wasted_loads"] == 2


def test_a_load_that_saves_just_its_cost_is_not_wasted() -> None:
    """The host is no worse off: five packets save 4000 ns, and so much the load costs."""
    trace = trace_of([(time_ns, 0) for time_ns in range(6)])
    run = run_of(trace, "snnnnn", [(1, 0, NO_SA, 0)])
    for load_host_ns, wasted in ((4000.0, 0), (4001.0, 1)):
        run.rule.cost = dataclasses.replace(run.rule.cost, load_host_ns=load_host_ns)
        assert account(run).totals["wasted_loads"] == wasted


def test_a_visit_counts_only_what_came_after_its_load() -> None:
    """An SA that is replaced and comes back earns its second load anew."""
    packets = [(time_ns, sa) for time_ns, sa in enumerate([0, 0, 0, 1, 0, 0])]
    loads = [(1, 0, NO_SA, 0), (4, 1, 0, 3), (5, 0, 1, 4)]
    counted = account(run_of(trace_of(packets), "snnssn", loads))
    assert counted.totals["wasted_loads"] == 2
    counted = account(run_of(trace_of(packets), "snsssn", loads))
    assert counted.totals["wasted_loads"] == 3


def test_a_load_that_the_card_refuses_is_wasted_and_told() -> None:
    """It costs like any other, and its victim is gone all the same."""
    packets = [(time_ns, sa) for time_ns, sa in enumerate([0, 0, 0, 1])]
    loads = [(1, 0, NO_SA, 0), (4, 1, 0, -1)]
    counted = account(run_of(trace_of(packets), "snns", loads))
    assert counted.totals["card_refused"] == 1
    assert counted.totals["wasted_loads"] == 1


def test_packets_go_past_a_load_until_the_burst_after_it() -> None:
    """At the very instant of its end nobody knows of it yet; of other SAs no packet counts."""
    packets = [(0, 0), (10, 0), (20, 1), (30, 0), (31, 0)]
    counted = account(run_of(trace_of(packets), "sssss", [(1, 0, NO_SA, 30)]))
    assert counted.totals["bypassed_loading"] == 2


CARDS = (
    CARD,
    customised(CARD, load_latency_ns=300, load_host_ns=3000),
    customised(PROFILES["nfp"], slots_max=3, load_latency_ns=900, load_queue_max=1),
)
RULES = (("metric", {"threshold": 1.0, "period_ns": 700}), ("first-come", {}), ("lru", {}))


@st.composite
def traces(draw: st.DrawFn) -> LabTrace:
    """Up to 60 packets of up to 6 SAs, some of them without crypto, close together or far apart."""
    sas = draw(st.lists(st.integers(-1, 5), min_size=1, max_size=60))
    gaps = draw(st.lists(st.integers(0, 800), min_size=len(sas), max_size=len(sas)))
    sizes = draw(st.lists(st.integers(40, 1500), min_size=len(sas), max_size=len(sas)))
    columns = trace_columns(
        "drawn", np.cumsum(gaps), np.array(sas, np.int64), np.array(sizes, np.int32)
    )
    return lab_trace(columns, draw(st.sampled_from([1, 3, 256])), draw(st.sampled_from([0, 500])))


@settings(deadline=None)
@given(traces(), st.sampled_from(CARDS), st.sampled_from(RULES))
def test_the_compiled_pass_agrees_with_a_plain_reading(
    trace: LabTrace, card: CardProfile, rule: tuple[str, dict[str, object]]
) -> None:
    """Packet by packet, load by load, over whatever the rule has decided."""
    run = run_rule(trace, *rule, card, HOST)
    counted, expected = account(run), plain_account(run)
    names = counted.totals.dtype.names
    assert {name: int(counted.totals[name]) for name in names} == expected.totals
    np.testing.assert_allclose(counted.software_ns, expected.software_ns)
    latency = counted.latency
    assert len(latency) == len(expected.latencies_ns)
    for share, place in ((0.01, 0), (1.0, -1)):
        if expected.latencies_ns:
            told_ns = sorted(expected.latencies_ns)[place]
            assert latency.percentile_ns(share) == pytest.approx(told_ns, rel=1 / 256, abs=1)


@dataclasses.dataclass
class Plain:
    """The same counts, made without haste."""

    totals: dict[str, int]
    software_ns: npt.NDArray[np.float64]
    latencies_ns: list[float]


def plain_account(run: LabRun) -> Plain:
    """Read the definitions of ``saactors.lab.account`` one after the other."""
    cost, packets, placed_ns = run.rule.cost, run.trace.packets, run.trace.placed_ns
    totals: Counter[str] = Counter()
    software_ns = np.zeros(run.trace.columns.sa_count)
    latencies_ns, free_ns = [], 0.0
    for row, packet in enumerate(packets):
        size = int(packet["length_bytes"])
        if packet["route"] == Route.NIC:
            totals["nic_packets"] += 1
            totals["nic_bytes"] += size
            latencies_ns.append(float(packet["finish_ns"] - packet["time_ns"]))
        elif packet["route"] == Route.SOFTWARE:
            totals["software_packets"] += 1
            totals["software_bytes"] += size
            software_ns[packet["sa"]] += cost.software_ns(1, size)
            free_ns = max(free_ns, float(placed_ns[row])) + cost.software_ns(1, size)
            latencies_ns.append(free_ns - packet["time_ns"])
            totals["bypassed_loading"] += any(
                load["done_ns"] >= placed_ns[row]
                for load in visits_at(run.loads, int(packet["sa"]), row)
            )
    for number, load in enumerate(run.loads):
        totals["card_refused"] += int(load["done_ns"]) < 0
        stop = len(packets)
        for later in run.loads[number + 1 :]:
            if load["sa"] in (later["sa"], later["victim"]):
                stop = int(later["before_row"])
                break
        visit = packets[load["before_row"] : stop]
        served = visit[(visit["sa"] == load["sa"]) & (visit["route"] == Route.NIC)]
        saved_ns = sum(cost.saving_ns(int(packet["length_bytes"])) for packet in served)
        totals["wasted_loads"] += saved_ns < cost.load_host_ns
    names = account(run).totals.dtype.names
    return Plain({name: totals[name] for name in names}, software_ns, latencies_ns)


def visits_at(loads: npt.NDArray[np.void], sa: int, row: int) -> list[np.void]:
    """The load of the visit that the SA is in at that row: none, or one."""
    found: list[np.void] = []
    for load in loads[loads["before_row"] <= row]:
        if sa == load["victim"]:
            found = []
        if sa == load["sa"]:
            found = [load] if load["done_ns"] >= 0 else []
    return found


def test_an_empty_trace_comes_to_nothing() -> None:
    """No packet, no burst, no SA."""
    empty = np.empty(0, np.int64)
    columns = TraceColumns(
        "empty", empty, empty.astype(np.int32), empty.astype(np.int32), 0, np.zeros(1, np.int64)
    )
    counted = account(run_rule(lab_trace(columns), "metric", {}, CARD, HOST))
    assert counted.totals["software_packets"] == 0
    assert len(counted.latency) == 0
