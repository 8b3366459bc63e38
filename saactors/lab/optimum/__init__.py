"""The best possible: the least cost that any schedule of loads could reach, knowing the future.

    maximise  Σ saving of the packets on the card - loads × load cost
    with at most ``slots`` SAs loading or resident at any instant

- An SA whose load is commanded at instant ``t`` holds a slot from ``t`` on. Packets placed at ``t``
  may still use the SA that it replaces; a load by a tick comes before the packets of its instant.
- Its packets that are placed later than ``t`` + load latency use the card. (One placed at that very
  instant does not: the arbiter hears of loads that ended earlier.)
- An SA may be dropped at any time, for nothing. The card is empty at the start.
- How many loads a card takes at once, queues and drained victims are left out: they only cost.

So no rule ever costs less. How much more a rule costs depends on what it may know, so there are
three kinds of optimum (``Kind``): loads at any instant, on demand, at ticks.

``visits`` makes of a trace what matters, ``flow`` solves small ones exactly, ``bound`` the others
to a certified gap by the prices of ``prices`` and ``priced`` and the schedule of ``repair``.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from saactors.errors import ParameterError
from saactors.lab.optimum.answer import CostBounds, Optimum, Schedule, schedule_of
from saactors.lab.optimum.bound import bound
from saactors.lab.optimum.flow import solve
from saactors.lab.optimum.priced import earn
from saactors.lab.optimum.repair import saved
from saactors.lab.optimum.visits import Floats, Int32s, Int64s, Kind, Visits, visits_of

__all__ = ["CostBounds", "Kind", "Optimum", "Schedule", "optimum"]

EXACT_WORK_MAX: Final = 30_000_000
"""Visits × slots up to which the optimum is found exactly: some ten seconds."""

GAP_WANTED: Final = 0.001
"""A thousandth of what can be saved: less than any two rules worth comparing differ by."""

ROUNDS_MAX: Final = 500
"""Half a minute for two million packets."""


def optimum(
    placed_ns: Int64s,
    sa: Int32s,
    saving_ns: Floats,
    slots: int,
    load_host_ns: float,
    load_latency_ns: int,
    kind: Kind | str = Kind.PREFETCH,
    period_ns: int | None = None,
    *,
    gap_wanted: float = GAP_WANTED,
    rounds_max: int = ROUNDS_MAX,
    exact_work_max: int = EXACT_WORK_MAX,
) -> Optimum:
    """Bound what any schedule can save on a trace; same input, same result.

    The arrays (packets,) are in the order of placing: ``placed_ns`` is when a packet's burst is
    decided, from 0 on, never running backwards; ``sa`` its SA, or below 0 for one that needs no
    crypto; ``saving_ns`` the host time that it costs less on the card. A packet that costs more
    there counts as 0: nobody need send it.

    A trace of at most ``exact_work_max`` visits × slots is solved exactly. Any other is bounded
    until the gap is ``gap_wanted``, but for no more than ``rounds_max`` rounds.

    Raises:
        ParameterError: a value outside its range, or arrays that do not belong together.
    """
    kind = _kind(kind)
    _check_columns(placed_ns, sa, saving_ns)
    _check_range("slots", slots, slots >= 0, "0 or more")
    _check_range("load_host_ns", load_host_ns, 0 <= load_host_ns < np.inf, "0 ns or more")
    _check_range("load_latency_ns", load_latency_ns, load_latency_ns >= 0, "0 ns or more")
    if kind is Kind.TICKS:
        good = period_ns is not None and period_ns > 0
        _check_range("period_ns", period_ns, good, "above 0 ns for the kind 'ticks'")
    _check_range("gap_wanted", gap_wanted, gap_wanted >= 0, "0 or more")
    _check_range("rounds_max", rounds_max, rounds_max >= 1, "1 or more")
    visits = visits_of(
        np.ascontiguousarray(placed_ns, np.int64),
        np.ascontiguousarray(sa, np.int32),
        np.ascontiguousarray(saving_ns, np.float64),
        float(load_host_ns),
        load_latency_ns,
        kind,
        period_ns or 0,
    )
    useful = min(slots, len(visits.sa))  # a slot for every SA is as good as any number
    if useful == 0:
        return Optimum(kind, "exact", 0.0, 0.0, schedule_of(visits, np.empty(0, np.uint8)))
    if len(visits.start) * useful <= exact_work_max:
        return _exact(visits, useful, float(load_host_ns), kind)
    found = bound(visits, useful, float(load_host_ns), gap_wanted, rounds_max)
    schedule = schedule_of(visits, found.choice)
    return Optimum(kind, "bound", found.saved_ns, max(found.bound_ns, found.saved_ns), schedule)


def _exact(visits: Visits, slots: int, load_host_ns: float, kind: Kind) -> Optimum:
    """Solve, and check the solution by its prices."""
    choice, rent_ns = solve(visits, slots, load_host_ns)
    saved_ns = saved(visits, choice, load_host_ns)
    bound_ns = slots * rent_ns[-1] + earn(visits, rent_ns, load_host_ns, np.empty_like(choice))
    assert abs(bound_ns - saved_ns) <= 1e-9 * bound_ns, f"proved {bound_ns}, found {saved_ns}"
    return Optimum(kind, "exact", saved_ns, saved_ns, schedule_of(visits, choice))


def _kind(kind: Kind | str) -> Kind:
    if kind not in list(Kind):
        raise ParameterError("kind", kind, f"one of {', '.join(Kind)}")
    return Kind(kind)


def _check_range(name: str, found: object, good: bool, expected: str) -> None:
    if not good:
        raise ParameterError(name, found, expected)


def _check_columns(placed_ns: Int64s, sa: Int32s, saving_ns: Floats) -> None:
    lengths = (len(placed_ns), len(sa), len(saving_ns))
    _check_range("columns", lengths, len(set(lengths)) == 1, "as many entries in each")
    if len(placed_ns) == 0:
        return
    in_order = placed_ns[0] >= 0 and bool(np.all(placed_ns[1:] >= placed_ns[:-1]))
    _check_range("placed_ns", placed_ns, in_order, "instants from 0 on, never running backwards")
    finite = bool(np.all(np.isfinite(saving_ns)))
    _check_range("saving_ns", saving_ns, finite, "finite numbers")
