"""The optimum of larger traces: bounds on both sides of the exact one, schedules that fit."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.sparse import csr_array

from saactors.lab.optimum import Kind, optimum
from tests.lab.test_optimum import Case, carry_out, columns_of

SAS = 60
PACKETS = 2500


def traffic(seed: int, packets: int = PACKETS, bursts: bool = False) -> Any:
    """Zipf traffic, about one packet per microsecond; with bursts, only some SAs at a time."""
    generator = np.random.default_rng(seed)
    shares = 1.0 / np.arange(1, SAS + 1)
    sa = generator.choice(SAS, packets, p=shares / shares.sum())
    if bursts:
        era = np.arange(packets) // 200
        awake = generator.random((era[-1] + 1, SAS)) < 0.25
        sa = np.where(awake[era, sa], sa, -1)
    sa[generator.random(packets) < 0.02] = -1
    placed_ns = np.cumsum(generator.integers(0, 3, packets)) * 500
    saving_ns = generator.uniform(-100.0, 1500.0, packets)
    return placed_ns.astype(np.int64), sa.astype(np.int32), saving_ns


def card(**changes: Any) -> dict[str, Any]:
    """A card of eight slots, on which a load is worth some eight packets."""
    usual = {"slots": 8, "load_host_ns": 5000.0, "load_latency_ns": 3000, "period_ns": 20_000}
    return usual | changes


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("bursts", [False, True])
@pytest.mark.parametrize("load_host_ns", [0.0, 700.0, 20_000.0])
def test_the_exact_optimum_lies_between_the_bounds(
    kind: Kind, bursts: bool, load_host_ns: float
) -> None:
    """Upper ≥ exact ≥ what the schedule saves, and the two are within three percent."""
    for seed in range(3):
        options = card(kind=kind, load_host_ns=load_host_ns)
        exact = optimum(*traffic(seed, bursts=bursts), **options)
        found = optimum(*traffic(seed, bursts=bursts), **options, exact_work_max=0)
        assert (exact.method, found.method) == ("exact", "bound")
        assert exact.lower_saving_ns <= found.upper_saving_ns * (1 + 1e-12)
        assert exact.lower_saving_ns >= found.lower_saving_ns * (1 - 1e-12)
        assert found.gap < 0.03


@pytest.mark.parametrize(("kind", "exact_work_max"), list(product(Kind, [0, 10**9])))
def test_a_card_can_carry_the_schedule_out(kind: Kind, exact_work_max: int) -> None:
    """It saves what the optimum says, never holds too much and never loads out of turn."""
    for seed, bursts in product(range(3), [False, True]):
        columns = traffic(seed, bursts=bursts)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        case = Case(tuple(rows), 8, 5000.0, 3000, kind, 20_000)
        found = case.optimum(exact_work_max=exact_work_max)
        assert carry_out(case, found.schedule) == pytest.approx(found.lower_saving_ns, rel=1e-9)
        assert found.loads > 0


def test_the_checker_complains_of_a_schedule_that_needs_one_more_slot() -> None:
    """A schedule for eight slots does not fit into seven, or the checker checks nothing."""
    rows = tuple(zip(*(column.tolist() for column in traffic(0)), strict=True))
    case = Case(rows, 8, 5000.0, 3000, Kind.PREFETCH, 20_000)
    schedule = case.optimum().schedule
    with pytest.raises(AssertionError, match="more SAs than slots"):
        carry_out(case._replace(slots=7), schedule)


@pytest.mark.parametrize("exact_work_max", [0, 10**9])
def test_whoever_may_load_at_any_time_saves_most(exact_work_max: int) -> None:
    """Prefetch bounds demand and ticks; finer ticks and more slots never hurt."""
    for seed in range(3):
        columns = traffic(seed)

        def saved(columns: Any = columns, **changes: Any) -> tuple[float, float]:
            found = optimum(*columns, **card(**changes), exact_work_max=exact_work_max)
            return found.lower_saving_ns, found.upper_saving_ns

        prefetch, demand, ticks = (saved(kind=kind) for kind in Kind)
        assert demand[0] <= prefetch[1]
        assert ticks[0] <= prefetch[1]
        assert saved(kind="ticks", period_ns=40_000)[0] <= ticks[1]
        assert prefetch[0] <= saved(slots=9)[1]
        assert saved(load_latency_ns=9000)[0] <= prefetch[1]


@pytest.mark.parametrize("exact_work_max", [0, 10**9])
def test_the_same_trace_gives_the_same_result(exact_work_max: int) -> None:
    """Rounds are counted and nothing is timed, so results can be compared bit by bit."""
    first, second = (
        optimum(*traffic(5), **card(), exact_work_max=exact_work_max) for _ in range(2)
    )
    assert first.lower_saving_ns == second.lower_saving_ns
    assert first.upper_saving_ns == second.upper_saving_ns
    for one, other in zip(columns_of(first.schedule), columns_of(second.schedule), strict=True):
        assert one.tolist() == other.tolist()


def test_the_search_ends_with_the_gap_that_was_asked_for_or_with_its_rounds() -> None:
    """A small gap takes more rounds; what is wanted at most bounds the time."""
    columns = traffic(1, packets=20_000)
    wide = optimum(*columns, **card(), exact_work_max=0, gap_wanted=0.05)
    narrow = optimum(*columns, **card(), exact_work_max=0, gap_wanted=0.005)
    hasty = optimum(*columns, **card(), exact_work_max=0, gap_wanted=0.0, rounds_max=1)
    assert wide.gap <= 0.05
    assert narrow.gap <= 0.005
    assert hasty.gap > narrow.gap


def test_a_card_with_a_slot_for_everyone_needs_no_search() -> None:
    """Then every SA does what is best for itself, and that is proved at once."""
    found = optimum(*traffic(2), **card(slots=SAS), exact_work_max=0, rounds_max=1)
    assert found.gap == 0.0
    assert found.lower_saving_ns == optimum(*traffic(2), **card(slots=10**6)).lower_saving_ns


def test_a_linear_programme_agrees() -> None:
    """Another formulation and another solver find the same optimum."""
    for seed in range(3):
        columns = traffic(seed, packets=400)
        found = optimum(*columns, **card(slots=4))
        assert found.lower_saving_ns == pytest.approx(
            linear_optimum(*columns, slots=4, load_host_ns=5000.0, latency_ns=3000)
        )


def linear_optimum(
    placed_ns: Any, sa: Any, saving_ns: Any, slots: int, load_host_ns: float, latency_ns: int
) -> float:
    """Prefetch, with two unknowns per packet: is it on the card, and was it loaded for?

    A slot is held in a gap between two packets by whoever was kept over it or loads in it.
    """
    crypto = np.flatnonzero(sa >= 0)
    count = len(crypto)
    instants_ns, gap = np.unique(placed_ns[crypto], return_inverse=True)
    rows: list[int] = []
    columns: list[int] = []
    values: list[float] = []
    limits: list[float] = [float(slots)] * len(instants_ns)
    upper = np.ones(2 * count)
    last: dict[int, int] = {}

    def enter(row: int, column: int, value: float) -> None:
        rows.append(row)
        columns.append(column)
        values.append(value)

    for index, row in enumerate(crypto):
        on, loaded = index, count + index
        before = last.get(int(sa[row]))
        start_ns = placed_ns[row] - latency_ns - 1
        if start_ns < 0:
            upper[loaded] = 0.0
        for held in range(np.searchsorted(instants_ns, start_ns, side="right"), gap[index] + 1):
            enter(held, loaded, 1.0)
        # On the card without a load means kept since the packet before: on - loaded ≤ on before,
        # and the slot is held from the gap after that packet on.
        enter(len(limits), on, 1.0)
        enter(len(limits), loaded, -1.0)
        if before is not None:
            enter(len(limits), before, -1.0)
            for held in range(gap[before] + 1, gap[index] + 1):
                enter(held, on, 1.0)
                enter(held, loaded, -1.0)
        enter(len(limits) + 1, loaded, 1.0)
        enter(len(limits) + 1, on, -1.0)
        limits += [0.0, 0.0]
        last[int(sa[row])] = index
    worth = np.concatenate((np.maximum(saving_ns[crypto], 0.0), np.full(count, -load_host_ns)))
    solution = linprog(
        -worth,
        A_ub=csr_array((values, (rows, columns)), shape=(len(limits), 2 * count)),
        b_ub=limits,
        bounds=np.column_stack((np.zeros(2 * count), upper)),
        method="highs",
    )
    assert solution.status == 0
    return -float(solution.fun)
