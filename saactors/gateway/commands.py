"""The commands of the control socket, answered: one handler per name, in one table.

Arguments come checked by the schema (``control.schema``), answers are plain values as
``control.answers`` has them. The HTTP API asks the same commands, as far as they change nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from nicmodel.profile import CardProfile
from saactors.errors import ControlError
from saactors.gateway import status as views
from saactors.gateway.control.arguments import (
    Arguments,
    ListSas,
    MovesOf,
    NameSa,
    ResizeCard,
    SetRule,
)
from saactors.gateway.control.schema import read_arguments
from saactors.gateway.explanation import explain
from saactors.gateway.gateway import Gateway
from saactors.gateway.policy_commands import add_policy, delete_policy, list_policies
from saactors.gateway.sa_commands import add_sa, delete_sa, import_sas, pin_sa
from saactors.gateway.sa_views import SaViews
from saactors.model.burst import ResetCommand
from saactors.observe.events import CardResized
from saactors.placement.table import RULES

Handler = Callable[[Gateway, Any], Awaitable[dict[str, Any]]]

_RESIDENTS_SHOWN: Final = 1000


async def answer(gateway: Gateway, command: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Answer a command.

    Raises:
        ControlError: there is no such command, or its arguments are wrong.
        SaactorsError: the gateway cannot do that.
    """
    arguments = read_arguments(command, given)
    handler = HANDLERS.get(command)
    if handler is None:
        expected = "a connection to the control socket, where events can follow"
        raise ControlError(command, "a single call", expected)
    return await handler(gateway, arguments)


async def _status(gateway: Gateway, _arguments: Arguments) -> dict[str, Any]:
    told = views.status(
        gateway.parts,
        ready=gateway.ready,
        draining=gateway.draining,
        started_epoch_ns=gateway.started_epoch_ns,
        attached=gateway.attached,
    )
    return {**told, "events_lost": gateway.events_lost}


async def _list_sas(gateway: Gateway, arguments: ListSas) -> dict[str, Any]:
    return SaViews(gateway.parts).list(**arguments.model_dump())


async def _show_sa(gateway: Gateway, arguments: NameSa) -> dict[str, Any]:
    known = gateway.find(arguments.spi, arguments.destination)
    return SaViews(gateway.parts).details(known)


async def _explain(gateway: Gateway, arguments: NameSa) -> dict[str, Any]:
    return explain(gateway.parts, gateway.find(arguments.spi, arguments.destination))


async def _show_rule(gateway: Gateway, _arguments: Arguments) -> dict[str, Any]:
    steered = gateway.parts.steered
    analysis = steered.plan.parameters.analysis(gateway.parts.system.rule.cost)
    return {
        "name": steered.plan.name,
        "parameters": views.plain_parameters(steered.plan.parameters),
        "analysis": None if analysis is None else "\n".join(analysis.lines()),
        "rules": [name for name, entry in RULES.items() if not entry.clairvoyant],
    }


async def _set_rule(gateway: Gateway, arguments: SetRule) -> dict[str, Any]:
    await gateway.change_rule(arguments.name, dict(arguments.parameters))
    return await _show_rule(gateway, arguments)


async def _show_card(gateway: Gateway, _arguments: Arguments) -> dict[str, Any]:
    parts = gateway.parts
    metrics = SaViews(parts).metrics()
    residents = [sa for sa in parts.system.card.residents().tolist() if parts.sas.at(sa)]
    residents.sort(key=lambda sa: (-metrics[sa], sa))
    return {
        **views.card_status(parts),
        "figures": _figures(parts.profile),
        "resident_sas": [
            {"sa": sa, "spi": parts.system.spi_of(sa), "metric": float(metrics[sa])}
            for sa in residents[:_RESIDENTS_SHOWN]
        ],
    }


def _figures(profile: CardProfile) -> dict[str, Any]:
    shown = views.plain_parameters(profile)
    shown.pop("sources", None)
    return shown


async def _reset_card(gateway: Gateway, _arguments: Arguments) -> dict[str, Any]:
    forgotten = gateway.parts.system.card.resident_count
    await gateway.instruct(lambda _tick, _now_ns: gateway.steering.wants(ResetCommand()))
    return {"forgotten": forgotten}


async def _resize_card(gateway: Gateway, arguments: ResizeCard) -> dict[str, Any]:
    parts, slots = gateway.parts, arguments.slots
    if slots > parts.profile.slots_max:
        expected = f"1 to {parts.profile.slots_max}, which the card {parts.profile.name} has"
        raise ControlError("card.resize: slots", str(slots), expected)
    await gateway.instruct(lambda tick, now_ns: parts.steered.resize(slots, tick, now_ns))
    emit = parts.system.emitters["run"]
    if emit.wants(CardResized):
        emit(CardResized(parts.clock.now_ns(), slots))
    return {"slots": slots}


async def _moves(gateway: Gateway, arguments: MovesOf) -> dict[str, Any]:
    return {"rows": [move._asdict() for move in gateway.parts.moves.latest(arguments.limit)]}


async def _history(gateway: Gateway, _arguments: Arguments) -> dict[str, Any]:
    points = gateway.parts.rates.points
    names = ("time_ns", "software_packets", "nic_packets", "bypass_packets", "dropped_packets")
    return {
        "width_ns": 1_000_000_000,
        "points": [
            {name: getattr(point, name) for name in (*names, "residents", "loads")}
            for point in points
        ],
    }


HANDLERS: Final[Mapping[str, Handler]] = MappingProxyType(
    {
        "status": _status,
        "sa.list": _list_sas,
        "sa.show": _show_sa,
        "explain": _explain,
        "rule.show": _show_rule,
        "card.show": _show_card,
        "policy.list": list_policies,
        "moves": _moves,
        "history": _history,
        "sa.add": add_sa,
        "sa.delete": delete_sa,
        "sa.import": import_sas,
        "sa.pin": pin_sa,
        "policy.add": add_policy,
        "policy.delete": delete_policy,
        "rule.set": _set_rule,
        "card.reset": _reset_card,
        "card.resize": _resize_card,
    }
)
