"""A bank of shadow rules: what each way to remember and to demand would have saved so far.

Theory. The metric rule has two numbers that matter, and no one pair of them is good everywhere:
**how long to remember** (bursty traffic wants milliseconds, steady traffic minutes) and **how much
to demand** of a newcomer (little where whoever begins goes on, much where most stop soon). So every
pair of a grid is run as a *shadow*: it decides like a real rule, but moves nothing. Software sees
every packet anyway, so a shadow knows what its decisions would have saved. No traffic is risked to
find out, and a trace in which nothing is worth a load is never loaded for.

A shadow is a set of members, the SAs it would hold, as one bit per SA, with no order among them:

    a packet of a member           saves its saving
    a packet of any other SA       makes it a member if its metric ≥ entry + demand, which costs
                                   one load, and what it sends while the load lasts
    a sweep over all members       finds the metric of the k-th best, the entry, and takes members
                                   below it out as long as there are more than k

Between sweeps a set may be larger than the card's k slots; then its packets count for less in the
same ratio. The loader is no wider than the real one: a shadow loads at most once per load latency.

All metrics are in loads: 1 is what a load costs. The metric of memory m is Σ saving · e^(-age/m),
as the metric rule's with decay by factor, taken to the limit of short periods.

With many slots a sample of the SAs is enough (``SAMPLE_SLOTS``): the same share of SAs and of
slots, drawn by a hash of the SA's index, the same for every shadow. This keeps the cost per packet
small; what a shadow's account is off by, the accounts it is compared with are off by as well.
"""

from __future__ import annotations

import math

from saactors.model.compiled import compiled
from saactors.placement.policies.shadow_layout import (
    ACCOUNT_NS_MAX,
    ALL_DEMANDS,
    BEGAN_NS,
    BINS,
    CHOSEN,
    CURSOR,
    DEMANDS,
    ENTER_AT,
    ENTERABLE,
    ENTRY,
    HISTOGRAM,
    LATENCY_NS,
    LISTED,
    LOADER_FREE_NS,
    MARGIN,
    MEMBERS,
    MEMBERSHIPS,
    MEMORIES,
    MISSING,
    NOBODY,
    NOW_NS,
    OF_MEMORY,
    PACKETS,
    PAID,
    PAUSE,
    PAUSE_PACKETS_MIN,
    PAUSE_PACKETS_PER_SLOT,
    RATIO,
    ROSTER,
    SAMPLED_SLOTS,
    SAVED,
    SHADOWS,
    SHARE,
    SHORTEST_NS,
    START_SHARE,
    STEP_NS,
    STEP_PACKETS,
    STEP_PACKETS_MIN,
    STEPPED_NS,
    STILL_LISTED,
    SWEEP_SAS,
    SWEPT_NS,
    SWITCH_SHARE,
    WIDTH,
    bin_of,
    demand_of,
    edge_of,
    fade,
    is_sampled,
    note_enterable,
)
from saactors.placement.routing import ABSENT
from saactors.placement.seats import Table


@compiled
def shadow_packet(table: Table, sa: int, saving: float) -> None:
    """Let every shadow see a packet of ``sa``, whose metrics are those before it."""
    own, memory = table.own, table.memory
    metrics = table.standings[sa]["traits"]
    members = int(metrics[MEMBERSHIPS])
    before = members
    for kept in range(MEMORIES):
        metric = metrics[kept] + saving
        inside = (members >> (kept * DEMANDS)) & ALL_DEMANDS
        if inside == 0 and metric < memory[OF_MEMORY, ENTERABLE + kept]:
            continue
        if inside == ALL_DEMANDS:
            memory[OF_MEMORY, kept] += saving
            continue
        for demand in range(DEMANDS):
            shadow = kept * DEMANDS + demand
            if (inside >> demand) & 1:
                memory[SAVED, shadow] += saving * memory[SHARE, shadow]
            elif (
                metric >= memory[ENTER_AT, shadow] and memory[LOADER_FREE_NS, shadow] <= own[NOW_NS]
            ):
                # While a load lasts, neither the newcomer is served nor whose seat it takes.
                lost = metrics[kept] + memory[ENTRY, shadow]
                rate_ns = lost / (SHORTEST_NS * RATIO**kept)
                memory[LOADER_FREE_NS, shadow] = own[NOW_NS] + own[LATENCY_NS]
                memory[PAID, shadow] += 1.0 + rate_ns * own[LATENCY_NS]
                memory[MEMBERS, shadow] += 1
                members |= 1 << shadow
    if members != before:
        metrics[MEMBERSHIPS] = members
        if before == 0:
            _enlist(table, sa)


@compiled
def _enlist(table: Table, sa: int) -> None:
    own, memory = table.own, table.memory
    place = int(own[LISTED])
    if place == (len(memory) - ROSTER) * WIDTH:
        _count_members(table, int(table.standings[sa]["traits"][MEMBERSHIPS]), -1)
        table.standings[sa]["traits"][MEMBERSHIPS] = 0
        return
    memory[ROSTER + place // WIDTH, place % WIDTH] = sa
    own[LISTED] += 1


@compiled
def _count_members(table: Table, members: int, more: int) -> None:
    for shadow in range(SHADOWS):
        if (members >> shadow) & 1:
            table.memory[MEMBERS, shadow] += more


@compiled
def inherit_memberships(table: Table, sa: int, predecessor: int) -> None:
    """Let an SA take its predecessor's place in every shadow, for a load each."""
    members = int(table.standings[predecessor]["traits"][MEMBERSHIPS]) & (STILL_LISTED - 1)
    if members == 0 or not is_sampled(table, sa):
        return
    listed = int(table.standings[sa]["traits"][MEMBERSHIPS]) & STILL_LISTED
    table.standings[sa]["traits"][MEMBERSHIPS] = members
    _count_members(table, members, 1)
    if not listed:
        _enlist(table, sa)
    for shadow in range(SHADOWS):
        if (members >> shadow) & 1:
            table.memory[PAID, shadow] += 1.0


@compiled
def forget_memberships(table: Table, sa: int) -> None:
    """Take a deleted SA out of every shadow; the next sweep takes it off the roster."""
    metrics = table.standings[sa]["traits"]
    members = int(metrics[MEMBERSHIPS])
    _count_members(table, members, -1)
    metrics[MEMBERSHIPS] = 0 if members == 0 else STILL_LISTED


@compiled
def sweep_is_due(table: Table, now_ns: int) -> bool:
    """Whether it is time for a step of the sweep."""
    own = table.own
    packets = own[PACKETS]
    return bool(
        packets >= STEP_PACKETS
        or (packets >= STEP_PACKETS_MIN and now_ns - own[STEPPED_NS] >= STEP_NS)
    )


@compiled
def sweep(table: Table, now_ns: int) -> bool:
    """Go on sweeping; whether a sweep has ended and a shadow has been chosen anew."""
    own, memory = table.own, table.memory
    slots = own[SAMPLED_SLOTS]
    own[PAUSE] -= own[PACKETS]
    own[PACKETS] = 0
    own[STEPPED_NS] = now_ns
    if own[PAUSE] > 0:
        return False
    for _ in range(SWEEP_SAS):
        place = int(own[CURSOR])
        if place >= own[LISTED]:
            _choose(table, now_ns)
            return True
        sa = int(memory[ROSTER + place // WIDTH, place % WIDTH])
        fade(table, sa, now_ns)
        members = int(table.standings[sa]["traits"][MEMBERSHIPS]) & (STILL_LISTED - 1)
        absent = table.standings[sa]["residency"] == ABSENT
        for kept in range(MEMORIES):
            metric = table.standings[sa]["traits"][kept]
            level = bin_of(metric)
            for shadow in range(kept * DEMANDS, (kept + 1) * DEMANDS):
                if not (members >> shadow) & 1:
                    continue
                if metric < memory[ENTRY, shadow] and memory[MEMBERS, shadow] > slots:
                    members ^= 1 << shadow
                    memory[MEMBERS, shadow] -= 1
                else:
                    memory[HISTOGRAM + level, shadow] += 1
                    memory[MISSING, shadow] += absent
        table.standings[sa]["traits"][MEMBERSHIPS] = members
        if members == 0:
            own[LISTED] -= 1
            last = int(own[LISTED])
            memory[ROSTER + place // WIDTH, place % WIDTH] = memory[
                ROSTER + last // WIDTH, last % WIDTH
            ]
        else:
            own[CURSOR] += 1
    return False


@compiled
def _choose(table: Table, now_ns: int) -> None:
    """A sweep has ended: set every entry, close the accounts, follow the best shadow."""
    own, memory = table.own, table.memory
    remembered_ns = min((now_ns - own[BEGAN_NS]) / 2, ACCOUNT_NS_MAX) + 1
    keep = math.exp(-(now_ns - own[SWEPT_NS]) / remembered_ns)
    current = int(own[CHOSEN])
    best = 0.0
    own[CHOSEN] = NOBODY
    for turn in range(-1, SHADOWS):
        # The one followed so far comes first, so that only a better one takes its place.
        if turn == -1 and current == NOBODY:
            continue
        shadow = current if turn == -1 else turn
        saved = memory[SAVED, shadow] + memory[OF_MEMORY, shadow // DEMANDS] * memory[SHARE, shadow]
        account = saved - memory[PAID, shadow]
        if account > 0 and turn >= 0:
            share = START_SHARE if current == NOBODY else SWITCH_SHARE
            account -= share * memory[MISSING, shadow]
        if account > best:
            best = account
            own[CHOSEN] = shadow
    for shadow in range(SHADOWS):
        memory[SAVED, shadow] += memory[OF_MEMORY, shadow // DEMANDS] * memory[SHARE, shadow]
        memory[SAVED, shadow] *= keep
        memory[PAID, shadow] *= keep
        memory[MISSING, shadow] = 0.0
        memory[ENTRY, shadow] = _entry_of(table, shadow)
        share = own[SAMPLED_SLOTS] / max(1.0, memory[MEMBERS, shadow])
        memory[SHARE, shadow] = min(1.0, share)
    for kept in range(MEMORIES):
        memory[OF_MEMORY, kept] = 0.0
    own[MARGIN] = demand_of(int(own[CHOSEN]))
    own[SWEPT_NS] = now_ns
    own[CURSOR] = 0
    slots = table.settings[0]["card_slots"]
    own[PAUSE] = max(PAUSE_PACKETS_MIN, PAUSE_PACKETS_PER_SLOT * slots)
    note_enterable(table)


@compiled
def _entry_of(table: Table, shadow: int) -> float:
    """The metric of a shadow's k-th best member, 0 if it has fewer; empties its histogram."""
    members = 0.0
    entry = 0.0
    for level in range(BINS - 1, -1, -1):
        members += table.memory[HISTOGRAM + level, shadow]
        table.memory[HISTOGRAM + level, shadow] = 0.0
        if entry == 0.0 and members >= table.own[SAMPLED_SLOTS]:
            entry = edge_of(level)
    return entry
