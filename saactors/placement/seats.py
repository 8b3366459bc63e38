"""The card as most rules see it: SAs with a standing, seats that hold them, lists of seats.

A **standing** is what the arbiter knows of an SA, whether it is on the card or not. A **seat** is a
slot of the card with whoever is in it; behind the card's seats there may be as many **ghosts**,
which remember SAs that are not on the card any more. Seats are linked into doubly linked **lists**,
of which two are taken (free seats, free ghosts) and the others are a rule's own. Nothing is ever
searched for or moved: an SA knows its seat, a seat its neighbours, so every step costs O(1).

All of it is arrays, the same for each rule, so that a rule is a few functions and nothing else
(``saactors.placement.policy``). An SA costs 32 bytes, a seat 32.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from saactors.model.compiled import compiled

STANDING: Final = np.dtype(
    [
        ("earned", "f8"),  # the gate's account: ns saved, had it been on the card; or a rule's own
        ("stamp", "f8"),  # a rule's own, as are the next two
        ("count", "f4"),
        ("place", "i4"),  # its seat, or ghost, or NOWHERE
        ("mark", "u1"),
        ("residency", "u1"),  # ABSENT, LOADING or RESIDENT
    ],
    align=True,
)


def standing_dtype(traits: int) -> np.dtype[np.void]:
    """STANDING with so many 32-bit numbers of a rule's own behind it, as ``standing["traits"]``.

    They stand in the same record because an SA that has been silent costs a cache miss a record.
    """
    if traits == 0:
        return STANDING
    assert STANDING.names is not None
    known = [(name, STANDING[name]) for name in STANDING.names]
    return np.dtype([*known, ("traits", "f4", (traits,))], align=True)


SEAT: Final = np.dtype(
    [
        ("key", "f8"),  # a rule's own, as are count and mark
        ("sa", "i4"),
        ("previous", "i4"),  # in its list; NOWHERE at the ends
        ("following", "i4"),
        ("count", "i4"),
        ("mark", "i4"),
        ("list", "i4"),  # of a ghost: the list that remembers
    ],
    align=True,
)

LIST: Final = np.dtype([("first", "i4"), ("last", "i4"), ("length", "i4")])

TABLE_LEDGER: Final = np.dtype(
    [
        ("card_slots", "i8"),
        ("residents", "i8"),
        ("loading", "i8"),
        ("loading_max", "i8"),
        ("chance", "u8"),  # state of the coin
    ],
    align=True,
)

NOWHERE: Final = -1
FREE: Final = 0  # the list of free seats
FREE_GHOSTS: Final = 1
FIRST_OWN_LIST: Final = 2
LISTS: Final = 8
OWN_NUMBERS: Final = 32


class Table(NamedTuple):
    """The arrays, passed together to the functions of every rule."""

    standings: npt.NDArray[np.void]  # (SAs,) of STANDING
    seats: npt.NDArray[np.void]  # (2 * slots,) of SEAT: the card's, then the ghosts
    lists: npt.NDArray[np.void]  # (LISTS,) of LIST
    heap: npt.NDArray[np.void]  # (slots,) of saactors.placement.lazy_heap.BOUND
    own: npt.NDArray[np.float64]  # (OWN_NUMBERS,): a rule's own numbers, zero at first
    memory: npt.NDArray[np.float64]  # (rows, columns) that the rule asks for, zero at first
    ledger: npt.NDArray[np.void]  # (1,) of TABLE_LEDGER
    settings: npt.NDArray[np.void]  # (1,), what the rule's parameters and the costs say


@compiled
def link_first(table: Table, number: int, place: int) -> None:
    """Put a seat that is in no list before the first of list ``number``."""
    ends = table.lists[number]
    seat = table.seats[place]
    seat["previous"] = NOWHERE
    seat["following"] = ends["first"]
    if ends["first"] == NOWHERE:
        ends["last"] = place
    else:
        table.seats[ends["first"]]["previous"] = place
    ends["first"] = place
    ends["length"] += 1


@compiled
def link_last(table: Table, number: int, place: int) -> None:
    """Put a seat that is in no list behind the last of list ``number``."""
    ends = table.lists[number]
    seat = table.seats[place]
    seat["following"] = NOWHERE
    seat["previous"] = ends["last"]
    if ends["last"] == NOWHERE:
        ends["first"] = place
    else:
        table.seats[ends["last"]]["following"] = place
    ends["last"] = place
    ends["length"] += 1


@compiled
def unlink(table: Table, number: int, place: int) -> None:
    """Take a seat out of list ``number``, which it is in."""
    ends = table.lists[number]
    seat = table.seats[place]
    if seat["previous"] == NOWHERE:
        ends["first"] = seat["following"]
    else:
        table.seats[seat["previous"]]["following"] = seat["following"]
    if seat["following"] == NOWHERE:
        ends["last"] = seat["previous"]
    else:
        table.seats[seat["following"]]["previous"] = seat["previous"]
    ends["length"] -= 1


@compiled
def move_first(table: Table, number: int, place: int) -> None:
    """Make a seat of list ``number`` its first."""
    if table.lists[number]["first"] != place:
        unlink(table, number, place)
        link_first(table, number, place)


@compiled
def remember(table: Table, number: int, sa: int) -> int:
    """Give an SA that is not on the card a ghost, first of list ``number``; returns its place.

    The list's last ghost is forgotten where none is free; the list must have one then.
    """
    if table.lists[FREE_GHOSTS]["length"] == 0:
        forget(table, number, table.lists[number]["last"])
    place = int(table.lists[FREE_GHOSTS]["first"])
    unlink(table, FREE_GHOSTS, place)
    link_first(table, number, place)
    table.seats[place]["sa"] = sa
    table.seats[place]["list"] = number
    table.standings[sa]["place"] = place
    return place


@compiled
def forget(table: Table, number: int, place: int) -> None:
    """Free a ghost of list ``number``."""
    unlink(table, number, place)
    table.standings[table.seats[place]["sa"]]["place"] = NOWHERE
    link_first(table, FREE_GHOSTS, place)


@compiled
def saving_ns(table: Table, length_bytes: int) -> float:
    """Host time that a packet saves on the card; one that would cost more there saves nothing."""
    settings = table.settings[0]
    saving: float = settings["saving_packet_ns"] + settings["saving_byte_ns"] * length_bytes
    return max(0.0, saving)
