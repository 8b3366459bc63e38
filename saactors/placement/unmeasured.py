"""What rules that measure nothing have in common: no parameters, no metric."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from saactors.errors import ParameterError
from saactors.placement.cost import CostModel
from saactors.placement.functions import NOTHING_KEPT, Unmeasured
from saactors.placement.rule import Decide, Packets, RuleParameters


@dataclass(frozen=True, slots=True)
class NoParameters:
    """The parameters of a rule that has none."""

    @classmethod
    def from_mapping(cls, given: Mapping[str, object]) -> NoParameters:
        """Accept no parameter but those left at None.

        Raises:
            ParameterError: a parameter is given.
        """
        for name, value in given.items():
            if value is not None:
                raise ParameterError(name, value, "nothing, for this rule has no parameters")
        return cls()

    @property
    def period_ns(self) -> None:
        """No ticks needed."""

    @property
    def decide(self) -> Decide:
        """As packets arrive."""
        return Decide.ARRIVAL

    def resolved(self, _cost: CostModel, /) -> NoParameters:
        """Nothing to fill in."""
        return self

    def analysis(self, _cost: CostModel, /) -> None:
        """No threshold, so no analysis."""


def check_no_parameters(parameters: RuleParameters) -> None:
    """Refuse the parameters of another rule.

    Raises:
        ParameterError: they are.
    """
    if not isinstance(parameters, NoParameters):
        raise ParameterError("parameters", type(parameters).__name__, "NoParameters")


class NoMetrics:
    """The keeper half (``saactors.placement.rule.MetricKeeper``)."""

    __slots__ = ("_count", "_ticks")

    def __init__(self) -> None:
        self._count = 0
        self._ticks = 0

    @property
    def state(self) -> Unmeasured:
        """No arrays that count."""
        return NOTHING_KEPT

    @property
    def ticks(self) -> int:
        """Ticks so far."""
        return self._ticks

    def make_room(self, sas_max: int, /) -> None:
        """Nothing is kept per SA."""

    def receive(self, sa_count: int, /) -> None:
        """SAs up to ``sa_count`` are known."""
        self._count = max(self._count, sa_count)

    def observe(self, _packets: Packets, /) -> None:
        """A packet earns nothing."""

    def tick(self) -> None:
        """One period has passed and changed nothing."""
        self._ticks += 1

    def cached(self, _sa: int, /) -> None:
        """A load earns nothing."""

    def metrics(self) -> npt.NDArray[np.float64]:
        """Zero for every SA."""
        return np.zeros(self._count)

    def metrics_of(self, sas: npt.NDArray[np.int64], /) -> npt.NDArray[np.float64]:
        """No SA has one: zeroes."""
        return np.zeros(len(sas))

    def candidates(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float64]]:
        """No SA earns a load."""
        return np.empty(0, np.int32), np.empty(0)

    def follow(self, parameters: RuleParameters, /) -> None:
        """Take note of parameters that say nothing."""
        check_no_parameters(parameters)
