"""The laws of the card and of the driver, over whatever the lab's loop decides.

Everything is recomputed from what a run leaves: a route with every packet, and the log of loads.
An SA is on the card, for the rule, from the instant after its load was done until the command that
replaces it; the burst of that very command is placed before the SA has left.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nicmodel.presets import HOST, PROFILES
from nicmodel.profile import CardProfile, customised
from saactors.errors import ParameterError
from saactors.lab import run as lab_run
from saactors.lab.run import LabRun, run_rule
from saactors.lab.trace import LabTrace, lab_trace
from saactors.model.packets import NO_SA, Route
from saactors.placement.table import RULES, Rule, make_rule
from saactors.traces.columns import TraceColumns, trace_columns
from tests.lab.conftest import parameters_of

CARDS = st.fixed_dictionaries(
    {
        "slots_max": st.integers(1, 5),
        "loads_at_once": st.integers(1, 3),
        "load_queue_max": st.integers(0, 2),
        "load_latency_ns": st.sampled_from([0, 1000, 4000, 20_000]),
        "load_full": st.sampled_from(["refuse", "wait"]),
        "load_blocks_engine": st.booleans(),
        "engine_packet_ns": st.sampled_from([100.0, 1000.0, 5000.0]),
    }
)
BURSTS = st.tuples(st.sampled_from([1, 4, 256]), st.sampled_from([0, 2500, 9000]))


def card_of(figures: dict[str, Any]) -> CardProfile:
    """A card with these figures on which a load is worth a few packets."""
    return customised(PROFILES["82599"], load_host_ns=3000, load_timeout_ns=50_000, **figures)


def columns_of(seed: int, packets: int = 400, sas: int = 12) -> TraceColumns:
    """A few SAs carry most packets, every so often others; one packet in ten needs no crypto."""
    generator = np.random.default_rng(seed)
    gaps_ns = generator.choice([0, 1, 500, 1000, 2500, 9000], packets)
    popularity = 1 / np.arange(1, sas + 1) ** 1.2
    popularity /= popularity.sum()
    keys = np.concatenate(
        [
            generator.permutation(sas)[generator.choice(sas, len(part), p=popularity)]
            for part in np.array_split(np.arange(packets), 5)
        ]
    )
    keys[generator.random(packets) < 0.1] = NO_SA
    lengths_bytes = generator.choice([60, 576, 1400], packets).astype(np.int32)
    return trace_columns("generated", np.cumsum(gaps_ns), keys, lengths_bytes)


def run(trace: LabTrace, rule: str, figures: dict[str, Any] | None = None) -> LabRun:
    """Place the trace by a rule that decides a lot."""
    return run_rule(trace, rule, parameters_of(rule), card_of(figures or {}), HOST)


class Moment(NamedTuple):
    """A load command, and what the SAs that have been loaded stand at: done in ns, by SA."""

    load: np.void
    held: dict[int, int]


def commands_of(placed: LabRun) -> list[Moment]:
    """Every command with what the card held, or was loading, right before."""
    held: dict[int, int] = {}
    moments = []
    for load in placed.loads:
        moments.append(Moment(load, dict(held)))
        take(held, load)
    return moments


def take(held: dict[int, int], load: np.void) -> None:
    """Let a command change what the card holds; of a refused one only the victim leaves."""
    held.pop(int(load["victim"]), None)
    if load["done_ns"] >= 0:
        held[int(load["sa"])] = int(load["done_ns"])


def routes_by_log(placed: LabRun) -> dict[int, int]:
    """Where each packet belongs according to the load log alone, by row.

    Left out are a victim's packets in the very burst that replaced it, for the log does not say
    which of them came before.
    """
    trace, loads = placed.trace, list(placed.loads)
    held: dict[int, int] = {}
    expected, start, taken = {}, 0, 0
    for burst in trace.bursts:
        while taken < len(loads) and loads[taken]["before_row"] <= start:
            take(held, loads[taken])
            taken += 1
        leaving = {int(load["victim"]) for load in loads[taken:] if in_burst(load, burst)}
        for row in range(start, burst["stop"]):
            sa = int(trace.packets["sa"][row])
            if sa in held and held[sa] < burst["placed_ns"]:
                expected[row] = int(Route.NIC)
            else:
                expected[row] = int(Route.BYPASS if sa == NO_SA else Route.SOFTWARE)
            if sa in leaving - {NO_SA}:
                del expected[row]
        start = burst["stop"]
    return expected


def in_burst(load: np.void, burst: np.void) -> bool:
    """Whether the command was decided with that burst, and not by a review after it."""
    same_row, same_time = load["before_row"] == burst["stop"], load["time_ns"] == burst["placed_ns"]
    return bool(same_row and same_time)


@pytest.mark.parametrize("rule", RULES)
@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000), figures=CARDS, bursts=BURSTS)
def test_packets_are_on_the_card_exactly_while_their_sa_is(
    rule: str, seed: int, figures: dict[str, Any], bursts: tuple[int, int]
) -> None:
    """Load done strictly before, not yet replaced: NIC. Any other packet: software."""
    placed = run(lab_trace(columns_of(seed), *bursts), rule, figures)
    expected = routes_by_log(placed)
    routes = placed.trace.packets["route"]
    assert {row: int(routes[row]) for row in expected} == expected


@pytest.mark.parametrize("rule", RULES)
@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000), figures=CARDS, bursts=BURSTS)
def test_loads_keep_to_slots_units_and_what_may_be_outstanding(
    rule: str, seed: int, figures: dict[str, Any], bursts: tuple[int, int]
) -> None:
    """Law 4 at every command, victims RESIDENT, newcomers ABSENT, loads as many as may be."""
    card = card_of(figures)
    placed = run(lab_trace(columns_of(seed), *bursts), rule, figures)
    for load, held in commands_of(placed):
        now_ns = load["time_ns"]
        assert load["sa"] not in held
        assert load["victim"] == NO_SA or held[int(load["victim"])] < now_ns
        assert len(held) + (load["victim"] == NO_SA) <= card.slots_max or load["done_ns"] < 0
        unheard = sum(done_ns >= now_ns for done_ns in held.values())
        assert unheard < card.loads_outstanding_max
    done_ns = placed.loads["done_ns"][placed.loads["done_ns"] >= 0]
    began_ns = done_ns - card.load_latency_ns
    running = [int(((began_ns <= each) & (each < done_ns)).sum()) for each in began_ns]
    assert max(running, default=0) <= card.loads_at_once


@pytest.mark.parametrize("rule", RULES)
def test_the_same_run_decides_the_same(rule: str) -> None:
    """Nothing is left over from one run to the next, nor is anything left to chance."""
    trace = lab_trace(columns_of(1, packets=2000), 4, 2500)
    once = run(trace, rule, {"slots_max": 4})
    packets = trace.packets.copy()
    again = run(trace, rule, {"slots_max": 4})
    assert again.loads.tolist() == once.loads.tolist()
    assert (again.refused, again.card_full) == (once.refused, once.card_full)
    assert trace.packets.tolist() == packets.tolist()
    assert (len(once.loads) > 0) == (rule != "never")


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("burst", [1, 256])
def test_a_log_that_fills_up_changes_nothing(
    rule: str, burst: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Handing over the log after every burst that loads gives the same as in one go."""
    trace = lab_trace(columns_of(2, packets=2000), burst, 9000)
    at_once = run(trace, rule, {"slots_max": 4, "loads_at_once": 2})
    packets = trace.packets.copy()
    monkeypatch.setattr(lab_run, "LOG_ROOM", 0)
    in_parts = run(trace, rule, {"slots_max": 4, "loads_at_once": 2})
    assert in_parts.loads.tolist() == at_once.loads.tolist()
    assert (in_parts.refused, in_parts.card_full) == (at_once.refused, at_once.card_full)
    assert trace.packets.tolist() == packets.tolist()


@pytest.mark.parametrize("rule", RULES)
def test_an_empty_trace_is_a_run_without_decisions(rule: str) -> None:
    """No packet, no SA, no load."""
    nothing = np.zeros(0, np.int64)
    trace = lab_trace(trace_columns("nothing", nothing, nothing, nothing.astype(np.int32)))
    placed = run(trace, rule)
    assert (len(placed.trace.packets), len(placed.loads), placed.refused) == (0, 0, 0)


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_that_is_given_no_slots_loads_nothing(
    rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A card has a slot at least, but a rule may be given none of them."""

    def without_slots(name: str, given: Any, _slots: int, *rest: Any) -> Rule:
        return make_rule(name, given, 0, *rest)

    monkeypatch.setattr(lab_run, "make_rule", without_slots)
    placed = run(lab_trace(columns_of(3)), rule)
    assert len(placed.loads) == 0
    assert set(placed.trace.packets["route"]) == {Route.SOFTWARE, Route.BYPASS}


def test_never_loads_nothing() -> None:
    """Every packet that needs crypto gets it in software."""
    trace = lab_trace(columns_of(4))
    placed = run(trace, "never")
    assert len(placed.loads) == placed.refused == placed.card_full == 0
    expected = np.where(trace.packets["sa"] == NO_SA, Route.BYPASS, Route.SOFTWARE)
    assert trace.packets["route"].tolist() == expected.tolist()


def test_a_latency_left_to_chance_is_refused() -> None:
    """The lab has no seed for it, so it says what it expects."""
    card = customised(PROFILES["82599"], load_latency_distribution="exponential")
    with pytest.raises(ParameterError, match=r"load_latency_distribution.*fixed"):
        run_rule(lab_trace(columns_of(5)), "never", {}, card, HOST)


FROM_NOTHING = """
import sys
import numpy as np
from nicmodel.presets import HOST, PROFILES
from saactors.lab.run import run_rule
from saactors.lab.trace import lab_trace
from saactors.traces.columns import trace_columns
columns = [np.arange(9) * 1000, np.arange(9) % 2, np.full(9, 100, np.int32)]
print(len(run_rule(lab_trace(trace_columns("t", *columns)), sys.argv[1], {}, PROFILES["82599"],
    HOST).trace.packets))
"""


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["metric", "ovs"])
def test_a_driver_compiles_where_nothing_has_been_compiled_before(
    rule: str, tmp_path: Path
) -> None:
    """What it calls may take arrays, and must not have been compiled by someone else first."""
    done = subprocess.run(
        [sys.executable, "-c", FROM_NOTHING, rule],
        env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("9\n", "")
