"""EWMA: load where the expected saving over a horizon exceeds what it costs.

The rate at which an SA saves, had it been on the card, is taken as an exponentially weighted
average of its packets' savings w at times t, continuous in time:

    rate(now) = Σ w * exp(-(now - t) / memory) / memory

and its saving over the horizon as rate * horizon. A load pays for itself if the newcomer's expected
saving is at least the load cost and what the resident it replaces would still save.

**A key that time leaves alone.** All rates fade alike, so their order changes with packets only,
and the logarithm of a rate falls along a line that is the same for all. So what is kept of an SA is

    level = log(Σ w * exp(-(now - t) / memory)) + now / memory

which does not depend on ``now``: nobody is ever brought up to date, and nothing overflows. A packet
adds to a level l by ``log(exp(l) + w * exp(now / memory))``, worked out from the greater of both.
Only where a running rule gets another memory are all levels made afresh.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from saactors.model.compiled import compiled
from saactors.placement.lazy_heap import drop, lowest_place, push, rebuild
from saactors.placement.policy import Policy, free_seat
from saactors.placement.policy_parameters import PolicyParameters, number
from saactors.placement.seats import NOWHERE, Table, saving_ns


@dataclass(frozen=True, slots=True, kw_only=True)
class EwmaParameters(PolicyParameters):
    """The parameters of the cost rule with an explicit horizon.

    Raises:
        ParameterError: a value outside its range.
    """

    memory_ns: int = number(
        1_000_000_000,
        "ns",
        "as long as the metric rule remembers: long against TCP's bursts, short against most"
        " streams' lives",
        least=1,
        most=1e15,
    )
    horizon_ns: int = number(
        1_000_000_000,
        "ns",
        "what has been seen for a memory's length may be expected for as long again",
        least=1,
        most=1e15,
    )


_MEMORY_NS: Final = 0  # own number: what the levels are made with


@compiled
def heard(table: Table, sa: int, length_bytes: int, now_ns: int) -> None:
    """Add what the packet saves, or would."""
    if table.own[_MEMORY_NS] != table.settings[0]["memory_ns"]:
        remake(table, now_ns)
    weight_ns = saving_ns(table, length_bytes)
    if weight_ns <= 0:
        return
    standing = table.standings[sa]
    added = math.log(weight_ns) + now_ns / table.settings[0]["memory_ns"]
    if standing["mark"]:
        greater, lesser = max(standing["stamp"], added), min(standing["stamp"], added)
        added = greater + math.log1p(math.exp(lesser - greater))
    standing["stamp"] = added
    standing["mark"] = 1  # it has a level


@compiled
def remake(table: Table, now_ns: int) -> None:
    """Let every rate be what it is now, and fade by the memory of the settings from now on."""
    memory_ns = table.settings[0]["memory_ns"]
    old_memory_ns = table.own[_MEMORY_NS]
    table.own[_MEMORY_NS] = memory_ns
    if old_memory_ns == 0:  # there is nothing yet
        return
    shift = math.log(memory_ns / old_memory_ns) + now_ns / memory_ns - now_ns / old_memory_ns
    for sa in range(len(table.standings)):
        table.standings[sa]["stamp"] += shift
    for place in range(table.ledger[0]["card_slots"]):
        table.seats[place]["key"] += shift
    rebuild(table)


@compiled
def expected_ns(table: Table, level: float, now_ns: int) -> float:
    """What is saved over the horizon at the rate that a level stands for."""
    settings = table.settings[0]
    memory_ns = settings["memory_ns"]
    return float(math.exp(level - now_ns / memory_ns) / memory_ns * settings["horizon_ns"])


@compiled
def touch(table: Table, sa: int, _length_bytes: int, _now_ns: int) -> None:
    """A resident's key is its level."""
    standing = table.standings[sa]
    table.seats[standing["place"]]["key"] = standing["stamp"]


@compiled
def wants(table: Table, sa: int, _length_bytes: int, now_ns: int) -> bool:
    """Whether a load pays."""
    standing = table.standings[sa]
    if not standing["mark"]:
        return False
    gain_ns = expected_ns(table, standing["stamp"], now_ns) - table.settings[0]["load_host_ns"]
    standing["earned"] = gain_ns  # for whoever follows the commands
    if gain_ns < 0 or free_seat(table) != NOWHERE:
        return bool(gain_ns >= 0)
    place = lowest_place(table)
    if place == NOWHERE:
        return False
    return bool(gain_ns >= expected_ns(table, table.seats[place]["key"], now_ns))


@compiled
def victim(table: Table, _sa: int, _now_ns: int) -> int:
    """Whoever saves least."""
    return lowest_place(table)


@compiled
def entered(table: Table, place: int) -> None:
    """Among the others by its level, which it has, or it would not have been loaded."""
    table.seats[place]["key"] = table.standings[table.seats[place]["sa"]]["stamp"]
    push(table, place)


@compiled
def left(table: Table, place: int) -> None:
    """Its level stays with it."""
    drop(table, place)


EWMA: Final = Policy(touch, victim, entered, left, wants, heard)
