"""The running system against a simulator that shares no code with it.

The system must decide the same as ``reference`` for every packet: where its crypto runs, what is
loaded in whose place and when, and by which metrics (DESIGN.md §5, laws 4 to 6).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from saactors.observe.events import Loaded, LoadIssued
from saactors.placement.change import encode_signal
from tests.sim.reference import ReferenceAgent, RuleSetup, Setup

GAPS_NS = st.sampled_from([0, 1, 300, 1000, 2000, 2500, 4000, 10_000, 30_000])
FLOWS = st.sampled_from([0, 0, 0, 1, 1, 2, 3, 4])
TRAFFIC = st.lists(
    st.tuples(GAPS_NS, FLOWS, st.sampled_from([60, 1400])), min_size=40, max_size=120
)
DECAYS = st.sampled_from([(1.0, 0.0), (0.5, 0.0), (0.25, 0.0), (1.0, 1.0), (1.0, 3.0)])
RULES = st.builds(
    lambda decay, **given: RuleSetup(factor=decay[0], amount=decay[1], **given),
    decay=DECAYS,
    initial=st.sampled_from([0, 0, 3]),
    increment=st.sampled_from([1, 1, 0.5]),
    bonus=st.sampled_from([0, 1, 4]),
    threshold=st.sampled_from([0, 1, 2, 3]),
    period_ns=st.sampled_from([4000, 10_000, 20_000]),
    weight=st.sampled_from(["packets", "packets", "bytes", "saved-ns"]),
    periodic=st.booleans(),
)
# Many instants coincide: of packets, ticks, loads, resets and signals.
INSTANTS_NS = st.integers(0, 120).map(lambda n: n * 1000)
SETUPS = st.builds(
    Setup,
    slots=st.integers(1, 3),
    loads_at_once=st.integers(1, 2),
    load_queue=st.integers(0, 2),
    load_ns=st.sampled_from([0, 1000, 4000, 9000]),
    timeout_ns=st.just(12_000),
    engine_ns=st.sampled_from([100, 1000, 5000]),
    blocks_engine=st.booleans(),
    loses_loads=st.sampled_from([False] * 7 + [True]),
    refuses_loads=st.sampled_from([False] * 7 + [True]),
    resets_ns=st.lists(INSTANTS_NS, max_size=2),
    burst=st.sampled_from([1, 1, 4, 256]),
    burst_wait_ns=st.sampled_from([0, 2500]),
    rule=RULES,
    changes=st.lists(st.tuples(INSTANTS_NS, RULES), max_size=2),
)


@settings(deadline=None, max_examples=200)
@given(arrivals=TRAFFIC, setup=SETUPS, scheduler_seed=st.integers(0, 1000))
def test_every_decision_is_the_reference_s(
    simulate: Callable[..., Any],
    arrivals: list[tuple[int, int, int]],
    setup: Setup,
    scheduler_seed: int,
) -> None:
    """Same loads by the same metrics at the same times, same component for every packet."""
    packets = arranged(arrivals)
    reference = ReferenceAgent(setup)
    reference.run(packets)
    run = simulate(packets, scheduler_seed=scheduler_seed, **as_options(setup))
    # What waits is placed later than the reference knows, which is another test's affair.
    assume(not any(edge.waits for edge in run.result.edges.values()))
    assert [
        (told.time_ns, told.sa, told.victim, told.metric, told.victim_metric)
        for told in run.told(LoadIssued)
    ] == reference.loads
    assert {(left.sa, left.order): left.component for left in run.left} == reference.components
    assert run.result.loads_refused == reference.refused
    ended_ns = packets[-1][0]  # of loads that are done later nobody needs to hear
    assert {(told.time_ns, told.sa) for told in run.told(Loaded) if told.time_ns < ended_ns} == {
        (time_ns, sa)
        for time_ns, what, sa in reference.card.reports
        if what == "loaded" and time_ns < ended_ns
    }


def arranged(arrivals: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Packets at times from 0 on, of flows numbered as they come, as the system numbers SAs."""
    packets, now_ns, numbers = [], 0, {}
    for gap_ns, flow, length_bytes in arrivals:
        now_ns += gap_ns if packets else 0
        packets.append((now_ns, numbers.setdefault(flow, len(numbers)), length_bytes))
    return packets


def as_options(setup: Setup) -> dict[str, Any]:
    """The setup in the words of a scenario and of the replay's options."""
    return {
        "card": {
            "slots_max": setup.slots,
            "load_latency_ns": setup.load_ns,
            "load_timeout_ns": setup.timeout_ns,
            "loads_at_once": setup.loads_at_once,
            "load_queue_max": setup.load_queue,
            "load_blocks_engine": setup.blocks_engine,
            "engine_packet_ns": float(setup.engine_ns),
        },
        "faults": {
            "load_lost_probability": float(setup.loses_loads),
            "load_refused_probability": float(setup.refuses_loads),
            "resets_ns": setup.resets_ns,
        },
        "rule": as_parameters(setup.rule),
        "signals": [
            (instant_ns, encode_signal("metric", as_parameters(rule)))
            for instant_ns, rule in setup.changes
        ],
        "burst": setup.burst,
        "burst_wait_ns": setup.burst_wait_ns,
        "crypto": "none",
        "software_workers": 2,
    }


def as_parameters(rule: RuleSetup) -> dict[str, Any]:
    """The rule's parameters by the names that the system has for them."""
    parameters = asdict(rule)
    factor, amount = parameters.pop("factor"), parameters.pop("amount")
    parameters["decay"] = f"amount:{amount}" if amount else f"factor:{factor}"
    parameters["decide"] = "periodic" if parameters.pop("periodic") else "arrival"
    return parameters
