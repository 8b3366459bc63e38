"""What moves an SA on or off the card that its policy has not asked for; compiled.

A system that runs for long is steered: SAs are deleted, pinned and unpinned, rules exchanged. A
policy needs no further functions for that. Whoever is evicted leaves as if replaced, whoever is
adopted comes as if loaded, and of whoever is deleted nothing stays: seat, ghost and standing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy.typing as npt
from numpy import void

from saactors.model.compiled import specialised
from saactors.placement.policy import Policy, forget_nothing, free_seat, take_seat, vacate
from saactors.placement.routing import ABSENT, LOADING, RESIDENT
from saactors.placement.seats import FREE, NOWHERE, Table, link_first, unlink
from saactors.placement.seats import forget as forget_ghost

# In each copy of the templates below these names stand for its own policy's functions.
entered, left = Policy().entered, Policy().left
summoned, forgotten = Policy().summoned, Policy().forgotten


def _evict(table: Table, sa: int) -> None:
    """Somebody else takes a RESIDENT SA off the card."""
    standing = table.standings[sa]
    assert standing["residency"] == RESIDENT
    place = standing["place"]
    left(table, place)
    standing["residency"] = ABSENT
    table.ledger[0]["residents"] -= 1
    vacate(table, place)


def _forget(table: Table, sa: int) -> None:
    """The SA has been deleted."""
    standing = table.standings[sa]
    assert standing["residency"] != LOADING
    if standing["residency"] == RESIDENT:
        place = standing["place"]
        left(table, place)
        standing["residency"] = ABSENT
        table.ledger[0]["residents"] -= 1
        vacate(table, place)
    if standing["place"] != NOWHERE:  # a ghost remembers it
        forget_ghost(table, table.seats[standing["place"]]["list"], standing["place"])
    forgotten(table, sa)
    standing["earned"] = 0.0
    standing["stamp"] = 0.0
    standing["count"] = 0
    standing["mark"] = 0


def _adopt(table: Table, sa: int, commands: npt.NDArray[void], loading: bool) -> None:
    """The card holds the SA, or is loading it; ``commands`` has room for one that nobody reads."""
    standing = table.standings[sa]
    ledger = table.ledger[0]
    place = free_seat(table)
    assert standing["residency"] == ABSENT
    assert place != NOWHERE
    summoned(table, sa)
    take_seat(table, sa, place, commands, 0, -1)
    if not loading:
        standing["residency"] = RESIDENT
        ledger["loading"] -= 1
        ledger["residents"] += 1
        entered(table, place)


def park(table: Table) -> int:
    """Take a free seat away; returns its place. There must be one."""
    place = int(table.lists[FREE]["first"])
    assert place != NOWHERE, "there is no free seat"
    unlink(table, FREE, place)
    return place


def unpark(table: Table, place: int) -> None:
    """Give a seat back."""
    link_first(table, FREE, place)


class PolicyMoves(NamedTuple):
    """The templates compiled for one policy."""

    evict: Callable[[Table, int], None]
    forget: Callable[[Table, int], None]
    adopt: Callable[[Table, int, npt.NDArray[void], bool], None]
    wipes_traits: bool  # the policy does it itself


@cache
def policy_moves(name: str, policy: Policy) -> PolicyMoves:
    """The moves of the rule ``name`` that follows ``policy``; compiled when first called."""
    names: dict[str, Any] = policy._asdict()
    return PolicyMoves(
        specialised(_evict, name, **names),
        specialised(_forget, name, **names),
        specialised(_adopt, name, **names),
        policy.forgotten is not forget_nothing,
    )
