"""Law 4: residents fit into the slots, the card encrypts for residents only, evictions wait."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saactors.model.burst import Component
from saactors.observe.events import CardReset, Evicted, Loaded, LoadIssued

LOAD_NS, ENGINE_NS = 1000, 1400


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 1000),
    slots=st.integers(1, 4),
    loads_at_once=st.integers(1, 4),
    burst=st.sampled_from([1, 8]),
    load_full=st.sampled_from(["refuse", "wait"]),
    decide=st.sampled_from(["arrival", "periodic"]),
    resets_ns=st.lists(st.integers(0, 400_000), max_size=4),
    lost=st.sampled_from([0.0, 0.3]),
)
def test_no_more_sas_are_on_the_card_than_it_has_slots(
    simulate: Callable[..., Any],
    traffic: Callable[..., Any],
    seed: int,
    slots: int,
    loads_at_once: int,
    burst: int,
    load_full: str,
    decide: str,
    resets_ns: list[int],
    lost: float,
) -> None:
    """At any instant, those on their way there included; and no more loads than its units."""
    seen = []

    def watch(run: Any) -> None:
        card = run.built.system.card
        seen.append((card.resident_count, card.loads_outstanding))

    run = simulate(
        traffic(seed, 300),
        seed=seed,
        burst=burst,
        burst_wait_ns=4000,
        card={"slots_max": slots, "loads_at_once": loads_at_once, "load_full": load_full},
        faults={"resets_ns": resets_ns, "load_lost_probability": lost},
        rule={"decide": decide, "period_ns": 10_000},
        watch=watch,
        watch_ns=700,
    )
    assert max(residents + loading for residents, loading in seen) <= slots
    assert max(loading for _, loading in seen) <= loads_at_once + 1
    statistics = run.built.system.card.statistics()
    ended = statistics.loaded + statistics.lost
    assert statistics.loads == ended + statistics.loads_outstanding
    assert run.built.system.rule.arbiter.loads_outstanding <= slots


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("resets_ns", [[], list(range(70_000, 1_000_000, 70_000))])
def test_the_card_encrypts_for_residents_only(
    seed: int,
    resets_ns: list[int],
    simulate: Callable[..., Any],
    traffic: Callable[..., Any],
) -> None:
    """What it encrypted arrived while its SA was on the card: loaded, and not yet evicted."""
    run = simulate(traffic(seed), burst=1, faults={"resets_ns": resets_ns}, card={"slots_max": 2})
    loaded, gone = defaultdict(list), defaultdict(list)
    for event in run.told(Loaded):
        loaded[event.sa].append(event.time_ns)
    for event in run.told(Evicted):
        gone[event.sa].append(event.time_ns)
    resets = [event.time_ns for event in run.told(CardReset)]
    assert len(run.told(Evicted)) > 15
    on_card = [packet for packet in run.left if packet.component is Component.NIC]
    assert len(on_card) > 100
    for packet in on_card:
        loads_before = bisect_left(loaded[packet.sa], packet.arrived_ns)
        assert loads_before > 0
        since_ns = loaded[packet.sa][loads_before - 1]
        ends = [*gone[packet.sa], *resets]
        assert not any(since_ns < end_ns < packet.arrived_ns for end_ns in ends)


@pytest.mark.parametrize("seed", range(4))
def test_a_load_waits_for_the_packets_of_its_victim(
    seed: int, simulate: Callable[..., Any], traffic: Callable[..., Any]
) -> None:
    """The newcomer's fetch begins when the victim's last packet has left the engine."""
    run = simulate(
        traffic(seed),
        burst=1,
        card={"slots_max": 1, "load_latency_ns": LOAD_NS, "engine_packet_ns": float(ENGINE_NS)},
        rule={"threshold": 0.0, "bonus": 0.0, "decay": "factor:0.25", "period_ns": 5000},
    )
    engine_free_ns = 0
    leaves_engine_ns: dict[int, int] = defaultdict(int)  # SA → when its last packet so far does
    loaded_ns = {
        (told.sa, told.time_ns - told.latency_ns): told.time_ns for told in run.told(Loaded)
    }
    had_to_wait = 0
    happened = [(packet.arrived_ns, packet) for packet in run.left]
    happened += [(told.time_ns, told) for told in run.told(LoadIssued)]
    for now_ns, what in sorted(
        happened, key=lambda pair: (pair[0], isinstance(pair[1], LoadIssued))
    ):
        if isinstance(what, LoadIssued):
            done_ns = loaded_ns.get((what.sa, now_ns))
            assert done_ns is None or done_ns >= leaves_engine_ns[what.victim] + LOAD_NS
            had_to_wait += done_ns is not None and leaves_engine_ns[what.victim] > now_ns
        elif what.component is Component.NIC:
            engine_free_ns = max(engine_free_ns, now_ns) + ENGINE_NS
            leaves_engine_ns[what.sa] = engine_free_ns
    assert had_to_wait > 5
