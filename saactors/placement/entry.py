"""What the table of rules knows of each: for people, and to build it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from saactors.placement.cost import CostModel
from saactors.placement.functions import RuleFunctions
from saactors.placement.parameters import MetricParameters
from saactors.placement.policy import Policy, Room, policy_functions
from saactors.placement.policy_arbiter import PolicyArbiter
from saactors.placement.policy_parameters import PolicyParameters
from saactors.placement.rule import MetricKeeper, SteerableArbiter
from saactors.placement.unmeasured import NoMetrics


class Parameter(NamedTuple):
    """A parameter of a rule, for people."""

    name: str
    unit: str
    default: str
    why: str  # the reason for that default


@dataclass(frozen=True, slots=True)
class RuleEntry:
    """What the table knows of a rule.

    ``build`` makes its halves from parameters, card slots, ``loads_outstanding_max`` and costs.
    """

    summary: str  # what it does, in two lines
    source: str  # where the idea is from
    parameters_type: type[MetricParameters | PolicyParameters]
    build: Callable[[Any, int, int, CostModel], tuple[MetricKeeper, SteerableArbiter]]
    functions: RuleFunctions  # what both halves call, for a driver of whole traces
    clairvoyant: bool = False  # must know the trace: for the lab only, which tells it

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Its parameters, each with unit, default and the reason for the default."""
        return tuple(
            Parameter(
                field.name,
                field.metadata["unit"],
                "from the cost analysis" if field.default is None else str(field.default),
                field.metadata["why"],
            )
            for field in fields(self.parameters_type)
        )


def policy_entry(
    name: str,
    summary: str,
    source: str,
    policy: Policy,
    parameters_type: type[PolicyParameters] = PolicyParameters,
    room: Room = Room(),  # noqa: B008 - immutable
    *,
    clairvoyant: bool = False,
) -> RuleEntry:
    """The entry of a rule that is a policy: its metric, if any, is the arbiter's own affair."""
    functions = policy_functions(name, policy, room)

    def build(
        parameters: PolicyParameters, card_slots: int, loads_outstanding_max: int, cost: CostModel
    ) -> tuple[MetricKeeper, SteerableArbiter]:
        arbiter = PolicyArbiter(functions, parameters, cost, card_slots, loads_outstanding_max)
        return NoMetrics(parameters_type), arbiter

    return RuleEntry(summary, source, parameters_type, build, functions.rule, clairvoyant)
