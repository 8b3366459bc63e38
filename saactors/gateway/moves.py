"""What moved lately and why: the gateway's own listener, with bounds on all that it keeps."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from saactors.model.sa import grown
from saactors.observe.events import Event, Evicted, Loaded, LoadIssued, LoadLost, SaPinned

MOVES_KEPT: Final = 1000
SAS_KEPT: Final = 4096  # with their own last moves; whoever moved longest ago is forgotten
MOVES_OF_AN_SA: Final = 10

HEARD: Final[tuple[type[Event], ...]] = (LoadIssued, Loaded, Evicted, LoadLost, SaPinned)


class Move(NamedTuple):
    """One SA's step towards the card or away from it."""

    time_ns: int
    sa: int
    spi: int
    move: str  # load, loaded, evicted, lost or pinned
    reason: str


class Moves:
    """The last moves of all SAs, and of each that moved lately; how often each has moved."""

    def __init__(self, spi_of: Callable[[int], int]) -> None:
        self._spi_of = spi_of
        self._last: deque[Move] = deque(maxlen=MOVES_KEPT)
        self._of: OrderedDict[int, deque[Move]] = OrderedDict()
        self._counts = np.zeros(64, np.int64)
        self._loads = np.zeros(64, np.int64)

    def hear(self, event: Event) -> None:
        """Take note of an event (one of HEARD)."""
        sa: int = event.sa  # type: ignore[attr-defined]  # all of HEARD have it
        kind, reason = _told(event)
        move = Move(event.time_ns, sa, self._spi_of(sa), kind, reason)
        self._last.append(move)
        own = self._of.get(sa)
        if own is None:
            own = self._of[sa] = deque(maxlen=MOVES_OF_AN_SA)
            if len(self._of) > SAS_KEPT:
                self._of.popitem(last=False)
        else:
            self._of.move_to_end(sa)
        own.append(move)
        if isinstance(event, LoadIssued | Evicted):
            self._counts = grown(self._counts, sa + 1)
            self._loads = grown(self._loads, sa + 1)
            self._counts[sa] += 1
            self._loads[sa] += isinstance(event, LoadIssued)

    def latest(self, limit: int) -> Iterator[Move]:
        """The last moves, newest first."""
        newest_first = reversed(self._last)
        return (move for _, move in zip(range(limit), newest_first, strict=False))

    def of(self, sa: int) -> list[Move]:
        """An SA's own last moves, newest first."""
        return list(reversed(self._of.get(sa, ())))

    def counts(self, rows: int) -> npt.NDArray[np.int64]:
        """Loads and evictions of every SA."""
        self._counts = grown(self._counts, rows)
        return self._counts[:rows]

    def loads(self, rows: int) -> npt.NDArray[np.int64]:
        """Loads of every SA."""
        self._loads = grown(self._loads, rows)
        return self._loads[:rows]

    def forget(self, sa: int) -> None:
        """The SA is gone; its index may be another's."""
        self._of.pop(sa, None)
        if sa < len(self._counts):
            self._counts[sa] = 0
        if sa < len(self._loads):
            self._loads[sa] = 0


def _told(event: Any) -> tuple[str, str]:  # noqa: ANN401 - one of HEARD, told apart here
    if isinstance(event, LoadIssued):
        return "load", event.reason
    if isinstance(event, Loaded):
        return "loaded", f"after {event.latency_ns / 1000:.0f} µs"
    if isinstance(event, Evicted):
        return "evicted", event.reason
    if isinstance(event, LoadLost):
        return "lost", f"the card did not answer within {event.timeout_ns / 1e6:.1f} ms"
    return "pinned", f"pinned to {event.where}"
