"""Rules that each break a law; the check has to say which."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np

from saactors.model.compiled import compiled
from saactors.placement.cost import CostModel
from saactors.placement.entry import RuleEntry, policy_entry
from saactors.placement.gate import COIN
from saactors.placement.policies.lru import LRU, RECENT
from saactors.placement.policy import Policy, Room, policy_functions
from saactors.placement.policy_arbiter import PolicyArbiter
from saactors.placement.policy_parameters import PolicyParameters
from saactors.placement.routing import NIC, RESIDENT
from saactors.placement.rule import CacheArbiter, Decisions, MetricKeeper, Packets
from saactors.placement.seats import NOWHERE, Table, unlink
from saactors.placement.unmeasured import NoMetrics


@compiled
def _misspelt(table: Table, _sa: int, _now_ns: int) -> int:
    return int(table.lists[RECENT]["lst"])


misspelt = LRU._replace(victim=_misspelt)


@compiled
def _behind_the_last_seat(table: Table, _sa: int, _now_ns: int) -> int:
    return len(table.seats)


outside = LRU._replace(victim=_behind_the_last_seat)


@compiled
def _round_and_round(table: Table, _sa: int, _now_ns: int) -> int:
    place = table.lists[RECENT]["last"]
    while place != NOWHERE:
        table.seats[place]["mark"] = 1
    return NOWHERE


endless = LRU._replace(victim=_round_and_round)


@compiled
def _divided_by_nothing(_table: Table, _sa: int, length_bytes: int, _now_ns: int) -> bool:
    return length_bytes // (length_bytes - length_bytes) > 1


raising = LRU._replace(wants=_divided_by_nothing)


@compiled
def _first_seat(_table: Table, _sa: int, _now_ns: int) -> int:
    return 0


takes_from_the_loading = LRU._replace(victim=_first_seat)


@compiled
def _first_ghost(table: Table, _sa: int, _now_ns: int) -> int:
    return int(table.ledger[0]["card_slots"])


overfilling = LRU._replace(victim=_first_ghost)


@compiled
def _claim(table: Table, sa: int, _length_bytes: int, _now_ns: int) -> None:
    table.standings[sa]["residency"] = RESIDENT


claiming = Policy(heard=_claim)


@compiled
def _without_limit(table: Table, _sa: int, _length_bytes: int, _now_ns: int) -> bool:
    table.ledger[0]["loading_max"] = 100
    return True


hasty = LRU._replace(wants=_without_limit)


@compiled
def _seat_without_slots(table: Table, _sa: int, _now_ns: int) -> int:
    last = int(table.lists[RECENT]["last"])
    return 0 if table.ledger[0]["card_slots"] == 0 else last


loads_without_slots = LRU._replace(victim=_seat_without_slots)


@compiled
def _the_last_leaves(table: Table, _place: int) -> None:
    # Whoever is replaced is the last of the list; of those who leave in a reset one is.
    unlink(table, RECENT, table.lists[RECENT]["last"])


forgets_in_a_reset = LRU._replace(left=_the_last_leaves)


@compiled
def _by_chance(_table: Table, _sa: int, _length_bytes: int, _now_ns: int) -> bool:
    return bool(np.random.random() < 0.5)  # noqa: NPY002 - the state of which is Numba's own


chancy = LRU._replace(wants=_by_chance)


class _Coin(PolicyParameters):
    __slots__ = ()
    gate = COIN


_tossed = policy_entry("moody", "Depends on how often it was made.", "", LRU, _Coin)
_made = count()


def _another_each_time(*given: Any) -> Any:
    keeper, arbiter = _tossed.build(*given)
    arbiter.state.ledger["chance"] += np.uint64(next(_made))
    return keeper, arbiter


moody: RuleEntry = replace(_tossed, build=_another_each_time)

large: RuleEntry = policy_entry(
    "large", "Remembers twelve numbers more of each SA.", "", LRU, room=Room(traits=12)
)

two_faced: RuleEntry = replace(
    policy_entry("two_faced", "Another rule in the lab.", "", LRU),
    functions=policy_entry("two_faced_lab", "", "", Policy()).functions,
)


class _Misrouting(PolicyArbiter):
    """An arbiter of one's own, which says nothing of where it sends packets."""

    def decide(self, packets: Packets, tick: int, now_ns: int, /) -> Decisions:
        """Send the first packet of every burst to the card."""
        found = super().decide(packets, tick, now_ns)
        packets["route"][:1] = NIC
        return found


def _with_wrong_routes(
    parameters: PolicyParameters, card_slots: int, loads_max: int, cost: CostModel
) -> tuple[MetricKeeper, CacheArbiter]:
    functions = policy_functions("misrouting", LRU, Room())
    return NoMetrics(PolicyParameters), _Misrouting(
        functions, parameters, cost, card_slots, loads_max
    )


misrouting: RuleEntry = replace(
    policy_entry("misrouting", "Uses the card without being on it.", "", LRU),
    build=_with_wrong_routes,
)
