"""From prices to a schedule that fits: the SAs choose one after the other, among what is free.

At good prices, what the SAs choose by themselves (``priced``) nearly fits. Here each makes the same
calculation, except that gaps without a free slot are closed to it. Those that gain most from a slot
come first. Afterwards everyone in turn gives up what it has and chooses again: nobody can lose by
that, as its old choice still fits.
"""

from __future__ import annotations

import numpy as np

from saactors.lab.optimum.priced import KEPT, LEFT, Bytes
from saactors.lab.optimum.room import Room, next_full, take
from saactors.lab.optimum.visits import Floats, Int64s, Visits
from saactors.model.compiled import compiled


@compiled
def choose_in_turn(
    visits: Visits,
    rent_ns: Floats,
    rent_share: float,
    load_host_ns: float,
    order: Int64s,
    room: Room,
    choice: Bytes,
) -> None:
    """Each SA in ``order`` gives up its runs and takes the best there is, at a share of rent."""
    for sa in order:
        settle(visits, sa, choice, room, -1)
        choose(visits, sa, rent_ns, rent_share, load_host_ns, room, choice)
        settle(visits, sa, choice, room, 1)


@compiled
def choose(
    visits: Visits,
    sa: int,
    rent_ns: Floats,
    rent_share: float,
    load_host_ns: float,
    room: Room,
    choice: Bytes,
) -> None:
    """What ``priced.earn`` does for one SA, with full gaps closed."""
    on_ns, off_ns, kept_from_ns, last = -np.inf, 0.0, 0.0, 0
    free_from, free_until = 0, -1  # there is a free slot in each gap of this stretch
    for visit in range(visits.first[sa], visits.first[sa + 1]):
        start, stop = visits.start[visit], visits.stop[visit]
        here_ns = rent_share * rent_ns[stop]
        kept_ns = on_ns + kept_from_ns
        loaded_ns = off_ns - load_host_ns + rent_share * rent_ns[start]
        if kept_ns > -np.inf:
            if not free_from <= last <= free_until:
                free_from, free_until = last, next_full(room, last)
            if free_until < stop:
                kept_ns = -np.inf
        if loaded_ns > kept_ns:
            if not free_from <= start <= free_until:
                free_from, free_until = start, next_full(room, start)
            if free_until < stop:
                loaded_ns = -np.inf
        keep = kept_ns > loaded_ns or (kept_ns == loaded_ns and start <= last)
        picked = KEPT if keep else 0
        on_ns = max(kept_ns, loaded_ns) + visits.saving_ns[visit] - here_ns
        kept_from_ns, last = here_ns, stop
        if on_ns > off_ns:
            off_ns = on_ns
            picked |= LEFT
        choice[visit] = picked


@compiled
def settle(visits: Visits, sa: int, choice: Bytes, room: Room, slots: int) -> None:
    """Take (1) or give back (-1) the slots of an SA's runs."""
    visit = visits.first[sa + 1] - 1
    while visit >= visits.first[sa]:
        if choice[visit] & LEFT:
            stop = visits.stop[visit]
            while choice[visit] & KEPT:
                visit -= 1
            take(room, visits.start[visit], stop, slots)
        visit -= 1


@compiled
def saved(visits: Visits, choice: Bytes, load_host_ns: float) -> float:
    """What a schedule saves: its visits' savings less its loads."""
    total_ns = 0.0
    for sa in range(len(visits.sa)):
        visit = visits.first[sa + 1] - 1
        while visit >= visits.first[sa]:
            if choice[visit] & LEFT:
                while choice[visit] & KEPT:
                    total_ns += visits.saving_ns[visit]
                    visit -= 1
                total_ns += visits.saving_ns[visit] - load_host_ns
            visit -= 1
    return total_ns
