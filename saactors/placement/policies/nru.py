"""NRU: who has not sent since all were last marked may be replaced.

Every so often all residents are marked as candidates for replacement. A packet takes the mark off
its SA. An SA that is not on the card is loaded with its packet if there is a candidate; where there
is none it stays in software (Eldar, Trumper, Vlodavsky, Rosenblatt, "Method and apparatus to update
a cache for security records", US 7,549,023, 2009; expired). Its claim 4 lets the interval vary
"according to network traffic patterns" and gives no figure.

**The interval here** is a number of packets, so many for each slot: the heavier the traffic, the
shorter it is. It has at most as many loads as the card has slots. If it has as many packets per
slot as a load is worth, its loads cost at most what all its packets could save.

Nobody is walked over: marking all is a number going up, and a resident is marked while it has not
sent since. A list has them in the order of their first packets since.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from saactors.model.compiled import compiled
from saactors.placement.policy import Policy, free_seat
from saactors.placement.policy_parameters import PolicyParameters, number, packets_worth_a_load
from saactors.placement.seats import (
    FIRST_OWN_LIST,
    NOWHERE,
    Table,
    link_first,
    move_first,
    unlink,
)

USED: Final = FIRST_OWN_LIST  # from the one whose mark was taken off last

# Own numbers.
_MARKINGS: Final = 0  # so far
_PACKETS: Final = 1  # since the last one


@dataclass(frozen=True, slots=True, kw_only=True)
class NruParameters(PolicyParameters):
    """The parameters of NRU with an interval that follows the traffic.

    Raises:
        ParameterError: a value outside its range.
    """

    interval_per_slot: float | None = number(
        None,
        "packets per slot between markings",
        "load cost ÷ saving: the loads of an interval cost no more than its packets can save",
        from_cost=packets_worth_a_load,
    )


@compiled
def heard(table: Table, _sa: int, _length_bytes: int, _now_ns: int) -> None:
    """Mark all residents if it is time."""
    settings = table.settings[0]
    if table.own[_PACKETS] >= settings["interval_per_slot"] * settings["card_slots"]:
        table.own[_PACKETS] = 0
        table.own[_MARKINGS] += 1
    table.own[_PACKETS] += 1


@compiled
def touch(table: Table, sa: int, _length_bytes: int, _now_ns: int) -> None:
    """The first packet since takes the mark off."""
    place = table.standings[sa]["place"]
    if table.seats[place]["key"] != table.own[_MARKINGS]:
        table.seats[place]["key"] = table.own[_MARKINGS]
        move_first(table, USED, place)


@compiled
def wants(table: Table, sa: int, _length_bytes: int, now_ns: int) -> bool:
    """If there is a seat."""
    return free_seat(table) != NOWHERE or victim(table, sa, now_ns) != NOWHERE


@compiled
def victim(table: Table, _sa: int, _now_ns: int) -> int:
    """The one that has been marked for longest."""
    place = table.lists[USED]["last"]
    if place == NOWHERE or table.seats[place]["key"] == table.own[_MARKINGS]:
        return NOWHERE
    return int(place)


@compiled
def entered(table: Table, place: int) -> None:
    """A newcomer bears no mark."""
    table.seats[place]["key"] = table.own[_MARKINGS]
    link_first(table, USED, place)


@compiled
def left(table: Table, place: int) -> None:
    """Out of the list."""
    unlink(table, USED, place)


NRU: Final = Policy(touch, victim, entered, left, wants, heard)
