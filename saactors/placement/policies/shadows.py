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
from typing import Final

import numpy as np

from saactors.model.compiled import compiled
from saactors.placement.routing import ABSENT
from saactors.placement.seats import Table

MEMORIES: Final = 4
DEMANDS: Final = 4
SHADOWS: Final = MEMORIES * DEMANDS  # number memory · DEMANDS + demand
SHORTEST_NS: Final = 5e6  # a memory: shorter than any round trip over a wide area
RATIO: Final = 16.0  # of a memory to the one before: 5 ms, 80 ms, 1.3 s and 20 s
DEMAND_FIRST: Final = 0.1  # of a load
DEMAND_RATIO: Final = 3.1622776601683795  # half a decade: 0.1, 0.32, 1 and 3.2 loads

SAMPLE_SLOTS: Final = 128  # a sample is thinned out as long as it has at least that many slots
STEP_PACKETS: Final = 256  # between two steps of a sweep; fewer where packets are rare, but not
STEP_PACKETS_MIN: Final = 32  # below this number, and
STEP_NS: Final = 4 * SHORTEST_NS  # no sooner than after that time
SWEEP_SAS: Final = 48  # SAs that a step looks at
PAUSE_PACKETS_MIN: Final = 128  # between two sweeps, and
PAUSE_PACKETS_PER_SLOT: Final = 4  # so that bringing residents up to date costs little
FADE_NS_MIN: Final = SHORTEST_NS / 64  # shorter ages wait for more
ACCOUNT_NS_MAX: Final = 100e9  # how long an account remembers at most; at first half of its age
SWITCH_SHARE: Final = 0.2  # of the loads that a change of shadow takes, counted against it

# Traits of an SA: a metric per memory, then its memberships, bit by bit (exact up to 2^24).
MEMBERSHIPS: Final = MEMORIES
TRAITS: Final = MEMORIES + 1

# Rows of the rule's own table, a column per shadow.
ENTRY: Final = 0
MEMBERS: Final = 1
SAVED: Final = 2
PAID: Final = 3
SHARE: Final = 4  # how much a member's packets count
LOADER_FREE_NS: Final = 5
MISSING: Final = 6  # members that are not on the card
ENTER_AT: Final = 7  # entry plus demand
OF_MEMORY: Final = 8  # a column per memory: saved by all its shadows; ENTERABLE on: least to enter
ENTERABLE: Final = MEMORIES
FADING: Final = 9  # rows of factors by age, a column per memory
AGES: Final = 768  # ages up to 2^48 ns, 16 to an octave
HISTOGRAM: Final = FADING + AGES  # rows of bins: members by metric
BINS: Final = 320  # 8 to an octave, from 2^-20 on
ROSTER: Final = HISTOGRAM + BINS  # the SAs that are members of any shadow, WIDTH to a row
WIDTH: Final = SHADOWS
ROSTER_ROWS: Final = 32  # and one more for every slot

# The rule's own numbers.
PACKETS: Final = 0  # since the last step of the sweep
NOW_NS: Final = 1
CHOSEN: Final = 2  # the shadow followed, or NOBODY
BEGAN_NS: Final = 3
LISTED: Final = 4  # SAs in the roster
CURSOR: Final = 5  # the sweep's place there
SWEPT_NS: Final = 6  # when the last sweep ended
SAMPLE_MASK: Final = 7
SAMPLED_SLOTS: Final = 8
LATENCY_NS: Final = 9  # of a load, as seen
STARTED: Final = 10
PAUSE: Final = 11  # packets until the next sweep begins
MARGIN: Final = 12  # what the shadow followed demands, in loads
LOADS_PER_NS: Final = 13  # what a load costs, inverted
STEPPED_NS: Final = 14
FIRST_FREE: Final = 15  # numbers from here on are another file's

NOBODY: Final = -1
_ALL: Final = (1 << DEMANDS) - 1


@compiled
def start(table: Table, now_ns: int) -> None:
    """Fill the tables in before the first packet."""
    own, memory = table.own, table.memory
    own[STARTED] = 1
    own[BEGAN_NS] = own[SWEPT_NS] = now_ns
    own[CHOSEN] = NOBODY
    # Without a load cost every packet is worth a load at once.
    own[LOADS_PER_NS] = 1.0 / max(1.0, table.settings[0]["load_host_ns"])
    slots = int(table.settings[0]["card_slots"])
    mask = 0
    while slots >= 2 * SAMPLE_SLOTS * (mask + 1):
        mask = 2 * mask + 1
    own[SAMPLE_MASK] = mask
    own[SAMPLED_SLOTS] = slots / (mask + 1)
    for age in range(AGES):
        # The middle of the ages that share the row.
        age_ns = 2.0 ** (age // 16) * (1 + (age % 16 + 0.5) / 16)
        for kept in range(MEMORIES):
            memory[FADING + age, kept] = math.exp(-age_ns / (SHORTEST_NS * RATIO**kept))
    for shadow in range(SHADOWS):
        memory[SHARE, shadow] = 1.0
    _note_enterable(table)


@compiled
def demand_of(shadow: int) -> float:
    """The lead that a shadow demands of a newcomer, in loads."""
    return float(DEMAND_FIRST * DEMAND_RATIO ** (shadow % DEMANDS))


@compiled
def fade(table: Table, sa: int, now_ns: int) -> None:
    """Let time pass for the metrics of an SA."""
    standing = table.standings[sa]
    age_ns = now_ns - standing["stamp"]
    if age_ns < FADE_NS_MIN:
        return
    standing["stamp"] = now_ns
    # Exponent and upper four bits of the mantissa number the row; a step is 6 % of the age, so
    # that a metric fades by its memory within 3 %, and by the memory itself on average.
    age = int(np.float64(age_ns).view(np.int64) >> 48) - (1023 << 4)
    factors = table.memory[FADING + min(age, AGES - 1)]
    metrics = table.standings[sa]["traits"]
    for kept in range(MEMORIES):
        metrics[kept] = metrics[kept] * factors[kept]


@compiled
def is_sampled(table: Table, sa: int) -> bool:
    """Whether the shadows look at this SA; the hash is Fibonacci's."""
    return ((sa * 2654435761) >> 15) & int(table.own[SAMPLE_MASK]) == 0


@compiled
def shadow_packet(table: Table, sa: int, saving: float) -> None:
    """Let every shadow see a packet of ``sa``, whose metrics are those before it."""
    own, memory = table.own, table.memory
    metrics = table.standings[sa]["traits"]
    members = int(metrics[MEMBERSHIPS])
    before = members
    for kept in range(MEMORIES):
        metric = metrics[kept] + saving
        inside = (members >> (kept * DEMANDS)) & _ALL
        if inside == 0 and metric < memory[OF_MEMORY, ENTERABLE + kept]:
            continue
        if inside == _ALL:
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
    members = int(table.standings[predecessor]["traits"][MEMBERSHIPS])
    if members == 0 or not is_sampled(table, sa):
        return
    table.standings[sa]["traits"][MEMBERSHIPS] = members
    _count_members(table, members, 1)
    _enlist(table, sa)
    for shadow in range(SHADOWS):
        if (members >> shadow) & 1:
            table.memory[PAID, shadow] += 1.0


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
        members = int(table.standings[sa]["traits"][MEMBERSHIPS])
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
def bin_of(metric: float) -> int:
    """The bin of a metric: eighths of an octave from 2^-20 on."""
    eighth = int(np.float64(metric).view(np.int64) >> 49) - ((1023 - 20) << 3)
    return max(0, min(BINS - 1, eighth))


@compiled
def edge_of(level: int) -> float:
    """The least metric of a bin."""
    return float(2.0 ** (level // 8 - 20) * (1 + (level % 8) / 8))


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
        if account > 0 and turn >= 0 and current != NOBODY:
            account -= SWITCH_SHARE * memory[MISSING, shadow]
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
    _note_enterable(table)


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


@compiled
def _note_enterable(table: Table) -> None:
    """Note from which metric on a shadow can be entered, and any of a memory's shadows."""
    for kept in range(MEMORIES):
        least = np.inf
        for shadow in range(kept * DEMANDS, (kept + 1) * DEMANDS):
            enter_at = table.memory[ENTRY, shadow] + demand_of(shadow)
            table.memory[ENTER_AT, shadow] = enter_at
            least = min(least, enter_at)
        table.memory[OF_MEMORY, ENTERABLE + kept] = least
