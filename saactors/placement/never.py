"""The rule that never uses the card: what the others save is counted from here."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from saactors.model.compiled import compiled
from saactors.placement.functions import (
    NOTHING_KEPT,
    RuleFunctions,
    Unmeasured,
    cache_nothing,
    inherit_nothing,
    observe_nothing,
    receive_nothing,
    review_nothing,
)
from saactors.placement.policy_parameters import PolicyParameters
from saactors.placement.routing import ABSENT, SOFTWARE, Record, needs_crypto
from saactors.placement.rule import NOTHING_DECIDED, Decisions, Packets, RuleParameters
from saactors.placement.unmeasured import check_parameters


@compiled
def route_to_software(
    _arbiter: Record, packets: Packets, _commands: npt.NDArray[np.void], _tick: int, _now_ns: int
) -> tuple[int, int, int]:
    """Route every packet that needs crypto to software."""
    for row in range(len(packets)):
        if needs_crypto(packets[row]):
            packets[row]["route"] = SOFTWARE
    return 0, 0, 0


@compiled
def answer_nothing(_arbiter: Record, _sa: int, _tick: int, _loaded: bool) -> None:
    """Cannot happen: nothing was ever asked for."""


NEVER_FUNCTIONS: Final = RuleFunctions(
    receive_nothing,
    observe_nothing,
    cache_nothing,
    route_to_software,
    review_nothing,
    answer_nothing,
    inherit_nothing,
)


class NeverArbiter:
    """The arbiter half (``saactors.placement.rule.CacheArbiter``)."""

    __slots__ = ()

    @property
    def state(self) -> Unmeasured:
        """No arrays that count."""
        return NOTHING_KEPT

    @property
    def loads_outstanding(self) -> int:
        """None, ever."""
        return 0

    def receive(self, _sa_count: int, /) -> None:
        """Nothing is kept per SA."""

    def decide(self, packets: Packets, _tick: int, _now_ns: int, /) -> Decisions:
        """Route the burst's packets to software."""
        route_to_software(NOTHING_KEPT, packets, NOTHING_DECIDED.commands, 0, 0)
        return NOTHING_DECIDED

    def review(
        self,
        _sas: npt.NDArray[np.int32],
        _metrics: npt.NDArray[np.float64],
        _tick: int,
        _now_ns: int,
        /,
    ) -> Decisions:
        """Load none of them."""
        return NOTHING_DECIDED

    def inherit(self, _sa: int, _predecessor: int, _now_ns: int, /) -> None:
        """Nothing is kept per SA."""

    def loaded(self, sa: int, _tick: int, /) -> None:
        """Cannot happen."""
        raise AssertionError(f"the card loaded SA {sa}, which this rule never asked for")

    def failed(self, sa: int, _tick: int, /) -> None:
        """Cannot happen."""
        raise AssertionError(f"the card failed to load SA {sa}, which this rule never asked for")

    def reset(self) -> None:
        """There is nothing that the card could forget."""

    def evict(self, sa: int, /) -> None:
        """Cannot happen."""
        raise AssertionError(f"SA {sa} is not on the card, which this rule does not use")

    def forget(self, _sa: int, /) -> None:
        """Nothing is kept per SA."""

    def adopt(self, sa: int, _metric: float, _tick: int, _now_ns: int, /, *, loading: bool) -> None:
        """Cannot happen: there is never room."""
        where = "on its way to the card" if loading else "on the card"
        raise AssertionError(f"SA {sa} is {where}, which this rule does not use")

    def limit(self, _slots: int, _loads: int, /) -> None:
        """It uses none anyway."""

    @property
    def slots(self) -> int:
        """None, ever."""
        return 0

    def coldest(self) -> int:
        """Cannot happen."""
        raise AssertionError("no SA is on the card, which this rule does not use")

    def metric(self, _sa: int, /) -> float:
        """There is none."""
        return 0.0

    def loading(self) -> npt.NDArray[np.int32]:
        """None, ever."""
        return np.empty(0, np.int32)

    def residency(self, _sa: int, /) -> int:
        """ABSENT."""
        return ABSENT

    @property
    def resident_count(self) -> int:
        """None, ever."""
        return 0

    def residents(self) -> npt.NDArray[np.int32]:
        """None, ever."""
        return np.empty(0, np.int32)

    def lowest(self) -> tuple[int, float] | None:
        """No resident, so no lowest one."""
        return None

    def follow(self, parameters: RuleParameters, _tick: int, /) -> None:
        """Take note of parameters that say nothing."""
        check_parameters(parameters, PolicyParameters)
