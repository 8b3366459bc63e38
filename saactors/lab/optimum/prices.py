"""Prices for slots that make the Lagrangian bound small.

The price per gap is constant on pieces of the timeline, ``2 ** levels`` of them. Where SAs want
more slots than there are, the price goes up, where they want fewer, down: a subgradient step.
Coarse and fine errors call for steps of different size, so the pieces are the leaves of a binary
tree, each node of which has a step of its own that moves the prices of all leaves below it. A step
is the mean excess of late over its root mean square, as in Adam (Kingma and Ba 2015), so it needs
no scale but that of the price; it shrinks with the number of rounds.

A round evaluates all SAs once. There is no clock here: rounds are counted.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np

from saactors.lab.optimum.priced import earn, occupy
from saactors.lab.optimum.visits import Floats, Int32s, Int64s, Visits
from saactors.model.compiled import compiled

MEAN_KEPT: Final = 0.9  # of the mean excess, from round to round
SQUARE_KEPT: Final = 0.98  # of its mean square
STEP: Final = 0.02  # first step of a node, as a share of the first price
STEP_ROUNDS: Final = 100  # after so many rounds a step is half of that


class _Tree(NamedTuple):
    """One entry per node; node 1 is the root, node ``n`` has children ``2 n`` and ``2 n + 1``."""

    excess: Floats
    mean: Floats
    square: Floats
    step: Floats


class PriceSearch:
    """The best prices so far, and one round after the other."""

    def __init__(
        self, visits: Visits, slots: int, load_host_ns: float, levels: int, first_price_ns: float
    ) -> None:
        self._visits = visits
        self._slots = slots
        self._load_host_ns = load_host_ns
        pieces = 1 << max(0, min(levels, int(math.log2(max(visits.gaps, 1)))))
        self._edges = np.arange(pieces + 1) * visits.gaps // pieces
        self._price_ns = np.full(pieces, first_price_ns)
        self._scale_ns = first_price_ns
        self._tree = _Tree(*(np.zeros(2 * pieces) for _ in _Tree._fields))
        self._rent_ns = np.empty(visits.gaps + 1)
        self._change = np.zeros(visits.gaps + 1, np.int32)
        self._choice = np.empty(len(visits.start), np.uint8)
        self.rounds = 0
        self.bound_ns = math.inf  # the least so far
        self.rent_ns = self._rent_ns.copy()  # where it was found

    def round(self) -> None:
        """Evaluate the prices, then change them."""
        spread_rent(self._price_ns, self._edges, self._rent_ns)
        bound_ns = self._slots * self._rent_ns[-1] + earn(
            self._visits, self._rent_ns, self._load_host_ns, self._choice
        )
        if bound_ns < self.bound_ns:
            self.bound_ns = float(bound_ns)
            self.rent_ns[:] = self._rent_ns
        self.rounds += 1
        occupy(self._visits, self._choice, self._change)
        sum_excess(self._change, self._slots, self._edges, self._tree.excess)
        rate_ns = STEP * self._scale_ns / (1.0 + self.rounds / STEP_ROUNDS)
        step_prices(self._tree, self._price_ns, rate_ns, self.rounds)


@compiled
def spread_rent(price_ns: Floats, edges: Int64s, rent_ns: Floats) -> None:
    """The rent for all gaps before each: (gaps + 1,)."""
    total_ns = 0.0
    rent_ns[0] = 0.0
    for piece in range(len(price_ns)):
        for gap in range(edges[piece], edges[piece + 1]):
            rent_ns[gap + 1] = total_ns + price_ns[piece] * (gap + 1 - edges[piece])
        total_ns += price_ns[piece] * (edges[piece + 1] - edges[piece])


@compiled
def sum_excess(change: Int32s, slots: int, edges: Int64s, excess: Floats) -> None:
    """Slots wanted less slots there, summed over the gaps of each piece; clears ``change``."""
    used = 0
    pieces = len(edges) - 1
    for piece in range(pieces):
        total = 0
        for gap in range(edges[piece], edges[piece + 1]):
            used += change[gap]
            change[gap] = 0
            total += used - slots
        excess[pieces + piece] = total
    change[-1] = 0


@compiled
def step_prices(tree: _Tree, price_ns: Floats, rate_ns: float, rounds: int) -> None:
    """Move the price of each piece by the steps of all nodes above it, but not below 0."""
    pieces = len(price_ns)
    for piece in range(pieces):
        if price_ns[piece] <= 0.0 and tree.excess[pieces + piece] < 0.0:
            tree.excess[pieces + piece] = 0.0
    for node in range(pieces - 1, 0, -1):
        tree.excess[node] = tree.excess[2 * node] + tree.excess[2 * node + 1]
    mean_seen, square_seen = 1.0 - MEAN_KEPT**rounds, 1.0 - SQUARE_KEPT**rounds
    tree.step[0] = 0.0
    for node in range(1, 2 * pieces):
        excess = tree.excess[node]
        tree.mean[node] += (1.0 - MEAN_KEPT) * (excess - tree.mean[node])
        tree.square[node] += (1.0 - SQUARE_KEPT) * (excess * excess - tree.square[node])
        tree.step[node] = tree.step[node // 2]
        if tree.square[node] > 0.0:
            spread = math.sqrt(tree.square[node] / square_seen)
            tree.step[node] += tree.mean[node] / mean_seen / spread
    for piece in range(pieces):
        price_ns[piece] = max(0.0, price_ns[piece] + rate_ns * tree.step[pieces + piece])
