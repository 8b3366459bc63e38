"""FIFO, CLOCK and SIEVE: one queue in the order of arrival, three ways to choose from it.

FIFO takes the oldest. CLOCK gives whoever has sent since it was last looked at a second round (F.
Corbató, "A Paging Experiment with the Multics System", 1968). SIEVE leaves the queue as it is: a
hand moves from old to new, spares the visited and stays where it took someone, so that newcomers
have to prove themselves soon (Zhang, Yang, Yue, Vigfusson, Rashmi, "SIEVE is Simpler than LRU",
NSDI 2024).
"""

from __future__ import annotations

from typing import Final

from saactors.model.compiled import compiled
from saactors.placement.policy import Policy
from saactors.placement.seats import FIRST_OWN_LIST, NOWHERE, Table, link_first, unlink

QUEUE: Final = FIRST_OWN_LIST  # from the newest to the oldest
_HAND: Final = 0  # own number: the hand's place plus 1; 0: at the oldest


@compiled
def visit(table: Table, sa: int, _length_bytes: int, _now_ns: int) -> None:
    """Whoever sends is visited."""
    table.seats[table.standings[sa]["place"]]["mark"] = 1


@compiled
def oldest(table: Table, _sa: int, _now_ns: int) -> int:
    """Whoever came first."""
    return int(table.lists[QUEUE]["last"])


@compiled
def oldest_unvisited(table: Table, _sa: int, _now_ns: int) -> int:
    """The oldest; the visited begin a new round behind the newest."""
    place = table.lists[QUEUE]["last"]
    while place != NOWHERE and table.seats[place]["mark"]:
        table.seats[place]["mark"] = 0
        unlink(table, QUEUE, place)
        link_first(table, QUEUE, place)
        place = table.lists[QUEUE]["last"]
    return int(place)


@compiled
def under_hand(table: Table, _sa: int, _now_ns: int) -> int:
    """Move the hand from old to new, and from the newest to the oldest, past the visited."""
    place = int(table.own[_HAND]) - 1
    if place == NOWHERE:
        place = int(table.lists[QUEUE]["last"])
    while place != NOWHERE and table.seats[place]["mark"]:
        table.seats[place]["mark"] = 0
        place = int(table.seats[place]["previous"])
        if place == NOWHERE:
            place = int(table.lists[QUEUE]["last"])
    table.own[_HAND] = place + 1
    return place


@compiled
def entered(table: Table, place: int) -> None:
    """A newcomer is the newest, and not visited yet."""
    table.seats[place]["mark"] = 0
    link_first(table, QUEUE, place)


@compiled
def left(table: Table, place: int) -> None:
    """Whoever has gone is in the queue no more; the hand goes on to the next newer."""
    if int(table.own[_HAND]) - 1 == place:
        table.own[_HAND] = table.seats[place]["previous"] + 1
    unlink(table, QUEUE, place)


FIFO: Final = Policy(victim=oldest, entered=entered, left=left)
CLOCK: Final = Policy(visit, oldest_unvisited, entered, left)
SIEVE: Final = Policy(visit, under_hand, entered, left)
