"""What actors tell of every burst, and of every step of a packet that somebody traces.

All actors tell through one emitter, because most of what they handle at one instant has no order
of its own: a share's place is made of its burst, its first row and the actor, and no other has it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from saactors.model.burst import Burst
from saactors.observe.events import BurstHandled, PacketTraced
from saactors.observe.observer import Emitter
from saactors.runtime.clock import Clock

ACTORS: Final = ("source", "classifier", "keeper", "arbiter", "software", "nic", "egress")

_PLACES: Final = {actor: place for place, actor in enumerate(ACTORS)}
_ROWS_MAX: Final = 256
_APART: Final = 1 << 62  # steps of packets have places of their own, before all bursts
NOT_TOLD: Final = -1

# What an actor decided about a packet, in words; given its record.
Describe = Mapping[str, Callable[[np.void], str]]


class BurstNews:
    """False while nobody wants to hear of bursts and nobody traces packets."""

    __slots__ = ("_clock", "_describe", "_emit", "_spi_of", "tracing")

    def __init__(
        self, emit: Emitter, clock: Clock, describe: Describe, spi_of: Callable[[int], int]
    ) -> None:
        self._emit = emit
        self._clock = clock
        self._describe = describe
        self._spi_of = spi_of
        self.tracing = False  # whether bursts may hold traced packets

    def __bool__(self) -> bool:
        return self.tracing or self._emit.wants(BurstHandled)

    def begin(self) -> int:
        """When an actor begins with a burst, in ns; NOT_TOLD if nobody wants to know."""
        return self._clock.now_ns() if self else NOT_TOLD

    def handled(
        self,
        actor: str,
        burst: Burst,
        rows: npt.NDArray[np.int32] | None,
        began_ns: int,
        name: str = "",
    ) -> None:
        """Tell that ``actor`` (``name`` if there are several) is done with rows; None: with all."""
        if not self or began_ns == NOT_TOLD:
            return
        count = len(burst.packets) if rows is None else len(rows)
        first = 0 if rows is None or not count else int(rows[0])
        place = (burst.number * _ROWS_MAX + first) * len(ACTORS) + _PLACES[actor]
        now_ns = self._clock.now_ns()
        if self._emit.wants(BurstHandled):
            told = BurstHandled(now_ns, name or actor, burst.number, count, began_ns)
            self._emit(told, place)
        if burst.traced and self._emit.wants(PacketTraced):
            within = None if rows is None else set(rows.tolist())
            for row, number in burst.traced:
                if actor == "classifier":  # which chooses; where it came in is told in retrospect
                    arrived_ns = int(burst.packets["time_ns"][row])
                    self._tell_step(burst.packets[row], number, "source", "", arrived_ns)
                if within is None or row in within:
                    self._tell_step(burst.packets[row], number, actor, name, now_ns)

    def _tell_step(self, packet: np.void, number: int, actor: str, name: str, now_ns: int) -> None:
        sa = int(packet["sa"])
        known = sa >= 0
        self._emit(
            PacketTraced(
                now_ns,
                number,
                name or actor,
                sa if known else None,
                self._spi_of(sa) if known else None,
                self._describe[actor](packet),
            ),
            number * len(ACTORS) + _PLACES[actor] - _APART,
        )
