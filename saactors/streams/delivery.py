"""In-order delivery: each SA's packets leave in the order in which they came (law 3).

While an SA moves, its earlier packets may still be in one component's queue when the next ones are
done in the other. The classifier has numbered them; here a packet that is ahead of its turn is
held back until all packets before it have come, and a packet that a component dropped comes as
well, with its verdict, and gives the turn on.

In the common case nothing is out of turn: one compiled pass says so and the share goes on whole.
How much can be held back is bounded by what can be under way on the edges.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from numba import njit

from saactors.model.burst import Finished
from saactors.model.sa import grown

Delivery: TypeAlias = tuple[Finished, npt.NDArray[np.int32]]


class InOrder:
    """Holds packets back until it is their turn within their SA."""

    def __init__(self) -> None:
        self._turns = np.zeros(64, np.int64)  # per SA: the order that is next
        self._ahead: dict[int, dict[int, tuple[Finished, int]]] = defaultdict(dict)
        self._everything = np.arange(256, dtype=np.int32)

    @property
    def held_back(self) -> int:
        """Packets that wait for their turn."""
        return sum(len(waiting) for waiting in self._ahead.values())

    def turn(self, sa: int) -> int:
        """The order that is next for an SA: how many of its packets have been given out."""
        return int(self._turns[sa]) if sa < len(self._turns) else 0

    def release(self, finished: Finished) -> Sequence[Delivery]:
        """Take a share and give out what may leave now: pairs of a share and positions in it.

        Positions (int32) count the share's rows. Every position of every share comes out exactly
        once, and per SA in order.
        """
        self._turns = grown(self._turns, finished.burst.sa_count)
        packets, rows = finished.burst.packets, finished.rows
        if not self._ahead and _all_in_turn(packets, rows, self._turns):
            if len(rows) > len(self._everything):
                self._everything = np.arange(len(rows), dtype=np.int32)
            return ((finished, self._everything[: len(rows)]),)
        return list(_grouped(list(self._one_by_one(finished))))

    def _one_by_one(self, finished: Finished) -> Iterator[tuple[Finished, int]]:
        packets, rows = finished.burst.packets, finished.rows
        for position, row in enumerate(rows):
            sa, order = int(packets["sa"][row]), int(packets["order"][row])
            if order < 0:
                yield finished, position
                continue
            waiting = self._ahead[sa]
            assert order >= self._turns[sa], "a packet's turn came twice"
            assert order not in waiting, "a packet came twice"
            waiting[order] = (finished, position)
            yield from self._next_in_turn(sa)

    def _next_in_turn(self, sa: int) -> Iterator[tuple[Finished, int]]:
        waiting = self._ahead[sa]
        while (next_one := waiting.pop(int(self._turns[sa]), None)) is not None:
            self._turns[sa] += 1
            yield next_one
        if not waiting:
            del self._ahead[sa]


def _grouped(leaving: list[tuple[Finished, int]]) -> Iterator[Delivery]:
    """Runs of the same share as one delivery each."""
    start = 0
    for end in range(1, len(leaving) + 1):
        if end == len(leaving) or leaving[end][0] is not leaving[start][0]:
            positions = [position for _, position in leaving[start:end]]
            yield leaving[start][0], np.array(positions, np.int32)
            start = end


@njit(cache=True)
def _all_in_turn(
    packets: npt.NDArray[np.void], rows: npt.NDArray[np.int32], turns: npt.NDArray[np.int64]
) -> bool:
    """Give every packet its turn if that is possible in this order; else change nothing."""
    for position in range(len(rows)):
        packet = packets[rows[position]]
        if packet.order < 0:
            continue
        if packet.order != turns[packet.sa]:
            for taken in range(position):
                earlier = packets[rows[taken]]
                if earlier.order >= 0:
                    turns[earlier.sa] -= 1
            return False
        turns[packet.sa] += 1
    return True
