"""Gates: when a packet of an SA that is not on the card asks for a load.

    always        every packet does: what caches do, for which a miss is fatal and a load is free
    coin          with the probability saving ÷ load cost
    ski-rental    once the savings lost since the SA was last on the card reach the load cost

The last is the ski-renter's rule: buy when the rent paid equals the price; then the cost is never
more than twice that of whoever knew the future (Karlin, Manasse, Rudolph, Sleator: "Competitive
snoopy caching", Algorithmica 3, 1988). The coin does the same on average without remembering
anything (Karlin, Manasse, McGeoch, Owicki: "Competitive randomized algorithms for nonuniform
problems", Algorithmica 11, 1994, treats better distributions).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from saactors.model.compiled import compiled
from saactors.placement.seats import Table, saving_ns

ALWAYS: Final = 0
COIN: Final = 1
SKI_RENTAL: Final = 2


@compiled
def wants_by_gate(table: Table, sa: int, length_bytes: int, _now_ns: int) -> bool:
    """Whether a packet of the absent ``sa`` passes the gate that the settings name."""
    settings = table.settings[0]
    if settings["gate"] == ALWAYS:
        return True
    if settings["gate"] == COIN:
        return bool(chance(table) * settings["load_host_ns"] < saving_ns(table, length_bytes))
    standing = table.standings[sa]
    standing["earned"] += saving_ns(table, length_bytes)
    return bool(standing["earned"] >= settings["load_host_ns"] and standing["earned"] > 0)


@compiled
def chance(table: Table) -> float:
    """The next number of [0, 1) that the rule's seed gives (xorshift, Marsaglia 2003)."""
    ledger = table.ledger[0]
    state = ledger["chance"]
    state ^= state << np.uint64(13)
    state ^= state >> np.uint64(7)
    state ^= state << np.uint64(17)
    ledger["chance"] = state
    return float(state >> np.uint64(11)) / 9007199254740992.0  # 53 bits
