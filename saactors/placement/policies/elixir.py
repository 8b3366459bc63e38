"""Elixir: large and bursty flows apart, each by a window of its own.

Large flows earn their place over a long window, bursts over a short one; a rule with one window
either reacts too late to bursts or lets them drive large flows out. Elixir identifies and replaces
the two apart, and does not tie the window over which a rate is measured to the one in which flows
are replaced (Wang, Li, Lu, Wu, Shao, Wang, "Elixir: A High-performance and Low-cost Approach to
Managing Hardware/Software Hybrid Flow Tables Considering Flow Burstiness", NSDI 2022). Sampling and
the NIC's counters are its answer to what measuring costs on a real card; here every packet is seen.

Ours, from that description:

- **Large**: once per period the SAs are ranked by their packets in it. The first ones, as many as
  the large part of the card has seats and of those only who have sent enough, are large until the
  next review; those not on the card yet are loaded then. Among equals who is there comes first.
- **Bursty**: any other resident. An SA that is not on the card is loaded as soon as it has sent
  enough within a burst window. It replaces the bursty resident silent for longest, if that one's
  burst is over: nothing for a whole window.

So ``burst_share`` of the seats at least is never held by large SAs, and no burst drives a large one
out. A resident becomes large, or stops being so, without a load.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
import numpy.typing as npt

from saactors.model.compiled import compiled
from saactors.placement.policies.ranking import offer, ranked, sort
from saactors.placement.policy import Policy, free_seat, loader_has_room, take_seat
from saactors.placement.policy_parameters import PolicyParameters, number, packets_worth_a_load
from saactors.placement.routing import ABSENT, RESIDENT
from saactors.placement.rule import Decide
from saactors.placement.seats import (
    FIRST_OWN_LIST,
    NOWHERE,
    Table,
    link_first,
    link_last,
    move_first,
    unlink,
)

LARGE: Final = FIRST_OWN_LIST  # from the one that became large last
BURSTY: Final = FIRST_OWN_LIST + 1  # from the most recent on


@dataclass(frozen=True, slots=True, kw_only=True)
class ElixirParameters(PolicyParameters):
    """The parameters of large and bursty flows by separate windows.

    Raises:
        ParameterError: a value outside its range.
    """

    decide: ClassVar[Decide] = Decide.PERIODIC
    period_ns: int = number(
        1_000_000_000,
        "ns",
        "over which large SAs are identified: as long as the metric rule remembers",
        least=1,
        most=1e15,
    )
    large_packets: float | None = number(
        None,
        "packets in a period",
        "load cost ÷ saving: a load pays for itself within a period",
        from_cost=packets_worth_a_load,
    )
    burst_window_ns: int = number(
        10_000_000,
        "ns",
        "a hundredth of the period: some round trips, within which TCP's bursts come and go",
        least=1,
        most=1e15,
    )
    burst_packets: float | None = number(
        None,
        "packets in a burst window",
        "load cost ÷ saving: a burst of which that much has passed may have as much to come",
        from_cost=packets_worth_a_load,
    )
    burst_share: float = number(
        0.2,
        "share of the slots",
        "a few seats serve many bursts one after the other; most traffic is large SAs'",
        most=1.0,
    )


@compiled
def heard(table: Table, sa: int, _length_bytes: int, now_ns: int) -> None:
    """Count it in both windows."""
    window_ns = float(now_ns - now_ns % table.settings[0]["burst_window_ns"])
    standing = table.standings[sa]
    if standing["stamp"] != window_ns:
        standing["stamp"] = window_ns
        standing["earned"] = 0.0
    standing["earned"] += 1  # in the burst window
    standing["count"] += 1  # in the period


@compiled
def touch(table: Table, sa: int, _length_bytes: int, _now_ns: int) -> None:
    """A bursty one is the most recent."""
    place = table.standings[sa]["place"]
    if table.seats[place]["mark"] == BURSTY:
        move_first(table, BURSTY, place)


@compiled
def wants(table: Table, sa: int, _length_bytes: int, now_ns: int) -> bool:
    """Whether it is a burst, and there is a seat for it."""
    if table.standings[sa]["earned"] < table.settings[0]["burst_packets"]:
        return False
    return free_seat(table) != NOWHERE or victim(table, sa, now_ns) != NOWHERE


@compiled
def victim(table: Table, _sa: int, now_ns: int) -> int:
    """The bursty resident silent for longest, if its burst is over."""
    place = table.lists[BURSTY]["last"]
    if place == NOWHERE:
        return NOWHERE
    length_ns = table.settings[0]["burst_window_ns"]
    last_whole_ns = now_ns - now_ns % length_ns - length_ns
    last_sent_ns = table.standings[table.seats[place]["sa"]]["stamp"]
    return int(place) if last_sent_ns < last_whole_ns else NOWHERE


@compiled
def entered(table: Table, place: int) -> None:
    """Large if it was loaded for that, else bursty."""
    seat = table.seats[place]
    seat["mark"] = LARGE if table.standings[seat["sa"]]["mark"] else BURSTY
    link_first(table, seat["mark"], place)


@compiled
def left(table: Table, place: int) -> None:
    """Out of its list."""
    unlink(table, table.seats[place]["mark"], place)


@compiled
def review(
    table: Table, sa_count: int, commands: npt.NDArray[np.void], _now_ns: int
) -> tuple[int, int]:
    """Find the large SAs of this period, load those that are not there; count anew."""
    kept = rank_large(table, sa_count)
    divide(table, kept)
    commanded = refused = 0
    for rank in range(kept):
        sa = ranked(table, rank)
        if table.standings[sa]["residency"] != ABSENT:
            continue
        place = free_seat(table)
        silent = table.lists[BURSTY]["last"]
        if place == NOWHERE and silent == NOWHERE:
            break
        if not loader_has_room(table):
            refused += 1
            break
        if place == NOWHERE:
            place = silent
            left(table, place)
        take_seat(table, sa, place, commands, commanded, -1)
        commanded += 1
    return commanded, refused


@compiled
def rank_large(table: Table, sa_count: int) -> int:
    """Mark and rank the large SAs and begin all counts anew; returns how many are large."""
    settings = table.settings[0]
    most = int(table.ledger[0]["card_slots"] * (1 - settings["burst_share"]))
    kept = 0
    for sa in range(sa_count):
        standing = table.standings[sa]
        standing["mark"] = 0
        if standing["count"] >= settings["large_packets"] and standing["count"] > 0:
            there = 0.5 if standing["residency"] != ABSENT else 0.0
            kept = offer(table, kept, most, sa, standing["count"] + there)
        standing["count"] = 0
    sort(table, kept)
    for rank in range(kept):
        table.standings[ranked(table, rank)]["mark"] = 1
    return kept


@compiled
def divide(table: Table, kept: int) -> None:
    """Put residents where they belong; who stops being large is the first to be replaced."""
    place = table.lists[LARGE]["first"]
    while place != NOWHERE:
        seat = table.seats[place]
        following = seat["following"]
        if not table.standings[seat["sa"]]["mark"]:
            unlink(table, LARGE, place)
            seat["mark"] = BURSTY
            link_last(table, BURSTY, place)
        place = following
    for rank in range(kept):
        standing = table.standings[ranked(table, rank)]
        place = standing["place"]
        if standing["residency"] == RESIDENT and table.seats[place]["mark"] == BURSTY:
            unlink(table, BURSTY, place)
            table.seats[place]["mark"] = LARGE
            link_first(table, LARGE, place)


ELIXIR: Final = Policy(touch, victim, entered, left, wants, heard, review)
