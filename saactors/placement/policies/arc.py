"""ARC: recency and frequency in a balance that ghosts tip.

SAs that have sent once since they were loaded stand in T1, others in T2, each in the order of their
last packets. B1 and B2 remember who was replaced from either. A load of an SA that B1 remembers
says that T1 is too small, one that B2 remembers that T2 is: the target size of T1 moves (Megiddo,
Modha, "ARC: A Self-Tuning, Low Overhead Replacement Cache", FAST 2003).

SAs on their way to the card stand in neither. So the target is moved when a load is commanded,
which is the cache's miss here, and the lists' bounds count what has arrived.
"""

from __future__ import annotations

from typing import Final

from saactors.model.compiled import compiled
from saactors.placement.policy import Policy
from saactors.placement.seats import (
    FIRST_OWN_LIST,
    FREE_GHOSTS,
    NOWHERE,
    Table,
    forget,
    link_first,
    remember,
    unlink,
)

T1: Final = FIRST_OWN_LIST  # all four from the most recent on
T2: Final = FIRST_OWN_LIST + 1
B1: Final = FIRST_OWN_LIST + 2
B2: Final = FIRST_OWN_LIST + 3

# Own numbers.
_TARGET: Final = 0  # of T1
_FORGOTTEN: Final = 1  # 1: whoever goes next is not to be remembered


@compiled
def touch(table: Table, sa: int, _length_bytes: int, _now_ns: int) -> None:
    """A packet on the card: frequent from now on, and the most recent of those."""
    place = table.standings[sa]["place"]
    seat = table.seats[place]
    if seat["mark"] != T2 or table.lists[T2]["first"] != place:
        unlink(table, seat["mark"], place)
        seat["mark"] = T2
        link_first(table, T2, place)


@compiled
def ghost_list(table: Table, sa: int) -> int:
    """The list that remembers an SA that is not on the card, or NOWHERE."""
    place = table.standings[sa]["place"]
    return NOWHERE if place == NOWHERE else int(table.seats[place]["mark"])


@compiled
def target_for(table: Table, sa: int) -> float:
    """The target size of T1 if ``sa`` is loaded now."""
    target = table.own[_TARGET]
    ghosts = ghost_list(table, sa)
    recent, frequent = table.lists[B1]["length"], table.lists[B2]["length"]
    if ghosts == B1:
        return float(min(target + max(1.0, frequent / recent), table.ledger[0]["card_slots"]))
    if ghosts == B2:
        return float(max(target - max(1.0, recent / frequent), 0.0))
    return float(target)


@compiled
def victim(table: Table, sa: int, _now_ns: int) -> int:
    """T1's least recent if T1 is beyond its target, else T2's."""
    recent = table.lists[T1]["length"]
    target = target_for(table, sa)
    if recent > 0 and (
        recent > target
        or (recent == target and ghost_list(table, sa) == B2)
        or table.lists[T2]["length"] == 0
    ):
        return int(table.lists[T1]["last"])
    return int(table.lists[T2]["last"])


@compiled
def summoned(table: Table, sa: int) -> None:
    """Move the target, let go of the newcomer's ghost, or make room for one more in T1 and B1."""
    table.own[_TARGET] = target_for(table, sa)
    ghosts = ghost_list(table, sa)
    table.standings[sa]["mark"] = ghosts != NOWHERE
    if ghosts != NOWHERE:
        forget(table, ghosts, table.standings[sa]["place"])
    elif table.lists[T1]["length"] + table.lists[B1]["length"] >= table.ledger[0]["card_slots"]:
        if table.lists[B1]["length"] > 0:
            forget(table, B1, table.lists[B1]["last"])
        else:
            table.own[_FORGOTTEN] = 1


@compiled
def entered(table: Table, place: int) -> None:
    """Frequent if it had been remembered, else recent."""
    seat = table.seats[place]
    seat["mark"] = T2 if table.standings[seat["sa"]]["mark"] else T1
    link_first(table, seat["mark"], place)


@compiled
def left(table: Table, place: int) -> None:
    """Remember who went, in place of the one that went from the frequent longest ago."""
    seat = table.seats[place]
    unlink(table, seat["mark"], place)
    if table.own[_FORGOTTEN]:
        table.own[_FORGOTTEN] = 0
        return
    if table.lists[FREE_GHOSTS]["length"] == 0:
        full = B2 if table.lists[B2]["length"] > 0 else B1
        forget(table, full, table.lists[full]["last"])
    ghosts = B1 if seat["mark"] == T1 else B2
    ghost = remember(table, ghosts, seat["sa"])
    table.seats[ghost]["mark"] = ghosts


ARC: Final = Policy(touch, victim, entered, left, summoned=summoned)
