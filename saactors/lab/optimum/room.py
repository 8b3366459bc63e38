"""How many slots are in use in each gap, and where the next gap without a free one is.

A complete binary tree over the gaps. A run of an SA adds 1 to a whole stretch of gaps at once, so a
node holds what was added to all of its gaps together (``added``) and the greatest use among its
gaps without what was added further up (``peak``). Adding to a stretch and finding the next full gap
both take a walk between root and leaf: O(log gaps), however long the stretch.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from saactors.lab.optimum.visits import Int32s
from saactors.model.compiled import compiled


class Room(NamedTuple):
    """The tree; node 1 is the root, node ``n`` has children ``2 n`` and ``2 n + 1``."""

    peak: Int32s  # (2 × leaves,)
    added: Int32s  # (2 × leaves,)
    gaps: int
    slots: int


def empty_room(gaps: int, slots: int) -> Room:
    """Nothing is in use."""
    leaves = 1
    while leaves < gaps + 2:  # the walk needs a leaf on either side
        leaves *= 2
    return Room(np.zeros(2 * leaves, np.int32), np.zeros(2 * leaves, np.int32), gaps, slots)


@compiled
def take(room: Room, start: int, stop: int, slots: int) -> None:
    """Use ``slots`` more (or fewer) in the gaps ``start`` to ``stop - 1``."""
    peak, added = room.peak, room.added
    leaves = len(peak) // 2
    left, right = start + leaves, stop + 1 + leaves  # the leaves just outside, gap p at leaf p + 1
    while left ^ right != 1:
        if not left & 1:
            peak[left ^ 1] += slots
            added[left ^ 1] += slots
        if right & 1:
            peak[right ^ 1] += slots
            added[right ^ 1] += slots
        left >>= 1
        right >>= 1
        peak[left] = max(peak[2 * left], peak[2 * left + 1]) + added[left]
        peak[right] = max(peak[2 * right], peak[2 * right + 1]) + added[right]
    while left > 1:
        left >>= 1
        peak[left] = max(peak[2 * left], peak[2 * left + 1]) + added[left]


@compiled
def next_full(room: Room, gap: int) -> int:
    """The first gap from ``gap`` on in which all slots are in use; ``gaps`` if there is none."""
    peak, added = room.peak, room.added
    leaves = len(peak) // 2
    leaf = gap + 1 + leaves
    node, span, full = 1, leaves, room.slots  # full: the peak at which a gap below node is full
    found, found_full = 0, 0
    while node < leaves:
        full -= added[node]
        span >>= 1
        node *= 2
        if leaf & span:
            node += 1
        elif peak[node + 1] >= full:
            found, found_full = node + 1, full  # the nearest so far behind the leaf
    if peak[node] >= full:
        return gap
    if found == 0:
        return room.gaps
    node, full = found, found_full
    while node < leaves:
        full -= added[node]
        node *= 2
        if peak[node] < full:
            node += 1
    return int(min(node - leaves - 1, room.gaps))
