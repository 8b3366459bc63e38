"""A trace as the optimum sees it: the visits of each SA, on a timeline that only has what matters.

**Visits.** The packets of one SA that are placed at one instant are used together or not at all: a
visit. It is worth what its packets save (one that saves nothing is never sent to the card: 0).

**Gaps.** Between two instants at which packets are placed nothing can be won, so time is a row of
gaps: gap ``p`` lies just before the ``p``-th distinct instant. An SA that is loaded in gap ``q``
and used last at instant ``i`` holds a slot in the gaps ``q`` to ``i``; an SA loaded at instant
``i`` can take its slot, because it is loaded after the packets of ``i``. A tick comes before the
packets of its own instant, so what is loaded by a tick at instant ``i`` holds a slot in gap ``i``
already.

**The latest start.** A load that is to serve the visit at instant ``i`` has to start at or before
``placed_ns - load_latency_ns - 1``, and starting as late as the kind of optimum allows takes the
least room. So each visit has one load, and where that is in the past of the trace, none.

**What is left out.** An SA whose visits together do not pay for one load; visits that save nothing
or come too early to be loaded for; gaps in which no load starts: whoever holds a slot there held it
in the gap before.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from saactors.model.compiled import compiled

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Kind(StrEnum):
    """When a load may start."""

    PREFETCH = "prefetch"  # at any instant from 0 on: bounds every rule
    DEMAND = "demand"  # when a packet of the SA is placed; that packet itself runs in software
    TICKS = "ticks"  # at the multiples of a period, from the first period on


class Visits(NamedTuple):
    """``n`` visits, grouped by SA and in the order of time, on a timeline of ``gaps`` gaps.

    A visit that is used and whose SA was loaded for it holds a slot in gaps ``start`` to
    ``stop - 1``; one whose SA was kept from the visit before, from that one's ``stop`` on.
    """

    start: Int32s  # (n,)
    stop: Int32s  # (n,)
    saving_ns: Floats  # (n,), above 0
    load_ns: Int64s  # (n,), the instant at which its load would start
    packet: Int64s  # (n,), its last packet's row in the trace
    sa: Int32s  # (SAs,), those that could pay for a load
    first: Int64s  # (SAs + 1,), where the visits of each begin
    gaps: int


class _Grouped(NamedTuple):
    """Visits before anything is left out."""

    instant: Int32s  # (n,), index of the distinct instant
    saving_ns: Floats  # (n,)
    packet: Int64s  # (n,)
    first: Int64s  # (SAs + 1,)


class _Starts(NamedTuple):
    """By instant: the latest start of a load that serves it. -1: none."""

    gap: Int32s  # in which gap
    load_ns: Int64s
    before: Int32s  # how many instants are over when it starts


def visits_of(
    placed_ns: Int64s,
    sa: Int32s,
    saving_ns: Floats,
    load_host_ns: float,
    load_latency_ns: int,
    kind: Kind,
    period_ns: int,
) -> Visits:
    """The visits that could be worth a load. Arrays (packets,) in the order of placing."""
    rows = np.flatnonzero(sa >= 0)
    placed_ns = placed_ns[rows]
    fresh = np.ones(len(rows), np.bool_)
    fresh[1:] = placed_ns[1:] != placed_ns[:-1]
    instants_ns = placed_ns[fresh]
    instant = (np.cumsum(fresh) - 1).astype(np.int32)
    grouped = _grouped(instant, sa[rows], saving_ns[rows], rows)
    starts = _latest_starts(instants_ns, load_latency_ns, kind, period_ns)
    return _worthwhile(grouped, starts, instants_ns, load_host_ns, kind)


def _grouped(instant: Int32s, sa: Int32s, saving_ns: Floats, rows: Int64s) -> _Grouped:
    """Group packets into visits, and visits by SA."""
    first_row = np.zeros(int(sa.max(initial=-1)) + 2, np.int64)
    np.cumsum(np.bincount(sa, minlength=len(first_row) - 1), out=first_row[1:])
    order = np.empty(len(sa), np.int64)
    _count_sort(sa, first_row[:-1].copy(), order)
    visits = _Grouped(
        np.empty(len(sa), np.int32),
        np.empty(len(sa)),
        np.empty(len(sa), np.int64),
        np.empty(len(first_row), np.int64),
    )
    count = _merge(instant, saving_ns, rows, order, first_row, visits)
    return _Grouped(
        visits.instant[:count], visits.saving_ns[:count], visits.packet[:count], visits.first
    )


@compiled
def _count_sort(sa: Int32s, place: Int64s, order: Int64s) -> None:
    """Rows by SA, in their order within each; ``place``, where each SA's begin, is used up."""
    for row in range(len(sa)):
        order[place[sa[row]]] = row
        place[sa[row]] += 1


@compiled
def _merge(
    instant: Int32s,
    saving_ns: Floats,
    rows: Int64s,
    order: Int64s,
    first_row: Int64s,
    visits: _Grouped,
) -> int:
    """Packets of one SA and one instant become one visit; returns how many there are."""
    count = 0
    for sa in range(len(first_row) - 1):
        visits.first[sa] = count
        for place in range(first_row[sa], first_row[sa + 1]):
            row = order[place]
            if count == visits.first[sa] or visits.instant[count - 1] != instant[row]:
                visits.instant[count] = instant[row]
                visits.saving_ns[count] = 0.0
                count += 1
            if saving_ns[row] > 0.0:
                visits.saving_ns[count - 1] += saving_ns[row]
            visits.packet[count - 1] = rows[row]
    visits.first[len(first_row) - 1] = count
    return count


def _latest_starts(
    instants_ns: Int64s, load_latency_ns: int, kind: Kind, period_ns: int
) -> _Starts:
    """The latest start of a load for each instant, as far as the kind fixes it."""
    latest_ns = instants_ns - load_latency_ns - 1
    before = np.searchsorted(instants_ns, latest_ns, side="right").astype(np.int32)
    if kind is Kind.TICKS:
        load_ns = latest_ns // period_ns * period_ns
        gap = np.searchsorted(instants_ns, load_ns, side="left").astype(np.int32)
        gap[load_ns < period_ns] = -1
        return _Starts(gap, load_ns, before)
    gap = before.copy()
    gap[latest_ns < 0] = -1
    return _Starts(gap, latest_ns, before)


def _worthwhile(
    grouped: _Grouped, starts: _Starts, instants_ns: Int64s, load_host_ns: float, kind: Kind
) -> Visits:
    """Leave out what cannot matter, and number the gaps that are left."""
    size = len(grouped.instant)
    visits = Visits(
        np.empty(size, np.int32),
        np.empty(size, np.int32),
        np.empty(size),
        np.empty(size, np.int64),
        np.empty(size, np.int64),
        np.empty(len(grouped.first) - 1, np.int32),
        np.zeros(len(grouped.first), np.int64),
        0,
    )
    demand = kind is Kind.DEMAND
    count, sas = _select(grouped, starts, instants_ns, load_host_ns, demand, visits)
    start, stop = visits.start[:count], visits.stop[:count]
    is_start = np.zeros(len(instants_ns) + 1, np.bool_)
    is_start[start] = True
    rank = np.zeros(len(is_start) + 1, np.int32)
    np.cumsum(is_start, out=rank[1:])
    return Visits(
        rank[start],
        rank[stop],
        visits.saving_ns[:count].copy(),
        visits.load_ns[:count].copy(),
        visits.packet[:count].copy(),
        visits.sa[:sas].copy(),
        visits.first[: sas + 1].copy(),
        int(rank[-1]),
    )


@compiled
def _select(
    grouped: _Grouped,
    starts: _Starts,
    instants_ns: Int64s,
    load_host_ns: float,
    demand: bool,
    visits: Visits,
) -> tuple[int, int]:
    """Fill ``visits``, with gaps as they were; returns how many visits and SAs there are."""
    count = sas = 0
    for sa in range(len(grouped.first) - 1):
        begin = count
        worth_ns = 0.0
        own = grouped.first[sa]  # the first visit that is too late to ask for this one's load
        for visit in range(grouped.first[sa], grouped.first[sa + 1]):
            instant = grouped.instant[visit]
            gap, load_ns = starts.gap[instant], starts.load_ns[instant]
            if demand:
                while grouped.instant[own] < starts.before[instant]:
                    own += 1
                gap = -1
                if own > grouped.first[sa]:
                    gap = grouped.instant[own - 1] + 1
                    load_ns = instants_ns[grouped.instant[own - 1]]
            if grouped.saving_ns[visit] <= 0.0 or gap < 0:
                continue
            worth_ns += grouped.saving_ns[visit]
            visits.start[count], visits.stop[count] = gap, instant + 1
            visits.saving_ns[count] = grouped.saving_ns[visit]
            visits.load_ns[count] = load_ns
            visits.packet[count] = grouped.packet[visit]
            count += 1
        if worth_ns > load_host_ns:
            visits.sa[sas] = sa
            sas += 1
            visits.first[sas] = count
        else:
            count = begin
    return count, sas
