"""What every arbiter does alike: the routes of packets that need no component; compiled."""

from __future__ import annotations

from typing import Any, Final

from nicmodel.residency import Residency
from saactors.model.compiled import compiled
from saactors.model.packets import Route
from saactors.model.verdicts import Verdict

# Compiled code reads plain integers.
SOFTWARE: Final = int(Route.SOFTWARE)
NIC: Final = int(Route.NIC)
BYPASS: Final = int(Route.BYPASS)
DROP: Final = int(Route.DROP)
PASSED: Final = int(Verdict.PASSED)

# Where an SA stands for the arbiter. A victim is ABSENT at once, for no packet may use it any more;
# that the card waits for its packets in flight is the card's affair.
ABSENT: Final = int(Residency.ABSENT)
LOADING: Final = int(Residency.LOADING)
RESIDENT: Final = int(Residency.RESIDENT)

Record = Any  # one record of a record array: Numba's Record when compiled, np.void when not


@compiled
def needs_crypto(packet: Record) -> bool:
    """Whether a component must handle the packet; if none need, its route is written here."""
    if packet["verdict"] != PASSED:
        packet["route"] = DROP
        return False
    if packet["sa"] < 0:
        packet["route"] = BYPASS
        return False
    return True
