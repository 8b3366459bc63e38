"""A rule as a policy: a handful of functions over seats; what is alike in all rules is here.

Most rules differ in few things: which packets of an SA that is not on the card ask for a load,
whom a load replaces, and what a resident's packets do to the order. So a rule is a ``Policy`` of
compiled functions, and ``policy_functions`` compiles them into the shape that every rule has.

    packet ──▶ heard ──▶ on the card?  ── yes ──▶ touch
                              └── no ──▶ wants? ── yes ──▶ a free seat, or victim()
                                                           └──▶ summoned ──▶ load
    card: loaded ──▶ entered            replaced, or the card was reset ──▶ left
    period over ──▶ review, which may load by itself

A packet of an SA that is being loaded is heard of and nothing else. Every function gets the
``Table`` (``saactors.placement.seats``) first. ``now_ns`` is when the burst is decided.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from saactors.model.compiled import compiled, specialised
from saactors.model.packets import NO_SA
from saactors.placement.functions import (
    RuleFunctions,
    Unmeasured,
    cache_nothing,
    inherit_nothing,
    observe_nothing,
    receive_nothing,
)
from saactors.placement.gate import ALWAYS, wants_by_gate
from saactors.placement.routing import ABSENT, LOADING, NIC, RESIDENT, SOFTWARE, needs_crypto
from saactors.placement.rule import Packets
from saactors.placement.seats import FREE, NOWHERE, Table, link_first, unlink

DECLINED: Final = 0
COMMANDED: Final = 1
REFUSED: Final = 2  # it would be loaded, but the loader has no room


@compiled
def hear_nothing(_table: Table, _sa: int, _length_bytes: int, _now_ns: int) -> None:
    """Take no note of packets as such."""


@compiled
def touch_nothing(_table: Table, _sa: int, _length_bytes: int, _now_ns: int) -> None:
    """A resident's packets change nothing."""


@compiled
def victim_nobody(_table: Table, _sa: int, _now_ns: int) -> int:
    """Nobody is ever replaced."""
    return NOWHERE


@compiled
def seat_only(_table: Table, _place: int) -> None:
    """Whoever comes or goes leaves no trace."""


@compiled
def summon_only(_table: Table, _sa: int) -> None:
    """Whoever is loaded had left no trace."""


@compiled
def forget_nothing(_table: Table, _sa: int) -> None:
    """What every rule keeps of an SA is wiped anyway."""


@compiled
def review_no_one(
    _table: Table, _sa_count: int, _commands: npt.NDArray[np.void], _now_ns: int
) -> tuple[int, int]:
    """Load nothing when a period ends."""
    return 0, 0


class Policy(NamedTuple):
    """What makes a rule; each function compiled, each with a default."""

    touch: Callable[..., None] = touch_nothing
    """(table, sa, length_bytes, now_ns): a packet of an SA on the card."""
    victim: Callable[..., int] = victim_nobody
    """(table, sa, now_ns): the seat that ``sa`` may have, all being taken; or NOWHERE."""
    entered: Callable[..., None] = seat_only
    """(table, place): the card holds the SA of this seat from now on."""
    left: Callable[..., None] = seat_only
    """(table, place): it holds it no more; called before the seat goes to another."""
    wants: Callable[..., bool] = wants_by_gate
    """(table, sa, length_bytes, now_ns): whether a packet of an absent SA asks for a load."""
    heard: Callable[..., None] = hear_nothing
    """(table, sa, length_bytes, now_ns): any packet of any SA, before all else."""
    review: Callable[..., tuple[int, int]] = review_no_one
    """(table, sa_count, commands, now_ns): a period is over; counts (commands, refused)."""
    inherit: Callable[..., None] = inherit_nothing
    """(table, sa, predecessor, now_ns): rekeying has put ``sa`` in the other's place."""
    summoned: Callable[..., None] = summon_only
    """(table, sa): it is going to be loaded, and its seat chosen; called before ``left``."""
    forgotten: Callable[..., None] = forget_nothing
    """(table, sa): it has been deleted, its seat or ghost is free; its standing is wiped next.

    A rule that has this function wipes its traits itself."""


@compiled
def take_seat(
    table: Table, sa: int, place: int, commands: npt.NDArray[np.void], number: int, row: int
) -> int:
    """Load the absent ``sa`` into the seat ``place``, whose resident has left; the outcome.

    A free seat is named by its place too. The command becomes that ``number``.
    """
    ledger = table.ledger[0]
    standing = table.standings[sa]
    command = commands[number]
    command["metric"] = standing["earned"]
    command["lowest"] = 0.0
    command["sa"] = sa
    command["row"] = row
    seat = table.seats[place]
    command["victim"] = seat["sa"]
    if seat["sa"] == NO_SA:
        unlink(table, FREE, place)
    else:
        gone = table.standings[seat["sa"]]
        if gone["place"] == place:  # else a ghost remembers it
            gone["place"] = NOWHERE
        gone["residency"] = ABSENT
        ledger["residents"] -= 1
    seat["sa"] = sa
    standing["place"] = place
    standing["residency"] = LOADING
    if table.settings[0]["gate"] != ALWAYS:
        standing["earned"] = 0.0  # the account begins anew
    ledger["loading"] += 1
    return COMMANDED


@compiled
def free_seat(table: Table) -> int:
    """A free seat of the card, or NOWHERE."""
    return int(table.lists[FREE]["first"])


@compiled
def loader_has_room(table: Table) -> bool:
    """Whether another load may be under way."""
    ledger = table.ledger[0]
    return bool(ledger["loading"] < ledger["loading_max"])


# In each copy of the templates below these names stand for its own policy's functions.
touch, victim, entered, left, wants, heard, review, _, summoned, _ = Policy()


def _decide(
    table: Table, packets: Packets, commands: npt.NDArray[np.void], _tick: int, now_ns: int
) -> tuple[int, int, int]:
    """Route every packet; load what asks for it and gets a seat."""
    commanded = refused = 0
    for row in range(len(packets)):
        packet = packets[row]
        if not needs_crypto(packet):
            continue
        sa, length_bytes = packet["sa"], packet["length_bytes"]
        residency = table.standings[sa]["residency"]
        packet["route"] = NIC if residency == RESIDENT else SOFTWARE
        heard(table, sa, length_bytes, now_ns)
        if residency == RESIDENT:
            touch(table, sa, length_bytes, now_ns)
        elif residency == ABSENT and wants(table, sa, length_bytes, now_ns):
            if not loader_has_room(table):
                refused += 1
                continue
            place = free_seat(table)
            if place == NOWHERE:
                place = victim(table, sa, now_ns)
                if place == NOWHERE:
                    continue
                summoned(table, sa)
                left(table, place)
            else:
                summoned(table, sa)
            take_seat(table, sa, place, commands, commanded, row)
            commanded += 1
    return commanded, refused, 0


def _review(
    _keeper: Unmeasured,
    table: Table,
    sa_count: int,
    commands: npt.NDArray[np.void],
    _tick: int,
    now_ns: int,
) -> tuple[int, int, int]:
    """Let the policy review the SAs at the end of a period."""
    commanded, refused = review(table, sa_count, commands, now_ns)
    return commanded, refused, 0


def _answer(table: Table, sa: int, _tick: int, loaded: bool) -> None:
    """The card has answered the load of ``sa``."""
    standing = table.standings[sa]
    assert standing["residency"] == LOADING
    ledger = table.ledger[0]
    ledger["loading"] -= 1
    place = standing["place"]
    if loaded:
        standing["residency"] = RESIDENT
        ledger["residents"] += 1
        entered(table, place)
    else:
        standing["residency"] = ABSENT
        vacate(table, place)


def _reset(table: Table) -> None:
    """The card has forgotten its residents."""
    ledger = table.ledger[0]
    for place in range(ledger["card_slots"]):
        sa = table.seats[place]["sa"]
        if sa != NO_SA and table.standings[sa]["residency"] == RESIDENT:
            left(table, place)
            table.standings[sa]["residency"] = ABSENT
            vacate(table, place)
    ledger["residents"] = 0


@compiled
def vacate(table: Table, place: int) -> None:
    """Make a seat free."""
    standing = table.standings[table.seats[place]["sa"]]
    if standing["place"] == place:  # else a ghost remembers it
        standing["place"] = NOWHERE
    table.seats[place]["sa"] = NO_SA
    link_first(table, FREE, place)


class Room(NamedTuple):
    """Arrays that a rule wants beside those of all rules."""

    traits: int = 0  # 32-bit numbers per SA
    memory: tuple[int, int] = (1, 1)  # shape of its own table ...
    memory_per_slot: int = 0  # ... and further rows of it for each slot of the card


class PolicyFunctions(NamedTuple):
    """A policy compiled into the shape of a rule, and what only the arbiter half needs."""

    rule: RuleFunctions
    reset: Callable[[Table], None]
    room: Room
    name: str = ""
    policy: Policy = Policy()  # for saactors.placement.policy_moves


def policy_functions(name: str, policy: Policy, room: Room) -> PolicyFunctions:
    """The functions of the rule ``name`` that follows ``policy``; compiled when first called."""
    names: dict[str, Any] = policy._asdict()
    return PolicyFunctions(
        RuleFunctions(
            receive_nothing,
            observe_nothing,
            cache_nothing,
            specialised(_decide, name, **names),
            specialised(_review, name, counts_references=True, **names),
            specialised(_answer, name, **names),
            policy.inherit,
        ),
        specialised(_reset, name, **names),
        room,
        name,
        policy,
    )
