"""Rate: whoever reaches so many packets/s is offloaded; below that, its seat may be taken.

A threshold on a flow's rate is the plainest way to tell elephants from mice (Sarrar, Uhlig,
Feldmann, Sherwood, Huang, "Leveraging Zipf's Law for Traffic Offloading", CCR 42(1), 2012; Niranjan
Mysore, Porter, Vahdat, "FasTrak", CoNEXT 2013, which ranks by packets/s).

Time is cut into windows. An SA qualifies with the packet that completes the window's quota, rate
times window; that packet asks for a load, and so does every further one in the window. A resident
that qualified neither in the last whole window nor in the present one may be replaced: first the
one that has not qualified for longest. A list in the order of last qualifying finds it.
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

QUALIFIED: Final = FIRST_OWN_LIST  # from the one that qualified last
_WINDOW_NS: Final = 0  # own number: when the present window began


@dataclass(frozen=True, slots=True, kw_only=True)
class RateParameters(PolicyParameters):
    """The parameters of the threshold on a rate.

    Raises:
        ParameterError: a value outside its range.
    """

    rate_packets_per_s: float | None = number(
        None,
        "packets/s",
        "load cost ÷ saving, per second: at that rate a load pays for itself within a second",
        from_cost=packets_worth_a_load,
    )
    window_ns: int = number(
        1_000_000_000,
        "ns",
        "a second, over which packets/s are what they say",
        least=1,
        most=1e15,
    )


@compiled
def quota(table: Table) -> float:
    """Packets that qualify an SA within a window."""
    settings = table.settings[0]
    return float(settings["rate_packets_per_s"] * settings["window_ns"] / 1e9)


@compiled
def heard(table: Table, sa: int, _length_bytes: int, now_ns: int) -> None:
    """Count it in its window."""
    window_ns = float(now_ns - now_ns % table.settings[0]["window_ns"])
    table.own[_WINDOW_NS] = window_ns
    standing = table.standings[sa]
    if standing["stamp"] != window_ns:
        standing["stamp"] = window_ns
        standing["count"] = 0
    standing["count"] += 1


@compiled
def touch(table: Table, sa: int, _length_bytes: int, _now_ns: int) -> None:
    """Once in a window a resident may qualify again."""
    standing = table.standings[sa]
    place = standing["place"]
    if (
        float(standing["count"]) >= quota(table)
        and table.seats[place]["key"] != table.own[_WINDOW_NS]
    ):
        table.seats[place]["key"] = table.own[_WINDOW_NS]
        move_first(table, QUALIFIED, place)


@compiled
def wants(table: Table, sa: int, _length_bytes: int, now_ns: int) -> bool:
    """Whether it has qualified and there is a seat for it."""
    if float(table.standings[sa]["count"]) < quota(table):
        return False
    return free_seat(table) != NOWHERE or victim(table, sa, now_ns) != NOWHERE


@compiled
def victim(table: Table, _sa: int, _now_ns: int) -> int:
    """The one that has not qualified for longest, if that is a whole window."""
    place = table.lists[QUALIFIED]["last"]
    last_whole_ns = table.own[_WINDOW_NS] - table.settings[0]["window_ns"]
    if place == NOWHERE or table.seats[place]["key"] >= last_whole_ns:
        return NOWHERE
    return int(place)


@compiled
def entered(table: Table, place: int) -> None:
    """As if it had qualified just now: time to do so is not to pass while it is loading."""
    table.seats[place]["key"] = table.own[_WINDOW_NS]
    link_first(table, QUALIFIED, place)


@compiled
def left(table: Table, place: int) -> None:
    """Out of the list."""
    unlink(table, QUALIFIED, place)


RATE: Final = Policy(touch, victim, entered, left, wants, heard)
