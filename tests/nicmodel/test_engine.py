"""The engine serves in order, at the profile's rate, and never holds more than its queue."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nicmodel import engine as engines
from nicmodel.engine import CryptoEngine, stall_columns
from nicmodel.faults import Stall
from nicmodel.presets import PROFILES
from nicmodel.profile import CardProfile, customised
from nicmodel.residency import CONTEXT, Residency

INSTANTS = st.integers(0, 2000)
STALLS = st.lists(st.builds(Stall, INSTANTS, st.integers(1, 300)), max_size=4)


def card(**changes: object) -> CardProfile:
    """A card whose engine takes 10 ns a packet and half a nanosecond a byte."""
    figures: dict[str, Any] = {"engine_packet_ns": 10, "engine_byte_ns": 0.5, **changes}
    return customised(PROFILES["82599"], **figures)


def submit_one(engine: CryptoEngine, length: int, now_ns: int) -> int:
    """One packet of an SA that is on the card; returns its finish."""
    contexts = np.zeros(1, CONTEXT)
    contexts["residency"] = Residency.RESIDENT
    finish_ns, refused = engine.submit(
        contexts, np.zeros(1, np.int32), np.array([length], np.int32), now_ns
    )
    assert len(refused) == 0
    return finish_ns


def test_packets_queue_behind_each_other() -> None:
    """10 ns + 100 bytes at 0.5 ns are 60 ns; the second packet waits, the third finds it idle."""
    engine = CryptoEngine(card(), [])
    assert submit_one(engine, 100, 0) == 60
    assert submit_one(engine, 100, 30) == 120
    assert submit_one(engine, 100, 500) == 560
    assert engine.served() == (3, 300, 180)


def test_picoseconds_add_up_over_a_busy_period() -> None:
    """A thousand packets of 0.3 ns take 300 ns, not a thousand rounded ones."""
    engine = CryptoEngine(card(engine_packet_ns=0.3, engine_byte_ns=0), [])
    finishes = [submit_one(engine, 1, 0) for _ in range(1000)]
    assert finishes[0] == 1
    assert finishes[-1] == 300


@pytest.mark.parametrize(("name", "gigabits"), [("82599", 10), ("nfp", 50), ("connectx6", 100)])
def test_a_preset_serves_long_packets_at_about_the_rate_of_its_link(
    name: str, gigabits: float
) -> None:
    """Within 3 %, with the Ethernet overhead of 38 bytes counted."""
    engine = CryptoEngine(PROFILES[name], [])
    finish_ns = [submit_one(engine, 1500, 0) for _ in range(10_000)][-1]
    assert (1500 + 38) * 8 * 10_000 / finish_ns == pytest.approx(gigabits, rel=0.03)


def test_no_packet_starts_during_a_stall_and_a_running_one_goes_on() -> None:
    """A stall at 30 lets the packet of 0 finish at 60 and holds the next back until 200."""
    engine = CryptoEngine(card(), [Stall(30, 170)])
    assert submit_one(engine, 100, 0) == 60
    assert submit_one(engine, 100, 0) == 260


def test_stalls_that_touch_become_one() -> None:
    """Or a packet could start between two of them."""
    columns = stall_columns([Stall(40, 10), Stall(0, 10), Stall(5, 10), Stall(15, 5), Stall(6, 2)])
    assert columns.tolist() == [(0, 20), (40, 50)]


def test_the_queue_takes_no_more_packets_than_it_has_places() -> None:
    """Two places: the third packet waits until the first has left."""
    engine = CryptoEngine(card(engine_queue_packets_max=2), [])
    assert engine.room_ns() == 0
    submit_one(engine, 100, 0)
    submit_one(engine, 100, 0)
    assert engine.room_ns() == 60
    assert engine.queue_packets(59) == 2
    assert engine.queue_packets(60) == 1


def test_a_blocked_engine_starts_nothing_and_a_flushed_one_is_idle() -> None:
    """Blocking never frees the engine sooner; flushing empties its queue at once."""
    engine = CryptoEngine(card(engine_queue_packets_max=1), [])
    submit_one(engine, 100, 0)
    engine.block(20)
    assert submit_one(engine, 100, 60) == 120
    engine.block(1000)
    assert submit_one(engine, 100, 120) == 1060
    assert engine.drained_ns() == 1060
    engine.flush(200)
    assert engine.room_ns() == 200
    assert engine.drained_ns() == 200
    assert submit_one(engine, 100, 200) == 260


def test_only_packets_of_residents_are_taken() -> None:
    """The rows of the others come back, whatever their handle."""
    contexts = np.zeros(4, CONTEXT)
    contexts["residency"] = list(Residency)
    handles = np.array([0, 1, 2, 3, 4, -1, 2], np.int32)
    finish_ns, refused = CryptoEngine(card(), []).submit(
        contexts, handles, np.full(7, 100, np.int32), 0
    )
    assert refused.tolist() == [0, 1, 3, 4, 5]
    assert finish_ns == 120
    assert contexts["last_finish_ns"].tolist() == [0, 0, 120, 0]


def test_a_burst_larger_than_any_before_is_taken() -> None:
    """Bursts hold up to 256 packets today; the engine knows of no such limit."""
    finish_ns, refused = CryptoEngine(card(), []).submit(
        np.zeros(1, CONTEXT), np.zeros(1000, np.int32), np.full(1000, 100, np.int32), 5
    )
    assert len(refused) == 1000
    assert finish_ns == 5


PACKETS = st.lists(st.tuples(st.integers(0, 150), st.integers(1, 400)), max_size=50)


@settings(deadline=None)  # the first example may have to compile
@given(packets=PACKETS, stalls=STALLS, places=st.integers(1, 5))
def test_finishes_are_those_of_a_queue_worked_out_by_hand(
    packets: list[tuple[int, int]], stalls: list[Stall], places: int
) -> None:
    """Lindley's recursion in exact fractions, compiled code and its own source agree."""
    profile = card(engine_packet_ns=7.25, engine_byte_ns=0.125)
    compiled, interpreted = _arrays(profile, places), _arrays(profile, places)
    columns = stall_columns(stalls)
    now_ns, free = 0, Fraction(0)
    finishes: list[int] = []
    for pause_ns, length in packets:
        now_ns += pause_ns
        start = max(Fraction(now_ns), free)
        for stall in sorted(stalls, key=lambda stall: stall.start_ns):
            if stall.start_ns <= start < stall.start_ns + stall.duration_ns:
                start = Fraction(stall.start_ns + stall.duration_ns)
        free = start + Fraction(725, 100) + length * Fraction(1, 8)
        finish_ns = engines.serve(*compiled, columns, length, now_ns)
        assert finish_ns == -(-free.numerator // free.denominator)
        assert finish_ns == engines.serve.py_func(
            *_as_records(interpreted), columns.view(np.recarray), length, now_ns
        )
        finishes.append(finish_ns)
        expected_room = finishes[-places] if len(finishes) >= places else 0
        assert engines.room_ns(*compiled) == expected_room
        assert engines.drained_ns(*compiled) == finishes[-1]
    assert np.array_equal(compiled[0], interpreted[0])


@settings(deadline=None)  # the first example may have to compile
@given(packets=st.lists(st.tuples(st.integers(-1, 4), st.integers(1, 400)), max_size=20))
def test_the_compiled_functions_do_what_their_source_says(packets: list[tuple[int, int]]) -> None:
    """Numba is trusted here and nowhere else."""
    handles = np.array([handle for handle, _ in packets], np.int32)
    lengths = np.array([length for _, length in packets], np.int32)
    results = []
    for run in (_compiled, _interpreted):
        contexts = np.zeros(4, CONTEXT)
        contexts["residency"] = list(Residency)
        engine, finishes_ns = _arrays(card(), 3)
        results.append(run(contexts, engine, finishes_ns, handles, lengths))
    assert results[0] == results[1]


def _compiled(
    contexts: Any, engine: Any, finishes_ns: Any, handles: Any, lengths: Any
) -> tuple[object, ...]:
    refused = np.zeros(20, np.int32)
    answer = engines.submit(
        contexts, engine, finishes_ns, stall_columns([]), handles, lengths, 10, refused
    )
    seen = [engines.room_ns(engine, finishes_ns), engines.drained_ns(engine, finishes_ns)]
    engines.block(engine, 700)
    seen.append(int(engine["free_ns"][0]))
    engines.flush(engine, finishes_ns, 300)
    return answer, seen, refused.tolist(), contexts.tolist(), engine.tolist(), finishes_ns.tolist()


def _interpreted(
    contexts: Any, engine: Any, finishes_ns: Any, handles: Any, lengths: Any
) -> tuple[object, ...]:
    refused = np.zeros(20, np.int32)
    records = engine.view(np.recarray)
    answer = engines.submit.py_func(
        contexts.view(np.recarray),
        records,
        finishes_ns,
        stall_columns([]).view(np.recarray),
        handles,
        lengths,
        10,
        refused,
    )
    seen = [
        engines.room_ns.py_func(records, finishes_ns),
        engines.drained_ns.py_func(records, finishes_ns),
    ]
    engines.block.py_func(records, 700)
    seen.append(int(engine["free_ns"][0]))
    engines.flush.py_func(records, finishes_ns, 300)
    return answer, seen, refused.tolist(), contexts.tolist(), engine.tolist(), finishes_ns.tolist()


def _arrays(profile: CardProfile, places: int) -> tuple[Any, Any]:
    engine = np.zeros(1, engines.ENGINE)
    engine["packet_ps"] = round(profile.engine_packet_ns * 1000)
    engine["byte_ps"] = round(profile.engine_byte_ns * 1000)
    return engine, np.zeros(places, np.int64)


def _as_records(arrays: tuple[Any, Any]) -> tuple[Any, Any]:
    """The same memory with fields as attributes, as compiled code sees it."""
    return arrays[0].view(np.recarray), arrays[1]
