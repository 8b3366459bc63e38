"""S3-FIFO: three queues, of which a small one keeps one-hit wonders away from the main one.

A newcomer enters the small queue, a tenth of the card. Whoever leaves it having sent twice since
goes on to the main queue; anyone else leaves the card, and a ghost remembers it. Whoever returns
while its ghost is there enters the main queue at once. The main queue is a CLOCK that counts to 3
(Yang, Zhang, Qiu, Yue, Rashmi, "FIFO Queues are All You Need for Cache Eviction", SOSP 2023).

While the card fills up for the first time the main queue takes what the small one has no room for,
as libCacheSim has it.
"""

from __future__ import annotations

from typing import Final

from saactors.model.compiled import compiled
from saactors.placement.policy import Policy
from saactors.placement.seats import (
    FIRST_OWN_LIST,
    NOWHERE,
    Table,
    forget,
    link_first,
    move_first,
    remember,
    unlink,
)

SMALL: Final = FIRST_OWN_LIST  # all three from the newest to the oldest
MAIN: Final = FIRST_OWN_LIST + 1
GHOSTS: Final = FIRST_OWN_LIST + 2

SMALL_SHARE: Final = 0.1
GHOST_SHARE: Final = 0.9
COUNT_MAX: Final = 3
PROMOTED_FROM: Final = 2  # packets in the small queue

_HAS_EVICTED: Final = 0  # own number: 1 once someone has had to go


@compiled
def small_max(table: Table) -> int:
    """Seats of the small queue: a tenth, and at least one."""
    return max(1, int(table.ledger[0]["card_slots"] * SMALL_SHARE))


@compiled
def touch(table: Table, sa: int, _length_bytes: int, _now_ns: int) -> None:
    """Count to three; no queue moves."""
    seat = table.seats[table.standings[sa]["place"]]
    seat["count"] = min(COUNT_MAX, seat["count"] + 1)


@compiled
def victim(table: Table, _sa: int, _now_ns: int) -> int:
    """The oldest of the small queue that has not earned the main one, else the main queue's."""
    table.own[_HAS_EVICTED] = 1
    main_max = table.ledger[0]["card_slots"] - small_max(table)
    if table.lists[MAIN]["length"] <= main_max:
        place = oldest_small(table)
        if place != NOWHERE:
            return place
    place = oldest_main(table)
    return place if place != NOWHERE else int(table.lists[SMALL]["last"])


@compiled
def oldest_small(table: Table) -> int:
    """Promote from the small queue's end until someone has to go; NOWHERE if it is empty then."""
    while table.lists[SMALL]["length"] > 0:
        place = table.lists[SMALL]["last"]
        seat = table.seats[place]
        if seat["count"] < PROMOTED_FROM:
            return int(place)
        unlink(table, SMALL, place)
        seat["mark"] = MAIN
        seat["count"] = 0
        link_first(table, MAIN, place)
    return NOWHERE


@compiled
def oldest_main(table: Table) -> int:
    """Give whoever has sent another round, for one of its counts; NOWHERE if nobody is there."""
    place = table.lists[MAIN]["last"]
    while place != NOWHERE and table.seats[place]["count"] > 0:
        table.seats[place]["count"] -= 1
        move_first(table, MAIN, place)
        place = table.lists[MAIN]["last"]
    return int(place)


@compiled
def summoned(table: Table, sa: int) -> None:
    """Note whether a ghost remembers it, and let the ghost go."""
    standing = table.standings[sa]
    standing["mark"] = standing["place"] != NOWHERE
    if standing["place"] != NOWHERE:
        forget(table, GHOSTS, standing["place"])


@compiled
def entered(table: Table, place: int) -> None:
    """Into the main queue if it was remembered, or nobody has had to go yet; else the small one."""
    seat = table.seats[place]
    filling = table.own[_HAS_EVICTED] == 0 and table.lists[SMALL]["length"] >= small_max(table)
    seat["mark"] = MAIN if filling or table.standings[seat["sa"]]["mark"] else SMALL
    seat["count"] = 0
    link_first(table, seat["mark"], place)


@compiled
def left(table: Table, place: int) -> None:
    """Whoever goes from the small queue is remembered for a while."""
    seat = table.seats[place]
    unlink(table, seat["mark"], place)
    ghosts_max = int(table.ledger[0]["card_slots"] * GHOST_SHARE)
    if seat["mark"] == SMALL and ghosts_max > 0:
        if table.lists[GHOSTS]["length"] >= ghosts_max:
            forget(table, GHOSTS, table.lists[GHOSTS]["last"])
        remember(table, GHOSTS, seat["sa"])


S3_FIFO: Final = Policy(touch, victim, entered, left, summoned=summoned)
