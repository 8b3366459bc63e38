"""The SA cache: where each SA stands with the card, by one table of transitions.

An SA holds a slot from the moment its load is accepted until its eviction has drained. A victim
leaves its slot to the newcomer: the one is EVICTING while the other is already LOADING, and the
fetch itself waits until the victim's last packet has left the engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, auto
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt


class Residency(IntEnum):
    """Where an SA stands; the card encrypts for RESIDENT ones only."""

    ABSENT = 0  # what an array of zeroes says
    LOADING = 1
    RESIDENT = 2
    EVICTING = 3


class Happening(IntEnum):
    """What can happen to an SA on the card."""

    LOAD = auto()  # a load command was accepted
    LOADED = auto()  # its fetch is complete
    LOST = auto()  # it did not complete in time, or the card was reset
    EVICT = auto()  # an eviction was accepted, or the SA is a load's victim
    DRAINED = auto()  # its last packet has left the engine
    RESET = auto()  # the card has forgotten everything


TRANSITIONS: Final[Mapping[tuple[Residency, Happening], Residency]] = MappingProxyType(
    {
        (Residency.ABSENT, Happening.LOAD): Residency.LOADING,
        (Residency.LOADING, Happening.LOADED): Residency.RESIDENT,
        (Residency.LOADING, Happening.LOST): Residency.ABSENT,
        (Residency.RESIDENT, Happening.EVICT): Residency.EVICTING,
        (Residency.RESIDENT, Happening.RESET): Residency.ABSENT,
        (Residency.EVICTING, Happening.DRAINED): Residency.ABSENT,
    }
)

# The card's record of an SA, by handle.
CONTEXT: Final = np.dtype(
    [
        ("last_finish_ns", "i8"),  # when its last submitted packet leaves the engine
        ("residency", "u1"),
    ],
    align=True,
)


def after(residency: Residency, happening: Happening) -> Residency:
    """The state that follows; a pair that the table does not have is a defect of the caller."""
    following = TRANSITIONS.get((residency, happening))
    assert following is not None, (
        f"{happening.name} cannot happen to an SA that is {residency.name}"
    )
    return following


def drawing() -> str:
    """The table as a Mermaid state diagram."""
    arrows = [
        f"    {residency.name} --> {following.name}: {happening.name.lower()}"
        for (residency, happening), following in TRANSITIONS.items()
    ]
    start = f"    [*] --> {Residency.ABSENT.name}"
    return "\n".join(["stateDiagram-v2", start, *arrows]) + "\n"


class SaCache:
    """The card's slots and who holds them.

    ``contexts`` is a record array of CONTEXT by handle, at least as long as the highest handle
    ever loaded; it is replaced when it grows, so read it through the cache.
    """

    def __init__(self, slots_max: int) -> None:
        self.contexts = np.zeros(64, CONTEXT)
        self._slots_max = slots_max
        self._slots_used = 0
        self._population = [0] * len(Residency)  # of handles ever loaded, by residency

    def residency(self, handle: int) -> Residency:
        """Where ``handle`` stands; one that was never loaded is ABSENT."""
        if not 0 <= handle < len(self.contexts):
            return Residency.ABSENT
        return Residency(self.contexts[handle]["residency"])

    def residents(self) -> npt.NDArray[np.int64]:
        """The RESIDENT handles, ascending."""
        return np.flatnonzero(self.contexts["residency"] == Residency.RESIDENT)

    def loading(self) -> npt.NDArray[np.int64]:
        """The LOADING handles, ascending."""
        return np.flatnonzero(self.contexts["residency"] == Residency.LOADING)

    def population(self, residency: Residency) -> int:
        """How many handles are in this state, which is not ABSENT."""
        return self._population[residency]

    @property
    def slots_free(self) -> int:
        """Slots that nobody holds."""
        return self._slots_max - self._slots_used

    def begin_load(self, handle: int, *, in_place: bool) -> None:
        """ABSENT to LOADING, into the slot of a victim (``in_place``) or into a free one."""
        if handle >= len(self.contexts):
            larger = np.zeros(max(handle + 1, 2 * len(self.contexts)), CONTEXT)
            larger[: len(self.contexts)] = self.contexts
            self.contexts = larger
        self._slots_used += not in_place
        self._move(handle, Happening.LOAD)

    def begin_eviction(self, handle: int) -> int:
        """RESIDENT to EVICTING; returns when the last packet of ``handle`` leaves, in ns."""
        self._move(handle, Happening.EVICT)
        return int(self.contexts[handle]["last_finish_ns"])

    def end(self, handle: int, happening: Happening, *, frees_slot: bool) -> None:
        """A load or an eviction ends, and leaves its slot free or to someone else."""
        self._move(handle, happening)
        self._slots_used -= frees_slot

    def clear(self, now_ns: int) -> None:
        """A reset, after every load and eviction has ended: nobody is left, nothing in flight."""
        for handle in self.residents():
            self._move(int(handle), Happening.RESET)
        self._slots_used = 0
        self.contexts["last_finish_ns"] = np.minimum(self.contexts["last_finish_ns"], now_ns)

    def _move(self, handle: int, happening: Happening) -> None:
        """The only writer of residency; holds law 4, no more SAs than slots."""
        before = self.residency(handle)
        following = after(before, happening)
        self.contexts[handle]["residency"] = following
        self._population[before] -= 1
        self._population[following] += 1
        held = self._population[Residency.LOADING] + self._population[Residency.RESIDENT]
        assert held <= self._slots_max, f"{held} SAs in {self._slots_max} slots"
        assert self._slots_used <= self._slots_max, "more slots taken than there are"
