"""What may go wrong on a card: loads refused or lost, bits flipped, stalls and resets.

A plan says what may happen; ``Faults`` draws from it. Draws come from a generator that the caller
has made from the run's seed, and only for faults whose probability is above 0: a plan without
them leaves the generator alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from nicmodel.errors import FaultPlanError

_NOTHING: Final = np.empty(0, np.int32)
_PROBABILITIES: Final = (
    "load_refused_probability",
    "load_lost_probability",
    "bit_flip_probability",
)


@dataclass(frozen=True, slots=True)
class Stall:
    """The engine starts no packet from ``start_ns`` on for ``duration_ns``."""

    start_ns: int
    duration_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultPlan:
    """What may go wrong; by default nothing. Raises FaultPlanError for what cannot happen."""

    load_refused_probability: float = 0.0  # of a load command that the card could take
    load_lost_probability: float = 0.0  # of an accepted load
    bit_flip_probability: float = 0.0  # of a packet that the card encrypts
    resets_ns: tuple[int, ...] = ()  # when the card forgets every SA
    stalls: tuple[Stall, ...] = ()

    def __post_init__(self) -> None:
        for name in _PROBABILITIES:
            probability = getattr(self, name)
            if not (math.isfinite(probability) and 0 <= probability <= 1):
                raise FaultPlanError(name, probability, "a probability from 0 to 1")
        for reset_ns in self.resets_ns:
            if reset_ns < 0:
                raise FaultPlanError("resets_ns", reset_ns, "instants from 0 on")
        for stall in self.stalls:
            if stall.start_ns < 0 or stall.duration_ns <= 0:
                raise FaultPlanError("stalls", stall, "a start from 0 on and a duration above 0")


class Faults:
    """Draws from a plan. The generator may be None if the plan has no probability above 0."""

    def __init__(self, plan: FaultPlan, generator: np.random.Generator | None) -> None:
        needs_generator = any(getattr(plan, name) > 0 for name in _PROBABILITIES)
        assert generator is not None or not needs_generator, "random faults need a generator"
        self._plan = plan
        self._generator = generator

    def refuses_load(self) -> bool:
        """Whether the card refuses the next load that it could take."""
        return self._happens(self._plan.load_refused_probability)

    def loses_load(self) -> bool:
        """Whether the next load accepted is lost."""
        return self._happens(self._plan.load_lost_probability)

    def flips(
        self, lengths_bytes: npt.NDArray[np.int32], refused_rows: npt.NDArray[np.int32]
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """In which packets of a burst a bit flips, and which bit of each (from 0).

        Packets count from 0 without those of the refused rows, which the card never encrypts.
        """
        if self._plan.bit_flip_probability == 0:
            return _NOTHING, _NOTHING
        assert self._generator is not None
        taken_bytes = np.delete(lengths_bytes, refused_rows)
        draws = self._generator.random(len(taken_bytes))
        rows = np.flatnonzero(draws < self._plan.bit_flip_probability).astype(np.int32)
        bits = self._generator.integers(0, 8 * taken_bytes[rows], dtype=np.int32)
        return rows, bits

    def _happens(self, probability: float) -> bool:
        if probability == 0:
            return False
        assert self._generator is not None
        return bool(self._generator.random() < probability)
