"""LFU: the resident with the fewest packets since it was loaded goes first.

Among equals goes the one that got there first, as in libCacheSim. What an SA had sent before it was
loaded does not count, so whoever has just been loaded is the next to go.

The order is a key: packets first, and how many packets of residents there had been by its last one
second. The latter counts to 2³¹ and then begins anew; beyond 4 million packets of an SA a double
cannot tell equals apart any more, which by then is no matter.
"""

from __future__ import annotations

from typing import Final

from saactors.model.compiled import compiled
from saactors.placement.lazy_heap import drop, lowest_place, push
from saactors.placement.policy import Policy
from saactors.placement.seats import Table

_ROUND: Final = 2.0**31
_NUMBER: Final = 0  # own number: packets of residents, and loads, so far


@compiled
def count(table: Table, place: int, packets: int) -> None:
    """Set how many packets the resident of a seat has sent by now."""
    number = table.own[_NUMBER] + 1
    table.own[_NUMBER] = 0 if number == _ROUND else number
    seat = table.seats[place]
    seat["count"] = packets
    seat["key"] = packets * _ROUND + table.own[_NUMBER]


@compiled
def touch(table: Table, sa: int, _length_bytes: int, _now_ns: int) -> None:
    """One packet more."""
    place = table.standings[sa]["place"]
    count(table, place, table.seats[place]["count"] + 1)


@compiled
def victim(table: Table, _sa: int, _now_ns: int) -> int:
    """The one with the fewest."""
    return lowest_place(table)


@compiled
def entered(table: Table, place: int) -> None:
    """The packet that asked for the load is the first."""
    count(table, place, 1)
    push(table, place)


@compiled
def left(table: Table, place: int) -> None:
    """Its packets are forgotten."""
    drop(table, place)


LFU: Final = Policy(touch, victim, entered, left)
