"""Traffic that nobody has and every rule should survive: worst cases, each against one idea.

    uniform      all SAs alike: no SA is worth more than another, loads only cost
    scan         SAs in a circle: with one slot too few, least-recently-used misses every time
    one-packet   every packet a new SA: whatever is loaded never comes back
    threshold    every SA sends exactly T packets: a rule that loads at the T-th always loads too
                 late, and pays for all of them (the lower bound of ski rental, Karlin et al. 1988)

Arrivals are Poisson: it is the order of the SAs that hurts, not their timing.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from saactors.traces.synthetic.parameters import SAS_MAX, Model, Traffic, parameter
from saactors.traces.synthetic.popularity import poisson_times
from saactors.traces.synthetic.sizes import (
    DEFAULT_SIZES,
    SIZES_UNIT,
    WHY_SIZES,
    draw_lengths,
    read_sizes,
)

Keys = npt.NDArray[np.int64]

_WHY_SAS = "as many as in zipf, so that the two can be compared"


@dataclass(frozen=True, slots=True, kw_only=True)
class Adversary(Model):
    """Poisson arrivals of SAs in a nasty order."""

    sizes: str = parameter(DEFAULT_SIZES, SIZES_UNIT, WHY_SIZES)

    def check(self) -> None:
        """Raises ParameterError for sizes that there are not."""
        read_sizes(self.sizes)

    def generate(self, rng: np.random.Generator) -> Traffic:
        """Keys are as ``order`` gives them."""
        times_ns = poisson_times(self.packets, self.packets_per_s, rng)
        keys = self.order(self.packets, rng)
        return Traffic(times_ns, keys, draw_lengths(self.sizes, self.packets, rng), {})

    @abstractmethod
    def order(self, packets: int, rng: np.random.Generator) -> Keys:
        """The SA of each packet; shape (packets,)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Uniform(Adversary):
    """Each packet's SA is any of all."""

    sas: int = parameter(100_000, "SAs", _WHY_SAS, least=1, most=SAS_MAX)

    def order(self, packets: int, rng: np.random.Generator) -> Keys:
        """Drawn evenly."""
        return rng.integers(self.sas, size=packets)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan(Adversary):
    """SAs send in a circle."""

    sas: int = parameter(100_000, "SAs", _WHY_SAS, least=1, most=SAS_MAX)

    def order(self, packets: int, _rng: np.random.Generator) -> Keys:
        """0 to ``sas`` - 1, again and again."""
        return np.arange(packets) % self.sas


@dataclass(frozen=True, slots=True, kw_only=True)
class OnePacket(Adversary):
    """Each SA sends one packet."""

    def order(self, packets: int, _rng: np.random.Generator) -> Keys:
        """0 to ``packets`` - 1."""
        return np.arange(packets)


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold(Adversary):
    """Each SA sends ``threshold`` packets, then falls silent; the last ones may be cut short."""

    threshold: int = parameter(
        50, "packets", "a load worth 50 software packets; set it to what the rule under test has",
        least=1, most=1_000_000_000,
    )  # fmt: skip
    at_once: int = parameter(
        64, "SAs", "that take turns: fewer than any card's slots, so that room is no excuse",
        least=1, most=SAS_MAX,
    )  # fmt: skip

    def order(self, packets: int, _rng: np.random.Generator) -> Keys:
        """Groups of ``at_once`` SAs that take turns ``threshold`` times."""
        rows = np.arange(packets)
        return rows // (self.at_once * self.threshold) * self.at_once + rows % self.at_once


@dataclass(frozen=True, slots=True, kw_only=True)
class AllAdversaries(Threshold):
    """All four at once: each packet belongs to one of them, drawn evenly."""

    sas: int = parameter(100_000, "SAs of uniform and of scan", _WHY_SAS, least=1, most=SAS_MAX)

    def order(self, packets: int, rng: np.random.Generator) -> Keys:
        """Each adversary's own order, on SAs of its own."""
        adversaries: tuple[Adversary, ...] = (
            Uniform(sas=self.sas),
            Scan(sas=self.sas),
            OnePacket(),
            Threshold(threshold=self.threshold, at_once=self.at_once),
        )
        whose = rng.integers(len(adversaries), size=packets)
        keys = np.empty(packets, np.int64)
        for number, adversary in enumerate(adversaries):
            rows = np.flatnonzero(whose == number)
            keys[rows] = adversary.order(len(rows), rng) * len(adversaries) + number
        return keys
