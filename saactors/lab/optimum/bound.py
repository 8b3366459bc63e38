"""The optimum of a large trace: bounded from above by prices, from below by a schedule that fits.

Prices that are good for the bound are good for the schedule too. Every now and then the best prices
so far are turned into a schedule; the search ends when the two are close enough, or after so many
rounds.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from saactors.lab.optimum.priced import Bytes, earn, occupy
from saactors.lab.optimum.prices import PriceSearch
from saactors.lab.optimum.repair import choose_in_turn, saved
from saactors.lab.optimum.room import empty_room
from saactors.lab.optimum.visits import Int64s, Visits

LEVELS: Final = 20
"""Up to a million pieces; more take memory and change nothing that matters."""

ROUNDS_BETWEEN: Final = 25
"""A schedule takes as long as some five rounds."""

RENT_SHARES: Final = (1.05, 1.0, 0.9, 0.5, 0.0)
"""Dear at first, so that nobody takes what is worth more to those who come later; in the end, what
is left over is free."""


class Bounds(NamedTuple):
    """What no schedule exceeds, and the best schedule found."""

    bound_ns: float
    saved_ns: float
    choice: Bytes  # (visits,), as in ``priced``


def bound(
    visits: Visits, slots: int, load_host_ns: float, gap_wanted: float, rounds_max: int
) -> Bounds:
    """Bounds no more than ``gap_wanted`` (of the upper one) apart, if the rounds suffice."""
    choice = np.empty(len(visits.start), np.uint8)
    free_ns = earn(visits, np.zeros(visits.gaps + 1), load_host_ns, choice)
    if _slots_used(visits, choice).max() <= slots:
        return Bounds(free_ns, saved(visits, choice, load_host_ns), choice)
    search = PriceSearch(
        visits, slots, load_host_ns, LEVELS, _first_price_ns(visits, slots, load_host_ns)
    )
    best = Bounds(free_ns, 0.0, np.zeros_like(choice))
    while search.rounds < rounds_max and best.bound_ns - best.saved_ns > gap_wanted * best.bound_ns:
        for _ in range(min(ROUNDS_BETWEEN, rounds_max - search.rounds)):
            search.round()
        found = _schedule(visits, slots, load_host_ns, search)
        saved_ns = saved(visits, found, load_host_ns)
        if saved_ns > best.saved_ns:
            best = best._replace(saved_ns=saved_ns, choice=found)
        best = best._replace(bound_ns=min(best.bound_ns, search.bound_ns))
    return best


def _schedule(visits: Visits, slots: int, load_host_ns: float, search: PriceSearch) -> Bytes:
    room = empty_room(visits.gaps, slots)
    choice = np.zeros(len(visits.start), np.uint8)
    order = np.arange(len(visits.sa))
    for share in RENT_SHARES:
        choose_in_turn(visits, search.rent_ns, share, load_host_ns, order, room, choice)
    return choice


def _slots_used(visits: Visits, choice: Bytes) -> Int64s:
    """In each gap, by all SAs together, whether there are that many or not; (gaps,)."""
    change = np.zeros(visits.gaps + 1, np.int32)
    occupy(visits, choice, change)
    return np.cumsum(change[:-1], dtype=np.int64)


def _first_price_ns(visits: Visits, slots: int, load_host_ns: float) -> float:
    """One price for all gaps at which SAs want the slots, or a little less, on average."""
    choice = np.empty(len(visits.start), np.uint8)
    gaps = np.arange(visits.gaps + 1, dtype=np.float64)

    def used(price_ns: float) -> float:
        earn(visits, gaps * price_ns, load_host_ns, choice)
        return float(_slots_used(visits, choice).mean())

    enough = min(slots, 0.9 * used(0.0))
    low, high = 0.0, float(visits.saving_ns.sum()) / visits.gaps / max(slots, 1) / 1000
    while used(high) > enough:
        low, high = high, 2 * high
    for _ in range(8):
        middle = (low + high) / 2
        low, high = (middle, high) if used(middle) > enough else (low, middle)
    return high
