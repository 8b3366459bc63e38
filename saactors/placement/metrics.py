"""The metric rule's keeper half: what each SA has earned lately (claims 1, 7 to 10, 43, 44).

    received    metric = initial
    packet      metric + increment * weight of the packet
    cached      metric + bonus
    each tick   metric * factor, or metric - amount but not below 0

A metric is kept as of the tick at which it last changed and worked out from there when it is
needed, so a tick costs nothing however many SAs there are: 16 bytes and O(1) per packet.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

from saactors.errors import ParameterError
from saactors.model.compiled import compiled
from saactors.model.sa import grown
from saactors.placement.cost import CostModel
from saactors.placement.parameters import MetricParameters
from saactors.placement.residents import decayed
from saactors.placement.routing import PASSED, Record
from saactors.placement.rule import Packets, RuleParameters

METRIC: Final = np.dtype([("value", "f8"), ("tick", "i8")])  # the value as of that tick


@compiled
def add(
    metrics: npt.NDArray[np.void], settings: Record, sa: int, amount: float, tick: int
) -> float:
    """Add to the metric of an SA as it stands at ``tick``; returns the sum."""
    metric = metrics[sa]
    value: float = decayed(settings, metric["value"], tick - metric["tick"]) + amount
    metric["value"] = value
    metric["tick"] = tick
    return value


@compiled
def earned(settings: Record, length_bytes: int) -> float:
    """What a packet adds. One that would cost more on the card than in software adds nothing."""
    saving: float = settings["earned_packet"] + settings["earned_byte"] * length_bytes
    return max(0.0, saving)


@compiled
def observe_burst(
    metrics: npt.NDArray[np.void], settings: npt.NDArray[np.void], packets: Packets, tick: int
) -> None:
    """Count each packet that passed and has an SA; writes its ``metric``."""
    rule = settings[0]
    for row in range(len(packets)):
        packet = packets[row]
        sa = packet["sa"]
        if sa >= 0 and packet["verdict"] == PASSED:
            packet["metric"] = add(metrics, rule, sa, earned(rule, packet["length_bytes"]), tick)


@njit(cache=True)
def metrics_now(
    metrics: npt.NDArray[np.void], settings: npt.NDArray[np.void], tick: int
) -> npt.NDArray[np.float64]:
    """The metric of each SA as of ``tick``."""
    now = np.empty(len(metrics), np.float64)
    for sa in range(len(metrics)):
        now[sa] = decayed(settings[0], metrics[sa]["value"], tick - metrics[sa]["tick"])
    return now


class DecayingMetrics:
    """The keeper half (``saactors.placement.rule.MetricKeeper``)."""

    __slots__ = ("_cost", "_count", "_metrics", "_settings", "_ticks")

    def __init__(self, parameters: MetricParameters, cost: CostModel) -> None:
        self._cost = cost
        self._settings = parameters.settings(cost)
        self._metrics = np.zeros(0, METRIC)
        self._count = 0
        self._ticks = 0

    @property
    def ticks(self) -> int:
        """Ticks so far."""
        return self._ticks

    def receive(self, sa_count: int, /) -> None:
        """SAs up to ``sa_count`` are known; the new ones start with the initial metric."""
        if sa_count > self._count:
            self._metrics = grown(self._metrics, sa_count)
            self._metrics[self._count : sa_count] = (self._settings["initial"][0], self._ticks)
            self._count = sa_count

    def observe(self, packets: Packets, /) -> None:
        """Count the burst's packets in order; writes ``packets["metric"]`` after each."""
        observe_burst(self._metrics, self._settings, packets, self._ticks)

    def tick(self) -> None:
        """One period has passed."""
        self._ticks += 1

    def cached(self, sa: int, /) -> None:
        """The SA has entered the card's cache: the bonus is its."""
        add(self._metrics, self._settings[0], sa, self._settings["bonus"][0], self._ticks)

    def metrics(self) -> npt.NDArray[np.float64]:
        """The metric of every SA as of now: a copy."""
        return metrics_now(self._metrics[: self._count], self._settings, self._ticks)

    def metrics_of(self, sas: npt.NDArray[np.int64], /) -> npt.NDArray[np.float64]:
        """The metrics of some SAs as of now."""
        return metrics_now(self._metrics[sas], self._settings, self._ticks)

    def candidates(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float64]]:
        """SAs, ascending, whose metric reaches the threshold, and those metrics."""
        metrics = self.metrics()
        sas = np.flatnonzero((metrics >= self._settings["threshold"][0]) & (metrics > 0))
        return sas.astype(np.int32), metrics[sas]

    def follow(self, parameters: RuleParameters, /) -> None:
        """Go on by other parameters, from the metrics as they stand."""
        settings = metric_parameters(parameters).settings(self._cost)
        self._metrics["value"][: self._count] = self.metrics()
        self._metrics["tick"][: self._count] = self._ticks
        self._settings = settings


def metric_parameters(parameters: RuleParameters) -> MetricParameters:
    """The parameters, if they are this rule's."""
    if not isinstance(parameters, MetricParameters):
        raise ParameterError("parameters", type(parameters).__name__, "those of the metric rule")
    return parameters
