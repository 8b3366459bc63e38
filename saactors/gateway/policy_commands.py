"""``policy add``, ``delete`` and ``list``: the SPD, changed between two bursts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from saactors.errors import ControlError
from saactors.gateway.control.arguments import AddPolicy, Arguments, DeletePolicy, TrafficOfSa
from saactors.model.selector import ANY_PORT
from saactors.scenario.tables import Policy

if TYPE_CHECKING:
    from saactors.gateway.gateway import Gateway


async def list_policies(gateway: Gateway, _arguments: Arguments) -> dict[str, Any]:
    """The SPD, in the order in which it is searched."""
    entries = gateway.parts.sas.policies.entries
    return {"rows": [_row(number, policy) for number, policy in enumerate(entries)]}


async def add_policy(gateway: Gateway, arguments: AddPolicy) -> dict[str, Any]:
    """Add a policy at the end, or before another."""
    policy = policy_of(gateway, arguments, arguments.action, arguments.sa, arguments.peer)
    sas = gateway.parts.sas
    number = sas.policies.add(policy, arguments.before)
    sas.lead()
    return {"number": number}


async def delete_policy(gateway: Gateway, arguments: DeletePolicy) -> dict[str, Any]:
    """Delete a policy; those behind it move up."""
    sas = gateway.parts.sas
    sas.policies.delete(arguments.number)
    sas.lead()
    return {"number": arguments.number}


def policy_of(
    gateway: Gateway, traffic: TrafficOfSa, action: str, sa: int | str | None, peer: object
) -> Policy:
    """The policy that these arguments mean; ``sa`` is an outbound SA's name or SPI.

    Raises:
        ControlError: ``protect`` without an SA, or another action with one.
    """
    protects = action == "protect"
    if protects != (sa is not None or peer is not None):
        expected = "sa or peer" if protects else f"neither sa nor peer, for {action}"
        raise ControlError("policy.add", f"action {action}", expected)
    if sa is not None and peer is not None:
        raise ControlError("policy.add", "sa and peer", "one of them")
    if isinstance(sa, int):
        known = gateway.find(sa)
        if known.direction != "out":
            raise ControlError("policy.add: sa", f"{sa:#010x}, inbound", "an outbound SA")
        sa = known.name
    given = traffic.model_dump(exclude_unset=True, exclude={"before", "action", "sa", "peer"})
    fields = {**given, "action": action, "sa": sa, "peer": peer}
    return Policy.model_construct(**fields)  # checked already, by the arguments' own types


def _row(number: int, policy: Policy) -> dict[str, Any]:
    return {
        "number": number,
        "action": policy.action,
        "source": _any(policy.source),
        "destination": _any(policy.destination),
        "protocol": _any(policy.protocol),
        "source_ports": _ports(policy.source_ports),
        "destination_ports": _ports(policy.destination_ports),
        "sa": policy.sa,
        "peer": None if policy.peer is None else str(policy.peer),
    }


def _any(value: object) -> str:
    return "any" if value is None else str(value)


def _ports(ports: tuple[int, int]) -> str:
    if ports == ANY_PORT:
        return "any"
    first, last = ports
    return str(first) if first == last else f"{first}-{last}"
