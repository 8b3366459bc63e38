"""The keeper half of rules that have no metric: their arbiter half knows all they need."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from saactors.errors import ParameterError
from saactors.placement.functions import NOTHING_KEPT, Unmeasured
from saactors.placement.rule import Packets, RuleParameters


def check_parameters(parameters: RuleParameters, expected: type[RuleParameters]) -> None:
    """Refuse the parameters of another rule.

    Raises:
        ParameterError: they are.
    """
    if type(parameters) is not expected:
        raise ParameterError("parameters", type(parameters).__name__, expected.__name__)


class NoMetrics:
    """The keeper half (``saactors.placement.rule.MetricKeeper``)."""

    __slots__ = ("_count", "_parameters_type", "_ticks")

    def __init__(self, parameters_type: type[RuleParameters]) -> None:
        self._parameters_type = parameters_type
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

    def forget(self, _sa: int, /) -> None:
        """Nothing is kept per SA."""

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
        """Take note of parameters that say nothing to this half.

        Raises:
            ParameterError: they are the parameters of another rule.
        """
        check_parameters(parameters, self._parameters_type)
