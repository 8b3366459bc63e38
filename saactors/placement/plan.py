"""A rule that can be built: what is needed to let it take over in a system that runs.

The halves of a running rule are owned by two actors. To exchange the rule each makes its own half
from the same plan, when the change reaches it in its turn (``saactors.placement.change``):

    keeper actor     keeper.go_on_by(change.plan)                         a SteeredKeeper
    arbiter actor    arbiter.go_on_by(change.plan, change.tick, now_ns)   a SteeredArbiter
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numba.core.errors import NumbaError

from saactors.errors import ParameterError
from saactors.model.packets import PACKET
from saactors.placement.cost import CostModel
from saactors.placement.parameters import MetricParameters
from saactors.placement.rule import MetricKeeper, RuleParameters, SteerableArbiter
from saactors.placement.table import read_parameters, rule_entry
from saactors.placement.user_file import uncompilable


@dataclass(frozen=True, slots=True)
class RulePlan:
    """A rule of that name with those parameters, on a host with those costs."""

    name: str
    parameters: RuleParameters  # what the cost analysis decides filled in
    cost: CostModel

    def keeper(self, sa_count: int) -> MetricKeeper:
        """A keeper half that has just received ``sa_count`` SAs."""
        keeper, _ = rule_entry(self.name).build(self.parameters, 0, 1, self.cost)
        keeper.receive(sa_count)
        return keeper

    def arbiter(self, slots: int, loads_outstanding_max: int) -> SteerableArbiter:
        """An arbiter half for a card with so many slots and loads at once."""
        build = rule_entry(self.name).build
        return build(self.parameters, slots, loads_outstanding_max, self.cost)[1]

    @property
    def initial_metric(self) -> float:
        """What the keeper half gives an SA that it has just received."""
        return self.parameters.initial if isinstance(self.parameters, MetricParameters) else 0.0

    def following(self, parameters: RuleParameters) -> RulePlan:
        """The same rule with other parameters."""
        return replace(self, parameters=parameters)

    def is_of(self, other: RulePlan) -> bool:
        """Whether both are of the same rule, so that parameters are all that differs."""
        return self.name == other.name and type(self.parameters) is type(other.parameters)

    def compile(self) -> None:
        """Compile all that the halves call, so that no packet has to wait for it.

        Takes a while for a rule that this machine has never run: call it from a thread of its own,
        before the change is sent.

        Raises:
            ParameterError: Numba cannot compile the rule.
        """
        try:
            keeper, arbiter = self.keeper(2), self.arbiter(1, 1)
            packets = np.zeros(0, PACKET)
            keeper.observe(packets)
            keeper.cached(0)
            keeper.metrics()
            keeper.forget(0)
            arbiter.receive(2)
            arbiter.decide(packets, 0, 0)
            arbiter.review(*keeper.candidates(), 0, 0)
            arbiter.inherit(0, 1, 0)
            if arbiter.slots:
                arbiter.adopt(0, 0.0, 0, 0, loading=True)
                arbiter.loaded(0, 0)
                arbiter.metric(arbiter.coldest())
                arbiter.evict(0)
                arbiter.forget(0)
                arbiter.limit(0, 1)
                arbiter.limit(1, 1)
            arbiter.reset()
        except NumbaError as problem:
            raise uncompilable(self.name, problem) from problem


def plan_rule(name: str, given: Mapping[str, object], cost: CostModel) -> RulePlan:
    """The plan of the rule ``name`` with ``given`` parameters, the others at their defaults.

    Raises:
        ParameterError: no such rule, a parameter that it cannot have, or a rule that must know the
            traffic beforehand.
    """
    if rule_entry(name).clairvoyant:
        raise ParameterError("rule", name, "one that need not know the traffic beforehand")
    return RulePlan(name, read_parameters(name, given, cost), cost)


def make_arbiter(
    name: str, given: Mapping[str, object], slots: int, loads_outstanding_max: int, cost: CostModel
) -> SteerableArbiter:
    """The arbiter half alone of the rule ``name``.

    Raises:
        ParameterError: no such rule, or a parameter that it cannot have.
    """
    return plan_rule(name, given, cost).arbiter(slots, loads_outstanding_max)
