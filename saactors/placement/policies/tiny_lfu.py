"""W-TinyLFU with a margin: who leads by what a load costs is loaded.

Packets of every SA are counted, and after every so many packets all counts are halved, so that they
tell of lately. On the card a small window in the order of the last packets (LRU) takes newcomers;
behind it a segmented LRU holds the rest: who sends while on probation is protected, and who has
been protected for longest without sending goes back on probation (Einziger, Friedman, Manes,
"TinyLFU: A Highly Efficient Cache Admission Policy", ACM Transactions on Storage 13(4), 2017).

**What is different here.** A cache lets everybody into its window, for a miss has fetched the data
anyway; here that would be a load per miss. So admission is asked where it costs something: at the
window's door. The end of the window and the end of the probation list contest which of the two has
to go, and the newcomer must be ahead of that one by ``margin`` packets. Then

- whoever won the contest stays, and if that is the window's end, it moves on to the probation list:
  that is no load, so no margin is asked;
- a newcomer that leads by what a load costs would have paid for its load already. Against a
  resident that is silent and so forgotten, the margin is the ski-rental gate.

**Counts.** An SA has a count of its own, so no sketch estimates it. Halving touches nobody: an SA's
count is halved when it is looked at, as often as all were since. A margin can only be led by if so
much is ever remembered, so the packets between two halvings grow with the margin: with
``sample_per_slot`` of ten times the margin a resident that carries its share has ten margins.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from saactors.model.compiled import compiled
from saactors.placement.cost import CostModel
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

WINDOW: Final = FIRST_OWN_LIST  # all three from the most recent on
PROBATION: Final = FIRST_OWN_LIST + 1
PROTECTED: Final = FIRST_OWN_LIST + 2

WINDOW_SHARE: Final = 0.01  # of the card; 1 % as in the paper
PROTECTED_SHARE: Final = 0.8  # of the rest, as in Caffeine

# Own numbers.
_HALVINGS: Final = 0  # so far
_PACKETS: Final = 1  # since the last one


def _ten_margins(cost: CostModel) -> float:
    worth = packets_worth_a_load(cost)
    return 10 * max(1.0, worth) if math.isfinite(worth) else 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TinyLfuParameters(PolicyParameters):
    """The parameters of W-TinyLFU.

    Raises:
        ParameterError: a value outside its range.
    """

    margin: float | None = number(
        None,
        "packets",
        "load cost ÷ saving: a lead that would have paid for the load",
        from_cost=packets_worth_a_load,
    )
    sample_per_slot: float | None = number(
        None,
        "packets per slot between halvings",
        "ten times the margin, and ten at least as in Caffeine: whoever carries a slot's share of"
        " the traffic is then counted well above the margin",
        least=1.0,
        from_cost=_ten_margins,
    )


@compiled
def frequency(table: Table, sa: int) -> float:
    """The packets of an SA, halved as often as all were."""
    standing = table.standings[sa]
    age = table.own[_HALVINGS] - standing["stamp"]
    if age > 0:
        standing["count"] = math.floor(standing["count"] * 0.5**age)
        standing["stamp"] = table.own[_HALVINGS]
    return float(standing["count"])


@compiled
def heard(table: Table, sa: int, _length_bytes: int, _now_ns: int) -> None:
    """Count it; halve all counts if it is time."""
    table.standings[sa]["count"] = frequency(table, sa) + 1
    table.own[_PACKETS] += 1
    settings = table.settings[0]
    if table.own[_PACKETS] >= settings["sample_per_slot"] * settings["card_slots"]:
        table.own[_PACKETS] = 0
        table.own[_HALVINGS] += 1


@compiled
def window_max(table: Table) -> int:
    """Seats of the window."""
    return max(1, int(table.ledger[0]["card_slots"] * WINDOW_SHARE))


@compiled
def protected_max(table: Table) -> int:
    """Seats that may be protected."""
    return int((table.ledger[0]["card_slots"] - window_max(table)) * PROTECTED_SHARE)


@compiled
def touch(table: Table, sa: int, _length_bytes: int, _now_ns: int) -> None:
    """The most recent of its list; from probation to protection."""
    place = table.standings[sa]["place"]
    seat = table.seats[place]
    if seat["mark"] != PROBATION:
        move_first(table, seat["mark"], place)
        return
    move(table, place, PROTECTED)
    if table.lists[PROTECTED]["length"] > protected_max(table):
        move(table, table.lists[PROTECTED]["last"], PROBATION)


@compiled
def move(table: Table, place: int, target: int) -> None:
    """Make a resident the most recent of another list."""
    unlink(table, table.seats[place]["mark"], place)
    table.seats[place]["mark"] = target
    link_first(table, target, place)


@compiled
def loser(table: Table) -> int:
    """Who has to go if someone has: the less frequent of the ends of window and probation."""
    candidate = int(table.lists[WINDOW]["last"])
    settled = int(table.lists[PROBATION]["last"])
    if settled == NOWHERE:
        settled = int(table.lists[PROTECTED]["last"])
    if min(candidate, settled) == NOWHERE:
        return max(candidate, settled)
    leads = frequency(table, table.seats[candidate]["sa"]) > frequency(
        table, table.seats[settled]["sa"]
    )
    return settled if leads else candidate


@compiled
def wants(table: Table, sa: int, _length_bytes: int, _now_ns: int) -> bool:
    """Whether it leads by the margin."""
    lead = frequency(table, sa) - table.settings[0]["margin"]
    if lead < 0 or free_seat(table) != NOWHERE:
        return bool(lead >= 0)
    place = loser(table)
    return place != NOWHERE and bool(lead >= frequency(table, table.seats[place]["sa"]))


@compiled
def victim(table: Table, _sa: int, _now_ns: int) -> int:
    """The loser."""
    return loser(table)


@compiled
def entered(table: Table, place: int) -> None:
    """Into the window, which sends its end on if it is too long."""
    table.seats[place]["mark"] = WINDOW
    link_first(table, WINDOW, place)
    if table.lists[WINDOW]["length"] > window_max(table):
        move(table, table.lists[WINDOW]["last"], PROBATION)


@compiled
def left(table: Table, place: int) -> None:
    """Out of its list; it is still counted."""
    unlink(table, table.seats[place]["mark"], place)


TINY_LFU: Final = Policy(touch, victim, entered, left, wants, heard)
