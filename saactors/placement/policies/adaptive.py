"""Our rule: the metric rule with memory and threshold learned from the traffic itself.

The card is run as the metric rule runs it: an SA's metric is what it has earned lately, a newcomer
takes the seat of the lowest resident if it leads by a margin, and a free seat counts as a resident
without merits. How long "lately" is and how large the margin are those of the best of sixteen
shadow rules (``saactors.placement.policies.shadows``); while none of them would have saved
anything, nothing is loaded.

Two more things keep it out of harm's way. It has no more than ``UNDER_WAY_MAX`` loads under way: a
card that loads one SA after the other keeps every further seat empty for nothing, since its
resident is gone and its newcomer waits in line. And a rekeyed SA takes over its predecessor's
metrics, which the old one loses, so that its seat is the next to be given away.
"""

from __future__ import annotations

from typing import Final

from saactors.model.compiled import compiled
from saactors.placement.lazy_heap import drop, lowest_place, push, rebuild
from saactors.placement.policies.shadow_layout import (
    CHOSEN,
    DEMANDS,
    FIRST_FREE,
    LATENCY_NS,
    LOADS_PER_NS,
    MARGIN,
    MEMORIES,
    NOBODY,
    NOW_NS,
    PACKETS,
    ROSTER,
    ROSTER_ROWS,
    STARTED,
    TRAITS,
    WIDTH,
    fade,
    is_sampled,
    start,
)
from saactors.placement.policies.shadows import (
    forget_memberships,
    inherit_memberships,
    shadow_packet,
    sweep,
    sweep_is_due,
)
from saactors.placement.policy import Policy, Room
from saactors.placement.seats import FREE, NOWHERE, Table, saving_ns

UNDER_WAY_MAX: Final = 2  # one that the card fetches, one that it can begin when that is done
LATENCY_SHARE: Final = 0.1  # of a new measurement in what is known of the load latency

_FLOOR: Final = FIRST_FREE  # the lowest resident's metric when last looked at; 0 with a free seat
_ISSUED_NS: Final = FIRST_FREE + 1
_ALONE: Final = FIRST_FREE + 2  # 1: the load under way has had the loader for itself
_SETTLED_NS: Final = FIRST_FREE + 3  # the keys in the heap are metrics as of this instant

ROOM: Final = Room(traits=TRAITS, memory=(ROSTER + ROSTER_ROWS, WIDTH), memory_per_slot=1)


@compiled
def heard(table: Table, sa: int, length_bytes: int, now_ns: int) -> None:
    """Count a packet, let the shadows see it, and now and then choose among them."""
    own = table.own
    if own[STARTED] == 0:
        start(table, now_ns)
    own[NOW_NS] = now_ns
    saving = saving_ns(table, length_bytes) * own[LOADS_PER_NS]
    fade(table, sa, now_ns)
    if is_sampled(table, sa):
        shadow_packet(table, sa, saving)
    metrics = table.standings[sa]["traits"]
    for kept in range(MEMORIES):
        metrics[kept] += saving
    own[PACKETS] += 1
    if sweep_is_due(table, now_ns) and sweep(table, now_ns) and own[CHOSEN] != NOBODY:
        settle(table, now_ns)


@compiled
def metric_of(table: Table, sa: int) -> float:
    """The metric of an SA by the memory in use, as of when it was last faded."""
    return float(table.standings[sa]["traits"][int(table.own[CHOSEN]) // DEMANDS])


@compiled
def settle(table: Table, now_ns: int) -> None:
    """Bring every resident's key up to date, by the memory in use."""
    own = table.own
    for index in range(int(own[-1])):  # as many as the heap holds
        place = table.heap[index]["place"]
        sa = table.seats[place]["sa"]
        fade(table, sa, now_ns)
        table.seats[place]["key"] = metric_of(table, sa)
    rebuild(table)
    own[_FLOOR] = 0.0
    if table.lists[FREE]["length"] == 0 and lowest_place(table) != NOWHERE:
        own[_FLOOR] = table.seats[lowest_place(table)]["key"]


@compiled
def wants(table: Table, sa: int, _length_bytes: int, now_ns: int) -> bool:
    """Whether the SA leads the lowest resident that was seen last by the margin."""
    own = table.own
    under_way = table.ledger[0]["loading"]
    if own[CHOSEN] == NOBODY or under_way >= UNDER_WAY_MAX:
        return False
    if metric_of(table, sa) - own[_FLOOR] < own[MARGIN]:
        return False
    own[_ALONE] = under_way == 0
    own[_ISSUED_NS] = now_ns
    return True


@compiled
def victim(table: Table, sa: int, now_ns: int) -> int:
    """The lowest resident, if ``sa`` leads it by the margin.

    Keys are metrics as of the last sweep. All fade alike, so their order stays, but for the packets
    since: whoever stands lowest is looked at, and moves up as long as it has earned more.
    """
    own = table.own
    while True:
        place = lowest_place(table)
        if place == NOWHERE:
            return NOWHERE
        other = int(table.seats[place]["sa"])
        fade(table, other, now_ns)
        lowest = metric_of(table, other)
        if lowest <= table.seats[place]["key"]:
            break
        table.seats[place]["key"] = lowest
    own[_FLOOR] = lowest
    if metric_of(table, sa) - lowest < own[MARGIN]:
        return NOWHERE
    return place


@compiled
def entered(table: Table, place: int) -> None:
    """A newcomer has its seat; how long that took is noted if no other load was in its way."""
    own = table.own
    sa = int(table.seats[place]["sa"])
    fade(table, sa, int(own[NOW_NS]))
    table.seats[place]["key"] = metric_of(table, sa) if own[CHOSEN] != NOBODY else 0.0
    push(table, place)
    if own[_ALONE] and table.ledger[0]["loading"] == 0:
        latency_ns = own[NOW_NS] - own[_ISSUED_NS]
        share = LATENCY_SHARE if own[LATENCY_NS] > 0 else 1.0
        own[LATENCY_NS] += share * (latency_ns - own[LATENCY_NS])


@compiled
def left(table: Table, place: int) -> None:
    """Whoever has gone is in the order no more."""
    drop(table, place)


@compiled
def inherit(table: Table, sa: int, predecessor: int, now_ns: int) -> None:
    """A rekeyed SA takes over what its predecessor has earned."""
    fade(table, predecessor, now_ns)
    table.standings[sa]["stamp"] = now_ns
    for kept in range(MEMORIES):
        table.standings[sa]["traits"][kept] += table.standings[predecessor]["traits"][kept]
        table.standings[predecessor]["traits"][kept] = 0.0
    inherit_memberships(table, sa, predecessor)


@compiled
def forgotten(table: Table, sa: int) -> None:
    """A deleted SA has earned nothing and is in no shadow."""
    for kept in range(MEMORIES):
        table.standings[sa]["traits"][kept] = 0.0
    forget_memberships(table, sa)


ADAPTIVE: Final = Policy(
    victim=victim,
    entered=entered,
    left=left,
    wants=wants,
    heard=heard,
    inherit=inherit,
    forgotten=forgotten,
)
