"""Every placement rule by name: the one place that knows them all, and where to find others.

rule = make_rule("metric", {"decay": "factor:0.5"}, slots, loads_outstanding_max, cost)
rule.keeper.receive(sa_count), rule.arbiter.receive(sa_count)
rule.keeper.observe(packets)
decisions = rule.arbiter.decide(packets, rule.keeper.ticks, now_ns)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final

from saactors.errors import ParameterError
from saactors.placement.cost import CostModel, ThresholdAnalysis
from saactors.placement.entry import RuleEntry, policy_entry
from saactors.placement.first_come import FIRST_COME_FUNCTIONS, FirstComeArbiter
from saactors.placement.metric_arbiter import MetricArbiter
from saactors.placement.metric_decisions import METRIC_FUNCTIONS
from saactors.placement.metrics import DecayingMetrics
from saactors.placement.never import NEVER_FUNCTIONS, NeverArbiter
from saactors.placement.parameters import MetricParameters
from saactors.placement.policies.adaptive import ADAPTIVE, ROOM
from saactors.placement.policy_parameters import PolicyParameters
from saactors.placement.rivals import RIVALS
from saactors.placement.rule import CacheArbiter, MetricKeeper, RuleParameters, SteerableArbiter
from saactors.placement.unmeasured import NoMetrics
from saactors.placement.user_file import entry_in_file, is_in_file


def _metric(
    parameters: MetricParameters, card_slots: int, loads_outstanding_max: int, cost: CostModel
) -> tuple[MetricKeeper, SteerableArbiter]:
    return (
        DecayingMetrics(parameters, cost),
        MetricArbiter(parameters, cost, card_slots, loads_outstanding_max),
    )


def _never(
    _parameters: PolicyParameters, _card_slots: int, _loads_outstanding_max: int, _cost: CostModel
) -> tuple[MetricKeeper, SteerableArbiter]:
    return NoMetrics(PolicyParameters), NeverArbiter()


def _first_come(
    _parameters: PolicyParameters, card_slots: int, loads_outstanding_max: int, _cost: CostModel
) -> tuple[MetricKeeper, SteerableArbiter]:
    return NoMetrics(PolicyParameters), FirstComeArbiter(card_slots, loads_outstanding_max)


RULES: Final[Mapping[str, RuleEntry]] = MappingProxyType(
    {
        "metric": RuleEntry(
            "Loads an SA once its metric leads the lowest resident's by the threshold;\n"
            "packets and loads raise the metric, time lowers it.",
            "US 7,124,293, claims 1 to 10 and 41 to 44",
            MetricParameters,
            _metric,
            METRIC_FUNCTIONS,
        ),
        "never": RuleEntry(
            "Does all crypto in software and loads nothing;\n"
            "what the other rules save is counted from here.",
            "the host without a card",
            PolicyParameters,
            _never,
            NEVER_FUNCTIONS,
        ),
        "first-come": RuleEntry(
            "Installs each SA with its first packet until the card is full;\n"
            "nobody is ever moved, and who came too late stays in software for good.",
            "Linux xfrm device offload: net/xfrm/xfrm_device.c, ixgbe_ipsec.c",
            PolicyParameters,
            _first_come,
            FIRST_COME_FUNCTIONS,
        ),
        "adaptive": policy_entry(
            "adaptive",
            "The metric rule with memory and threshold learned: follows whichever of sixteen\n"
            "shadow rules would have saved most lately; loads nothing while none saves.",
            "ours: saactors/placement/policies/adaptive.py and shadows.py",
            ADAPTIVE,
            room=ROOM,
        ),
        **RIVALS,
    }
)


@dataclass(slots=True, eq=False)
class Rule:
    """Both halves of a rule, with what they were made from."""

    name: str
    keeper: MetricKeeper
    arbiter: CacheArbiter
    parameters: RuleParameters  # what the cost analysis decides filled in
    analysis: ThresholdAnalysis | None  # None for a rule without threshold
    cost: CostModel

    def follow(self, given: Mapping[str, object]) -> None:
        """Go on by other parameters; those not given take their defaults. Nothing else is lost.

        For whoever holds both halves. Actors that hold one each read the message with
        ``read_parameters`` and call their half's ``follow``.

        Raises:
            ParameterError: and nothing has changed.
        """
        parameters = read_parameters(self.name, given, self.cost)
        self.keeper.follow(parameters)
        self.arbiter.follow(parameters, self.keeper.ticks)
        self.parameters = parameters
        self.analysis = parameters.analysis(self.cost)


def read_parameters(name: str, given: Mapping[str, object], cost: CostModel) -> RuleParameters:
    """The parameters of the rule ``name``, what the cost analysis decides filled in.

    Raises:
        ParameterError: no such rule, no such parameter, or a value that it cannot have.
    """
    return rule_entry(name).parameters_type.from_mapping(given).resolved(cost)


def make_rule(
    name: str,
    given: Mapping[str, object],
    card_slots: int,
    loads_outstanding_max: int,
    cost: CostModel,
) -> Rule:
    """Both halves of the rule ``name`` for a card with that many slots and loads at once.

    Raises:
        ParameterError: no such rule, no such parameter, or a value that it cannot have.
    """
    if card_slots < 0:
        raise ParameterError("card_slots", card_slots, "0 or more")
    if loads_outstanding_max < 1:
        raise ParameterError("loads_outstanding_max", loads_outstanding_max, "1 or more")
    parameters = read_parameters(name, given, cost)
    keeper, arbiter = rule_entry(name).build(parameters, card_slots, loads_outstanding_max, cost)
    return Rule(name, keeper, arbiter, parameters, parameters.analysis(cost), cost)


def rule_entry(name: str) -> RuleEntry:
    """The rule of that name: one of ``RULES``, or of the user's own as ``FILE.py:NAME``.

    Raises:
        ParameterError: no such rule, or a file that does not hold one.
    """
    if is_in_file(name):
        return entry_in_file(name)
    if name not in RULES:
        close = get_close_matches(name, RULES, n=1)
        meant = f"; did you mean {close[0]}?" if close else ""
        raise ParameterError("rule", name, f"one of {', '.join(RULES)}{meant}")
    return RULES[name]
