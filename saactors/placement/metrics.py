"""The metric rule's keeper half: what each SA has earned lately (claims 1, 7 to 10, 43, 44).

    received    metric = initial
    packet      metric + increment * weight of the packet
    cached      metric + bonus
    each tick   metric * factor, or metric - amount but not below 0

A metric is kept as of the tick at which it last changed and worked out from there when it is
needed, so a tick costs nothing however many SAs there are: 16 bytes and O(1) per packet.
"""

from __future__ import annotations

from typing import Final, NamedTuple

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


class Kept(NamedTuple):
    """The arrays of the keeper half."""

    metrics: npt.NDArray[np.void]  # (SAs,) of METRIC
    settings: npt.NDArray[np.void]  # (1,) of SETTINGS


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
def receive_sas(kept: Kept, first: int, stop: int, tick: int) -> None:
    """SAs ``first`` to ``stop`` start with the initial metric."""
    for sa in range(first, stop):
        kept.metrics[sa]["value"] = kept.settings[0]["initial"]
        kept.metrics[sa]["tick"] = tick


@compiled
def observe_burst(kept: Kept, packets: Packets, tick: int) -> None:
    """Count each packet that passed and has an SA; writes its ``metric``."""
    metrics = kept.metrics
    rule = kept.settings[0]
    for row in range(len(packets)):
        packet = packets[row]
        sa = packet["sa"]
        if sa >= 0 and packet["verdict"] == PASSED:
            packet["metric"] = add(metrics, rule, sa, earned(rule, packet["length_bytes"]), tick)


@compiled
def add_bonus(kept: Kept, sa: int, tick: int) -> None:
    """The SA has entered the card's cache."""
    rule = kept.settings[0]
    add(kept.metrics, rule, sa, rule["bonus"], tick)


@njit(cache=True)
def metrics_now(
    metrics: npt.NDArray[np.void], settings: npt.NDArray[np.void], tick: int
) -> npt.NDArray[np.float64]:
    """The metric of each SA as of ``tick``."""
    now = np.empty(len(metrics), np.float64)
    for sa in range(len(metrics)):
        now[sa] = decayed(settings[0], metrics[sa]["value"], tick - metrics[sa]["tick"])
    return now


@njit(cache=True)
def candidates_now(
    kept: Kept, sa_count: int, tick: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float64]]:
    """SAs, ascending, whose metric reaches the threshold, and those metrics."""
    metrics = metrics_now(kept.metrics[:sa_count], kept.settings, tick)
    sas = np.flatnonzero((metrics >= kept.settings[0]["threshold"]) & (metrics > 0))
    return sas.astype(np.int32), metrics[sas]


class DecayingMetrics:
    """The keeper half (``saactors.placement.rule.MetricKeeper``)."""

    __slots__ = ("_cost", "_count", "_kept", "_ticks")

    def __init__(self, parameters: MetricParameters, cost: CostModel) -> None:
        self._cost = cost
        self._kept = Kept(np.zeros(0, METRIC), parameters.settings(cost))
        self._count = 0
        self._ticks = 0

    @property
    def ticks(self) -> int:
        """Ticks so far."""
        return self._ticks

    @property
    def state(self) -> Kept:
        """The arrays, for the compiled functions."""
        return self._kept

    def make_room(self, sas_max: int, /) -> None:
        """Let the arrays be long enough for that many SAs, without receiving any."""
        self._kept = self._kept._replace(metrics=grown(self._kept.metrics, sas_max))

    def receive(self, sa_count: int, /) -> None:
        """SAs up to ``sa_count`` are known; the new ones start with the initial metric."""
        if sa_count > self._count:
            self.make_room(sa_count)
            receive_sas(self._kept, self._count, sa_count, self._ticks)
            self._count = sa_count

    def forget(self, sa: int, /) -> None:
        """The SA has been deleted: whoever has its index next starts with the initial metric."""
        assert sa < self._count
        receive_sas(self._kept, sa, sa + 1, self._ticks)

    def observe(self, packets: Packets, /) -> None:
        """Count the burst's packets in order; writes ``packets["metric"]`` after each."""
        observe_burst(self._kept, packets, self._ticks)

    def tick(self) -> None:
        """One period has passed."""
        self._ticks += 1

    def cached(self, sa: int, /) -> None:
        """The SA has entered the card's cache: the bonus is its."""
        add_bonus(self._kept, sa, self._ticks)

    def metrics(self) -> npt.NDArray[np.float64]:
        """The metric of every SA as of now: a copy."""
        return metrics_now(self._kept.metrics[: self._count], self._kept.settings, self._ticks)

    def metrics_of(self, sas: npt.NDArray[np.int64], /) -> npt.NDArray[np.float64]:
        """The metrics of some SAs as of now."""
        return metrics_now(self._kept.metrics[sas], self._kept.settings, self._ticks)

    def candidates(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float64]]:
        """SAs, ascending, whose metric reaches the threshold, and those metrics."""
        return candidates_now(self._kept, self._count, self._ticks)

    def follow(self, parameters: RuleParameters, /) -> None:
        """Go on by other parameters, from the metrics as they stand."""
        settings = metric_parameters(parameters).settings(self._cost)
        self._kept.metrics["value"][: self._count] = self.metrics()
        self._kept.metrics["tick"][: self._count] = self._ticks
        self._kept = self._kept._replace(settings=settings)


def metric_parameters(parameters: RuleParameters) -> MetricParameters:
    """The parameters, if they are this rule's."""
    if not isinstance(parameters, MetricParameters):
        raise ParameterError("parameters", type(parameters).__name__, "those of the metric rule")
    return parameters
