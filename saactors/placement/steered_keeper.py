"""A keeper half whose rule can be exchanged while it works: the other half of ``steered``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from saactors.placement.plan import RulePlan
from saactors.placement.rule import Packets, RuleParameters


class SteeredKeeper:
    """The keeper half of a rule that can be exchanged (``rule.MetricKeeper``)."""

    __slots__ = ("_known", "_plan", "inner", "observe")

    observe: Callable[[Packets], None]
    """As ``MetricKeeper.observe``; the rule's own, so read it anew for each burst."""

    def __init__(self, plan: RulePlan) -> None:
        """Pass on to a keeper of that rule that knows no SA yet."""
        self._plan = plan
        self._known = 0
        self.inner = plan.keeper(0)
        self.observe = self.inner.observe

    def go_on_by(self, plan: RulePlan) -> None:
        """Follow other parameters of the same rule, or exchange the rule.

        Another rule's keeper has just received all SAs, and has counted no tick.
        """
        if plan.is_of(self._plan):
            self.follow(plan.parameters)
            return
        self._plan = plan
        self.inner = plan.keeper(self._known)
        self.observe = self.inner.observe

    @property
    def state(self) -> Any:  # noqa: ANN401 - each rule has arrays of its own
        """The arrays of the rule's own."""
        return self.inner.state

    @property
    def ticks(self) -> int:
        """Ticks that the rule has seen so far."""
        return self.inner.ticks

    def make_room(self, sas_max: int, /) -> None:
        """Let the arrays be long enough for that many SAs, without receiving any."""
        self.inner.make_room(sas_max)

    def receive(self, sa_count: int, /) -> None:
        """The agent now has ``sa_count`` SAs; the new ones start with the initial metric."""
        if sa_count > self._known:
            self._known = sa_count
            self.inner.receive(sa_count)

    def forget(self, sa: int, /) -> None:
        """The SA has been deleted; its index may be another's next, with the initial metric."""
        if sa < self._known:  # else no burst has come since it was added
            self.inner.forget(sa)

    def tick(self) -> None:
        """One period has passed."""
        self.inner.tick()

    def cached(self, sa: int, /) -> None:
        """The SA has entered the card's cache."""
        self.inner.cached(sa)

    def metrics(self) -> npt.NDArray[np.float64]:
        """The metric of every SA as of now: a copy."""
        return self.inner.metrics()

    def metrics_of(self, sas: npt.NDArray[np.int64], /) -> npt.NDArray[np.float64]:
        """The metrics of some SAs as of now."""
        return self.inner.metrics_of(sas)

    def candidates(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float64]]:
        """SAs, ascending, whose metric could earn a load, and those metrics."""
        return self.inner.candidates()

    def follow(self, parameters: RuleParameters, /) -> None:
        """Go on by other parameters of the same rule, from the metrics as they stand."""
        self.inner.follow(parameters)
        self._plan = self._plan.following(parameters)
