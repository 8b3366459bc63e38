"""The hottest SAs so far, and the metric of each over time.

Which SAs will have carried the most packets is known at the end only, and the metrics of all SAs at
all times are too much to keep. So a board of ``TRACKED`` SAs is kept: the ones with the most
packets *so far*, by exact count. Counts only grow, so the board needs a look only when a packet's
SA has more packets than the last known lowest count on it. Whoever leaves the board takes its
history with it; whoever comes back starts anew. At the end the first few on the board have been on
it for nearly the whole run, unless traffic is so even that no SA is hot.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
from numba import njit

from saactors.model.packets import NO_SA
from saactors.model.sa import grown
from saactors.observe.series import LastSeries

TRACKED: Final = 32

MetricsOf: TypeAlias = Callable[[npt.NDArray[np.int64]], npt.NDArray[np.float64]]


class HottestSas:
    """The keeper's view of who is hot.

    ``metrics_of`` gives the present metrics of some SAs (int64 indices); it is called once a bin.
    """

    __slots__ = (
        "_board",
        "_floor",
        "_metrics_of",
        "_next_sample_ns",
        "_packets",
        "_sampled",
        "metrics",
    )

    def __init__(self, metrics_of: MetricsOf) -> None:
        self.metrics = LastSeries(*(str(place) for place in range(TRACKED)))
        self._metrics_of = metrics_of
        self._packets = np.zeros(64, np.int64)
        self._board = np.full(TRACKED, NO_SA, np.int64)
        self._floor = np.zeros(1, np.int64)  # no SA on a full board has fewer packets
        self._sampled = np.full(TRACKED, NO_SA, np.int64)  # whom the columns of metrics tell of
        self._next_sample_ns = 0

    def observe(self, time_ns: int, packets: npt.NDArray[np.void], sa_count: int) -> None:
        """Count a burst (contiguous record array of ``PACKET``) that the metrics know already."""
        if sa_count > len(self._packets):
            self._packets = grown(self._packets, sa_count)
        _count(packets, self._packets, self._board, self._floor)
        if time_ns >= self._next_sample_ns:
            self.sample(time_ns)

    def forget(self, sa: int) -> None:
        """Let an SA have had no packets, and no place on the board."""
        if sa < len(self._packets):
            self._packets[sa] = 0
        self._board[self._board == sa] = NO_SA
        self._floor[0] = 0  # there is room on the board now

    def sample(self, time_ns: int) -> None:
        """Note the metrics of those on the board; once more by hand when the run ends."""
        for place in np.flatnonzero(self._board != self._sampled):
            self.metrics.forget(int(place))
        self._sampled[:] = self._board
        places = np.flatnonzero(self._board != NO_SA)
        levels: list[float | None] = [None] * TRACKED
        for place, metric in zip(places, self._metrics_of(self._board[places]), strict=True):
            levels[place] = float(metric)
        self.metrics.set(time_ns, *levels)
        width_ns = self.metrics.width_ns
        self._next_sample_ns = (time_ns // width_ns + 1) * width_ns

    def leaders(self, count: int) -> dict[int, str]:
        """The SAs with the most packets, most first: SA → its column in ``metrics``."""
        taken = np.flatnonzero(self._sampled != NO_SA)
        packets = self._packets[self._sampled[taken]]
        first = taken[np.lexsort((self._sampled[taken], -packets))][:count]
        return {int(self._sampled[place]): str(place) for place in first}


@njit(cache=True)
def _count(
    packets: npt.NDArray[np.void],
    counts: npt.NDArray[np.int64],
    board: npt.NDArray[np.int64],
    floor: npt.NDArray[np.int64],
) -> None:
    for row in range(len(packets)):
        sa = packets[row].sa
        if sa == NO_SA:
            continue
        counts[sa] += 1
        if counts[sa] > floor[0]:
            _seat(sa, counts, board, floor)


@njit(cache=True)
def _seat(
    sa: int,
    counts: npt.NDArray[np.int64],
    board: npt.NDArray[np.int64],
    floor: npt.NDArray[np.int64],
) -> None:
    """Let ``sa`` have the place of the lowest on the board if it has more packets than that one."""
    lowest, lowest_count = -1, 0
    for place in range(len(board)):
        if board[place] == sa:
            return
        count = counts[board[place]] if board[place] != NO_SA else 0
        if lowest == -1 or count < lowest_count:
            lowest, lowest_count = place, count
    floor[0] = lowest_count
    if counts[sa] > lowest_count:
        board[lowest] = sa
