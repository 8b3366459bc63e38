"""Packets whose SAs somebody else places, hidden from the rule while it decides; compiled.

Such a packet's SA is masked, so that the rule takes it for one that needs no SA, and put back
afterwards together with its route. A burst is copied nowhere and keeps its rows.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from saactors.model.compiled import compiled
from saactors.model.packets import NO_SA
from saactors.placement.routing import DROP, NIC, SOFTWARE
from saactors.placement.rule import Packets

# What becomes of an SA's packets.
OPEN: Final = 0  # the rule says it
IN_SOFTWARE: Final = 1
ON_CARD: Final = 2
LISTENING: Final = 3  # software; somebody waits for the next one
HEARD: Final = 4  # software; and there it was

VIEW: Final = np.dtype([("metric", "f8"), ("way", "u1")], align=True)  # of an SA


@compiled
def hide(packets: Packets, views: npt.NDArray[np.void], masked: npt.NDArray[np.int32]) -> int:
    """Mask the SAs that are not the rule's; ``masked`` holds them by row. Returns how many."""
    count = 0
    for row in range(len(packets)):
        sa = packets[row]["sa"]
        masked[row] = NO_SA
        if sa >= 0 and views[sa]["way"] != OPEN:
            masked[row] = sa
            packets[row]["sa"] = NO_SA
            count += 1
    return count


@compiled
def show(packets: Packets, views: npt.NDArray[np.void], masked: npt.NDArray[np.int32]) -> bool:
    """Put the masked SAs back and route their packets; the rule has routed those to be dropped.

    Returns whether one was there that somebody waits for.
    """
    heard = False
    for row in range(len(packets)):
        sa = masked[row]
        if sa < 0:
            continue
        packet = packets[row]
        packet["sa"] = sa
        if packet["route"] == DROP:
            continue
        view = views[sa]
        view["metric"] = packet["metric"]
        packet["route"] = NIC if view["way"] == ON_CARD else SOFTWARE
        if view["way"] == LISTENING:
            view["way"] = HEARD
            heard = True
    return heard
