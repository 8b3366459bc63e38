"""Open vSwitch's rebalancing of offloaded flows: first come, and every few seconds by packets/s.

With ``other_config:offload-rebalance`` Open vSwitch offloads flows as they come, until the card is
out of resources. From then on it compares every 3 s the offloaded flow of the least rate with the
pending one of the greatest, the next with the next, and so on: as long as the pending flow is the
faster one they change places, at most 1024 pairs at a time (ofproto/ofproto-dpif-upcall.c:
udpif_flow_rebalance, rebalance_device, OFFL_REBAL_INTVL_MSEC and OFFL_REBAL_MAX_CHURN). What a
change costs is not asked.

A rate is the packets since the last review. Pending SAs that have sent nothing are left out, for a
free seat that nobody uses is of no use either.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
import numpy.typing as npt

from saactors.model.compiled import compiled
from saactors.placement.lazy_heap import drop, lowest_place, push, rebuild
from saactors.placement.policies.ranking import offer, ranked, sort
from saactors.placement.policy import Policy, free_seat, loader_has_room, take_seat
from saactors.placement.policy_parameters import PolicyParameters, number
from saactors.placement.routing import ABSENT
from saactors.placement.rule import Decide
from saactors.placement.seats import NOWHERE, Table

CHURN_MAX: Final = 1024  # OFFL_REBAL_MAX_CHURN


@dataclass(frozen=True, slots=True, kw_only=True)
class OvsParameters(PolicyParameters):
    """The parameters of Open vSwitch's rebalancing.

    Raises:
        ParameterError: a value outside its range.
    """

    decide: ClassVar[Decide] = Decide.PERIODIC
    period_ns: int = number(3_000_000_000, "ns", "OFFL_REBAL_INTVL_MSEC: 3 s", least=1, most=1e15)


@dataclass(frozen=True, slots=True, kw_only=True)
class OvsFastParameters(OvsParameters):
    """The same, thirty times as often.

    Raises:
        ParameterError: a value outside its range.
    """

    period_ns: int = number(
        100_000_000,
        "ns",
        "the metric rule's period: what Open vSwitch would do if it looked as often",
        least=1,
        most=1e15,
    )


@compiled
def heard(table: Table, sa: int, _length_bytes: int, _now_ns: int) -> None:
    """Count it."""
    table.standings[sa]["count"] += 1


@compiled
def wants(table: Table, _sa: int, _length_bytes: int, _now_ns: int) -> bool:
    """On arrival, only a free seat."""
    return free_seat(table) != NOWHERE


@compiled
def entered(table: Table, place: int) -> None:
    """Among those that may be replaced."""
    push(table, place)


@compiled
def left(table: Table, place: int) -> None:
    """No longer among them."""
    drop(table, place)


@compiled
def review(
    table: Table, sa_count: int, commands: npt.NDArray[np.void], _now_ns: int
) -> tuple[int, int]:
    """Let the fastest that wait change places with the slowest on the card; count anew."""
    slots = table.ledger[0]["card_slots"]
    waiting = 0
    for sa in range(sa_count):
        standing = table.standings[sa]
        if standing["residency"] == ABSENT and standing["count"] > 0:
            waiting = offer(table, waiting, slots, sa, standing["count"])
    sort(table, waiting)
    for place in range(slots):
        seat = table.seats[place]
        if seat["sa"] >= 0:
            seat["key"] = table.standings[seat["sa"]]["count"]
    rebuild(table)
    commanded, refused = change_places(table, waiting, commands)
    for sa in range(sa_count):
        table.standings[sa]["count"] = 0
    return commanded, refused


@compiled
def change_places(table: Table, waiting: int, commands: npt.NDArray[np.void]) -> tuple[int, int]:
    """Load those that are ranked, in turn, until one is no faster than whom it would replace."""
    commanded = refused = churned = 0
    for rank in range(waiting):
        sa = ranked(table, rank)
        place = free_seat(table)
        slowest = NOWHERE
        if place == NOWHERE:
            place = slowest = lowest_place(table)
            if place == NOWHERE or churned == CHURN_MAX:
                break
            if table.standings[sa]["count"] <= table.seats[place]["key"]:
                break
        if not loader_has_room(table):
            refused += 1
            break
        if slowest != NOWHERE:
            left(table, place)
            churned += 1
        take_seat(table, sa, place, commands, commanded, -1)
        commanded += 1
    return commanded, refused


OVS: Final = Policy(entered=entered, left=left, wants=wants, heard=heard, review=review)
