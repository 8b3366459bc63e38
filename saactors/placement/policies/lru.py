"""LRU: the resident that has been silent for longest goes first."""

from __future__ import annotations

from typing import Final

from saactors.model.compiled import compiled
from saactors.placement.policy import Policy
from saactors.placement.seats import FIRST_OWN_LIST, Table, link_first, move_first, unlink

RECENT: Final = FIRST_OWN_LIST  # from the SA heard of last to the one silent for longest


@compiled
def touch(table: Table, sa: int, _length_bytes: int, _now_ns: int) -> None:
    """Whoever sends is the most recent."""
    move_first(table, RECENT, table.standings[sa]["place"])


@compiled
def victim(table: Table, _sa: int, _now_ns: int) -> int:
    """The one silent for longest."""
    return int(table.lists[RECENT]["last"])


@compiled
def entered(table: Table, place: int) -> None:
    """A newcomer is the most recent."""
    link_first(table, RECENT, place)


@compiled
def left(table: Table, place: int) -> None:
    """Whoever has gone is in the list no more."""
    unlink(table, RECENT, place)


LRU: Final = Policy(touch, victim, entered, left)
