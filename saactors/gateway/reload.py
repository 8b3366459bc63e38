"""SIGHUP: the gateway's file is read again; what can be applied is, what cannot is named.

    applied          policies, [[sas]] (added, deleted, replaced where key or form differ), [rule]
    needs a restart  [gateway], [[ports]], [card], [host], [web], [follow_keys], the replay window

SAs that came otherwise (``sa add``, ``sa import``, a followed key file) are left alone. A file that
cannot be read, or is wrong, changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from saactors.errors import SaactorsError
from saactors.gateway.gateway import Gateway
from saactors.gateway.sa_commands import take_in
from saactors.scenario.gateway_tables import Live
from saactors.scenario.load import load_gateway
from saactors.scenario.sa_tables import association_of
from saactors.scenario.tables import GivenSa

_FIXED: Final = ("gateway", "ports", "card", "host", "web", "follow_keys", "replay_window", "seed")


@dataclass(slots=True)
class Reloaded:
    """What came of it: sentences."""

    applied: list[str] = field(default_factory=list)
    not_applied: list[str] = field(default_factory=list)


async def reload(gateway: Gateway, path: str) -> Reloaded:
    """Read the file again and apply what can be applied.

    Raises:
        ScenarioError: the file is wrong; nothing has changed.
    """
    new, old = load_gateway(path), gateway.parts.file
    told = Reloaded()
    for name in _FIXED:
        if getattr(new, name) != getattr(old, name):
            told.not_applied.append(f"{name} has changed, which needs a restart")
    in_force = await _apply_sas(gateway, old, new, told)
    sas = gateway.parts.sas
    if new.policies != old.policies:
        sas.policies.replace(new.policies)
        sas.lead()
        count = len(new.policies)
        told.applied.append("1 policy" if count == 1 else f"{count} policies")
    if (new.rule_name, new.rule_parameters) != (old.rule_name, old.rule_parameters):
        await _apply_rule(gateway, new, told)
    kept: dict[str, object] = {name: getattr(old, name) for name in _FIXED}
    del kept["replay_window"]  # which is what the SAs say
    gateway.parts.file = new.model_copy(update={**kept, "sas": in_force})
    return told


async def _apply_sas(gateway: Gateway, old: Live, new: Live, told: Reloaded) -> tuple[GivenSa, ...]:
    """Delete and add; returns those of the file that are there now, for the next reload."""
    stay = {sa.name for sa in old.sas if sa in new.sas}
    gone = [sa for sa in old.sas if sa.name not in stay]
    wanted = [sa for sa in new.sas if sa.name not in stay]
    ours = {(sa.name, sa.spi, sa.direction) for sa in gone}
    known = [each for each in gateway.parts.sas if (each.name, each.spi, each.direction) in ours]
    in_force = tuple(sa for sa in new.sas if sa.name in stay)
    try:
        await gateway.delete(known, "asked")
        take_in(gateway, _associations(wanted, new))
    except SaactorsError as problem:
        told.not_applied.append(f"[[sas]]: {problem}")
        return in_force
    if gone or wanted:
        told.applied.append(f"SAs: {len(wanted)} added, {len(gone)} deleted")
    return new.sas


def _associations(wanted: Sequence[GivenSa], file: Live) -> list[Any]:
    places = {sa.name: number for number, sa in enumerate(file.sas)}
    return [
        (sa.name, sa.direction, association_of(sa, places[sa.name], file.seed or 0))
        for sa in wanted
    ]


async def _apply_rule(gateway: Gateway, new: Live, told: Reloaded) -> None:
    name = new.rule_name or "metric"
    await gateway.change_rule(name, new.rule_parameters)
    told.applied.append(f"the rule {name}")
