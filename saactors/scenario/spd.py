"""A scenario's policies as the entries of an SPD."""

from __future__ import annotations

from typing import Final

from saactors.model.selector import Action, Selector, Stream
from saactors.scenario.tables import Policy, Scenario, Template

ACTIONS: Final = {
    "protect": Action.PROTECT,
    "bypass": Action.BYPASS,
    "discard": Action.DISCARD,
}
_STREAMS: Final = {
    None: Stream.ENTRY,
    "flow": Stream.FLOW,
    "host-pair": Stream.HOST_PAIR,
    "subnet": Stream.SUBNET,
}


def spd_entries(scenario: Scenario) -> tuple[Selector, ...]:
    """The policies in order; targets count ``scenario.sas`` and ``templates(scenario)``."""
    sa_numbers = {sa.name: number for number, sa in enumerate(scenario.sas)}
    entries = []
    templates = 0
    for policy in scenario.policies:
        target = 0
        if policy.sa is not None:
            target = sa_numbers[policy.sa]
        elif policy.template is not None:
            target = templates
            templates += 1
        entries.append(_entry(policy, target))
    return tuple(entries)


def templates(scenario: Scenario) -> tuple[Template, ...]:
    """The templates of the policies that have SAs made on demand, in the policies' order."""
    return tuple(policy.template for policy in scenario.policies if policy.template is not None)


def _entry(policy: Policy, target: int) -> Selector:
    return Selector(
        source=policy.source,
        destination=policy.destination,
        protocol=policy.protocol,
        source_ports=policy.source_ports,
        destination_ports=policy.destination_ports,
        action=ACTIONS[policy.action],
        stream=_STREAMS[policy.sa_per],
        target=target,
    )
