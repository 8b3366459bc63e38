"""The optimum of small traces, against trying out everything that a card could do."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saactors.errors import ParameterError
from saactors.lab.optimum import Kind, Optimum, Schedule, optimum


class Case(NamedTuple):
    """A tiny trace and a card, as plain numbers; packets are (placed_ns, sa, saving_ns)."""

    packets: tuple[tuple[int, int, float], ...]
    slots: int
    load_host_ns: float
    load_latency_ns: int
    kind: Kind
    period_ns: int

    def columns(self) -> tuple[Any, Any, Any]:
        """The trace as arrays."""
        placed_ns, sa, saving_ns = zip(*self.packets, strict=True) if self.packets else ((),) * 3
        return (
            np.array(placed_ns, np.int64),
            np.array(sa, np.int32),
            np.array(saving_ns, np.float64),
        )

    def optimum(self, **options: Any) -> Optimum:
        """What the code under test makes of it."""
        return optimum(
            *self.columns(),
            slots=self.slots,
            load_host_ns=self.load_host_ns,
            load_latency_ns=self.load_latency_ns,
            kind=self.kind,
            period_ns=self.period_ns,
            **options,
        )


def best_saving_ns(case: Case) -> float:
    """Try every load and every eviction at every instant: a search over what the card holds.

    The state is, for each SA on the card, when its load was commanded.
    """
    end_ns = max((placed_ns for placed_ns, _, _ in case.packets), default=-1)
    sas = sorted({sa for _, sa, _ in case.packets if sa >= 0})

    def may_load(now_ns: int) -> list[int]:
        if case.kind is Kind.DEMAND:
            return sorted({sa for at_ns, sa, _ in case.packets if at_ns == now_ns and sa >= 0})
        if case.kind is Kind.TICKS and (now_ns == 0 or now_ns % case.period_ns):
            return []
        return sas

    def placed(held: tuple[tuple[int, int], ...], now_ns: int) -> float:
        since_ns = dict(held)
        return sum(
            max(saving_ns, 0.0)
            for at_ns, sa, saving_ns in case.packets
            if at_ns == now_ns and sa in since_ns
            if since_ns[sa] + case.load_latency_ns < now_ns
        )

    def decisions(
        held: tuple[tuple[int, int], ...], now_ns: int
    ) -> Iterator[tuple[tuple[tuple[int, int], ...], int]]:
        for kept_count in range(len(held) + 1):
            for kept in combinations(held, kept_count):
                absent = [sa for sa in may_load(now_ns) if sa not in dict(kept)]
                for loads in range(min(case.slots - kept_count, len(absent)) + 1):
                    for loaded in combinations(absent, loads):
                        yield tuple(sorted((*kept, *((sa, now_ns) for sa in loaded)))), loads

    @cache
    def best_from(now_ns: int, held: tuple[tuple[int, int], ...]) -> float:
        if now_ns > end_ns:
            return 0.0
        found = -np.inf
        before = case.kind is Kind.TICKS  # a tick comes before the bursts of its instant
        earned_ns = 0.0 if before else placed(held, now_ns)
        for after, loads in decisions(held, now_ns):
            here_ns = placed(after, now_ns) if before else earned_ns
            later_ns = best_from(now_ns + 1, after)
            found = max(found, here_ns - loads * case.load_host_ns + later_ns)
        return found

    return best_from(0, ())


def carry_out(case: Case, schedule: Schedule) -> float:
    """Do what the schedule says, packet by packet, or complain that no card could; the saving."""
    placed_ns, sa, saving_ns = (column.tolist() for column in case.columns())
    loads = list(zip(*(column.tolist() for column in columns_of(schedule)), strict=True))
    own = set(zip(sa, placed_ns, strict=True))
    before = case.kind is Kind.TICKS  # a tick comes before the packets of its instant
    events = sorted(
        [(load[1], 0 if before else 2, index) for index, load in enumerate(loads)]
        + [(at_ns, 1, row) for row, at_ns in enumerate(placed_ns)]
    )
    held: dict[int, tuple[int, int]] = {}  # SA: commanded when, until which row
    saved_ns = 0.0
    for now_ns, phase, index in events:
        if phase == 1:
            since_ns, until_row = held.get(sa[index], (now_ns, -1))
            if since_ns + case.load_latency_ns < now_ns:
                saved_ns += max(saving_ns[index], 0.0)
            if index == until_row:
                del held[sa[index]]
            continue
        newcomer, load_ns, until_row = loads[index]
        assert newcomer not in held, "loaded though on the card"
        assert until_row < len(sa), "kept for a packet that there is not"
        assert sa[until_row] == newcomer, "kept for a packet of another SA"
        assert placed_ns[until_row] > load_ns + case.load_latency_ns, "dropped unused"
        assert load_ns >= 0, "loaded before the start"
        if case.kind is Kind.DEMAND:
            assert (newcomer, load_ns) in own, "loaded without being asked for"
        if case.kind is Kind.TICKS:
            assert load_ns > 0, "loaded before the first tick"
            assert load_ns % case.period_ns == 0, "loaded between ticks"
        held[newcomer] = (load_ns, until_row)
        saved_ns -= case.load_host_ns
        assert len(held) <= case.slots, "more SAs than slots"
    assert not held, "kept for a packet that never came"
    return saved_ns


def columns_of(schedule: Schedule) -> tuple[Any, Any, Any]:
    """The columns of a schedule."""
    return schedule.sa, schedule.load_ns, schedule.until_packet


def random_case(generator: np.random.Generator) -> Case:
    """Few SAs, few instants, many ties; savings below 0 now and then."""
    count = int(generator.integers(0, 9))
    end_ns = int(generator.integers(1, 7))
    sas = int(generator.integers(1, 5))
    packets = sorted(
        (
            int(generator.integers(0, end_ns + 1)),
            int(generator.integers(-1, sas)),
            float(generator.integers(-2, 6)),
        )
        for _ in range(count)
    )
    return Case(
        packets=tuple(packets),
        slots=int(generator.integers(0, 4)),
        load_host_ns=float(generator.choice([0.0, 1.0, 2.5, 6.0])),
        load_latency_ns=int(generator.integers(0, 4)),
        kind=list(Kind)[int(generator.integers(3))],
        period_ns=int(generator.integers(1, 4)),
    )


cases = st.builds(
    Case,
    packets=st.lists(
        st.tuples(
            st.integers(0, 5),
            st.integers(-1, 2),
            st.floats(-3, 8, allow_nan=False).map(lambda number: round(number, 2)),
        ),
        max_size=8,
    ).map(lambda packets: tuple(sorted(packets))),
    slots=st.integers(0, 3),
    load_host_ns=st.sampled_from([0.0, 0.3, 1.0, 4.0]),
    load_latency_ns=st.integers(0, 3),
    kind=st.sampled_from(Kind),
    period_ns=st.integers(1, 3),
)


@settings(deadline=None, max_examples=150)
@given(cases)
def test_no_way_of_loading_saves_more_than_the_optimum(case: Case) -> None:
    """The exact optimum is what trying everything finds."""
    assert case.optimum().lower_saving_ns == pytest.approx(best_saving_ns(case), abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_the_optimum_of_hundreds_of_tiny_traces_is_what_trying_everything_finds(
    seed: int,
) -> None:
    """Exact, and the bounds of the other method lie on either side; both schedules fit."""
    generator = np.random.default_rng(seed)
    for _ in range(500):
        case = random_case(generator)
        expected_ns = pytest.approx(best_saving_ns(case), abs=1e-9)
        exact = case.optimum()
        assert exact.method == "exact", case
        assert exact.lower_saving_ns == expected_ns, case
        assert exact.upper_saving_ns == expected_ns, case
        assert carry_out(case, exact.schedule) == expected_ns, case
        bounded = case.optimum(exact_work_max=0, rounds_max=10, gap_wanted=0.0)
        assert bounded.upper_saving_ns >= exact.lower_saving_ns - 1e-9, case
        assert bounded.lower_saving_ns <= exact.lower_saving_ns + 1e-9, case
        assert carry_out(case, bounded.schedule) == pytest.approx(bounded.lower_saving_ns), case


def saving_ns(*packets: tuple[int, int, float], kind: Kind = Kind.PREFETCH, **card: Any) -> float:
    """The optimum of a few packets on a card with one slot, free loads and no latency."""
    given = {"slots": 1, "load_host_ns": 0.0, "load_latency_ns": 0, "period_ns": 1} | card
    return Case(tuple(packets), kind=kind, **given).optimum().lower_saving_ns


def test_a_load_that_ends_as_a_packet_is_placed_comes_too_late() -> None:
    """A packet uses the card if it is placed later than load + latency."""
    assert saving_ns((10, 0, 5.0), load_latency_ns=9) == 5.0
    assert saving_ns((10, 0, 5.0), load_latency_ns=10) == 0.0


def test_the_packet_that_asks_for_a_load_runs_in_software() -> None:
    """On demand, an SA's first packet cannot be on the card, nor any other of its instant."""
    assert saving_ns((3, 0, 5.0), (3, 0, 6.0), (4, 0, 7.0), kind=Kind.DEMAND) == 7.0


def test_a_packet_without_saving_can_ask_for_a_load() -> None:
    """What triggers a load need not gain from the card."""
    assert saving_ns((3, 0, -1.0), (4, 0, 7.0), kind=Kind.DEMAND) == 7.0


def test_a_victim_serves_the_instant_at_which_it_is_replaced() -> None:
    """Its packets of that instant come before the load, or else the slot would stand still."""
    assert saving_ns((1, 0, 5.0), (2, 1, 5.0)) == 10.0


def test_a_tick_replaces_its_victim_before_the_packets_of_its_instant() -> None:
    """The load for instant 2 is at tick 1, so the packet of instant 1 loses its slot."""
    packets = (1, 0, 5.0), (2, 1, 6.0)
    assert saving_ns(*packets, kind=Kind.TICKS, period_ns=1) == 6.0
    assert saving_ns((3, 0, 5.0), (5, 1, 6.0), kind=Kind.TICKS, period_ns=2) == 11.0


def test_the_first_tick_is_one_period_after_the_start() -> None:
    """At instant 0 no period has passed."""
    assert saving_ns((2, 0, 5.0), kind=Kind.TICKS, period_ns=2) == 0.0
    assert saving_ns((3, 0, 5.0), kind=Kind.TICKS, period_ns=2) == 5.0


def test_packets_that_cost_more_on_the_card_are_not_sent_there() -> None:
    """They count as 0, even between two that are on it."""
    assert saving_ns((1, 0, 5.0), (2, 0, -9.0), (3, 0, 5.0), load_host_ns=4.0) == 6.0


def test_the_costs_lie_below_never_by_what_is_saved() -> None:
    """The optimum says costs to whoever knows what the trace costs in software."""
    found = Case(((1, 0, 5.0), (2, 0, 5.0)), 1, 4.0, 0, Kind.PREFETCH, 1).optimum()
    cost = found.cost(30.0)
    assert (cost.lower_ns, cost.upper_ns, cost.gap) == (24.0, 24.0, 0.0)
    assert (found.loads, found.gap) == (1, 0.0)
    assert found.schedule.load_ns.tolist() == [0]
    assert found.schedule.until_packet.tolist() == [1]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("slots", -1),
        ("load_host_ns", -1.0),
        ("load_host_ns", float("nan")),
        ("load_latency_ns", -1),
        ("kind", "clairvoyant"),
        ("gap_wanted", -0.1),
        ("rounds_max", 0),
    ],
)
def test_a_value_outside_its_range_is_named(name: str, value: object) -> None:
    """Whoever calls learns which value cannot be used."""
    options: dict[str, Any] = {"slots": 1, "load_host_ns": 1.0, "load_latency_ns": 0}
    columns = Case(((1, 0, 5.0),), 1, 1.0, 0, Kind.PREFETCH, 1).columns()
    with pytest.raises(ParameterError, match=name):
        optimum(*columns, **options | {name: value})


def test_ticks_need_a_period() -> None:
    """Without one nobody knows when decisions are made."""
    columns = Case(((1, 0, 5.0),), 1, 1.0, 0, Kind.TICKS, 1).columns()
    with pytest.raises(ParameterError, match="period_ns"):
        optimum(*columns, slots=1, load_host_ns=1.0, load_latency_ns=0, kind="ticks")


@pytest.mark.parametrize(
    ("name", "placed_ns", "sa", "saving"),
    [
        ("placed_ns", [2, 1], [0, 0], [1.0, 1.0]),
        ("placed_ns", [-1, 1], [0, 0], [1.0, 1.0]),
        ("saving_ns", [1, 2], [0, 0], [1.0, float("inf")]),
        ("columns", [1, 2], [0], [1.0, 1.0]),
    ],
)
def test_columns_that_are_no_trace_are_named(
    name: str, placed_ns: list[int], sa: list[int], saving: list[float]
) -> None:
    """Time runs forwards from 0, and every packet has a finite saving."""
    columns = np.array(placed_ns), np.array(sa, np.int32), np.array(saving)
    with pytest.raises(ParameterError, match=name):
        optimum(*columns, slots=1, load_host_ns=1.0, load_latency_ns=0)
