"""The tables of the shadow rules: their grid, where what stands, and metrics that fade.

``saactors.placement.policies.shadows`` says what the shadows are; this file holds what they are
made of, so that the rule that follows one (``adaptive``) reads and writes the same numbers.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from saactors.model.compiled import compiled
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
START_SHARE: Final = 0.5  # the same where nothing is loaded yet: when in doubt, do no harm

# Traits of an SA: a metric per memory, then its memberships, bit by bit (exact up to 2^24).
MEMBERSHIPS: Final = MEMORIES
STILL_LISTED: Final = 1 << SHADOWS  # beside them: deleted, but the roster has it until a sweep
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
ALL_DEMANDS: Final = (1 << DEMANDS) - 1


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
    note_enterable(table)


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
    return ((int(sa) * 2654435761) >> 15) & int(table.own[SAMPLE_MASK]) == 0


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
def note_enterable(table: Table) -> None:
    """Note from which metric on a shadow can be entered, and any of a memory's shadows."""
    for kept in range(MEMORIES):
        least = np.inf
        for shadow in range(kept * DEMANDS, (kept + 1) * DEMANDS):
            enter_at = table.memory[ENTRY, shadow] + demand_of(shadow)
            table.memory[ENTER_AT, shadow] = enter_at
            least = min(least, enter_at)
        table.memory[OF_MEMORY, ENTERABLE + kept] = least
