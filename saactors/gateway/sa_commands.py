"""``sa add``, ``delete``, ``import`` and ``pin``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import trio

from saactors.errors import ParameterError
from saactors.esp.association import Association
from saactors.esp.sa_formats.dpdk import Direction
from saactors.gateway.control.arguments import AddSa, ImportSas, NameSa, PinSa
from saactors.gateway.live_sa import LiveSa
from saactors.gateway.policy_commands import policy_of
from saactors.gateway.sa_views import SaViews
from saactors.model.sa import Mode
from saactors.observe.events import SaAdded, SaPinned
from saactors.scenario.sa_files import sas_in

if TYPE_CHECKING:
    from saactors.gateway.gateway import Gateway

_AT_ONCE: Final = 200  # SAs that are added between two bursts: some ten milliseconds
_MODES: Final = {"tunnel": Mode.TUNNEL, "transport": Mode.TRANSPORT}


async def add_sa(gateway: Gateway, arguments: AddSa) -> dict[str, Any]:
    """Add an SA, and policies for its traffic."""
    association = Association(
        spi=arguments.spi,
        suite=arguments.suite,
        key=arguments.key.get_secret_value() if arguments.key else b"",
        integrity_key=(
            arguments.integrity_key.get_secret_value() if arguments.integrity_key else b""
        ),
        mode=_MODES[arguments.mode],
        source=arguments.source,
        destination=arguments.destination,
        source_port=arguments.source_port or 0,
        destination_port=arguments.destination_port or 0,
        extended_sequence=arguments.extended_sequence,
        first_sequence=arguments.first_sequence,
    )
    name = arguments.name or f"sa-{arguments.spi:08x}"
    if arguments.policies and arguments.direction == "in":
        raise ParameterError("policies", "policies of an inbound SA", "none: its SPI finds it")
    [known] = take_in(gateway, [(name, arguments.direction, association)])
    for traffic in arguments.policies:
        policy = policy_of(gateway, traffic, "protect", name, None)
        gateway.parts.sas.policies.add(policy, traffic.before)
    gateway.parts.sas.lead()
    return {"sa": known.sa, "spi": known.spi, "name": name}


async def delete_sa(gateway: Gateway, arguments: NameSa) -> dict[str, Any]:
    """Delete an SA, once what is under way with it has left."""
    known = gateway.find(arguments.spi, arguments.destination)
    await gateway.delete([known], "asked")
    return {"sa": known.sa, "spi": known.spi}


async def import_sas(gateway: Gateway, arguments: ImportSas) -> dict[str, Any]:
    """Add the SAs of a text; those that are there already under other keys are replaced."""
    text = arguments.text.get_secret_value()
    # In a thread: reading thousands of lines takes longer than packets should wait.
    found = await trio.to_thread.run_sync(
        sas_in, text, "the text", arguments.format, arguments.direction
    )
    others = [_same_place(gateway, association) for _, association in found]
    replaced = [other for other in others if other is not None]
    if replaced:
        await gateway.delete(replaced, "replaced")
    given = [(f"sa-{sa.spi:08x}", direction, sa) for direction, sa in found]
    refusals = gateway.parts.sas.refusals(given)
    wanted = [each for each, why in zip(given, refusals, strict=True) if why is None]
    for first in range(0, len(wanted), _AT_ONCE):
        take_in(gateway, wanted[first : first + _AT_ONCE])
        await trio.lowlevel.checkpoint()  # packets go on between them
    skipped = [
        {"what": f"{sa.spi:#010x} to {sa.destination}", "why": str(why)}
        for (_, _, sa), why in zip(given, refusals, strict=True)
        if why is not None
    ]
    added = len(given) - len(skipped)
    return {"added": added - len(replaced), "replaced": len(replaced), "skipped": skipped}


async def pin_sa(gateway: Gateway, arguments: PinSa) -> dict[str, Any]:
    """Keep an SA on the card or in software, or let the rule decide."""
    parts = gateway.parts
    known = gateway.find(arguments.spi, arguments.destination)

    def pin(tick: int, now_ns: int) -> None:
        parts.steered.receive(parts.sas.rows)  # no burst may have come since it was added
        parts.steered.pin(known.sa, arguments.where, tick, now_ns)
        emit = parts.system.emitters["run"]
        if emit.wants(SaPinned):
            emit(SaPinned(now_ns, known.sa, known.spi, arguments.where))

    await gateway.instruct(pin)
    row = SaViews(parts).row(known)
    return {name: row[name] for name in ("sa", "spi", "where", "pinned")}


def take_in(gateway: Gateway, given: list[tuple[str, Direction, Association]]) -> list[LiveSa]:
    """Add SAs while packets flow, and tell of them."""
    parts = gateway.parts
    added = parts.sas.add(given, parts.clock.now_ns(), parts.system.leave)
    emit = parts.system.emitters["run"]
    if emit.wants(SaAdded):
        for known, (_, direction, association) in zip(added, given, strict=True):
            told = SaAdded(
                parts.clock.now_ns(),
                known.sa,
                known.spi,
                known.suite,
                association.mode.name.lower(),
                direction,
                str(known.source),
                str(known.destination),
            )
            emit(told)
    return added


def _same_place(gateway: Gateway, association: Association) -> LiveSa | None:
    """The SA that has the same SPI and destination."""
    try:
        return gateway.find(association.spi, association.destination)
    except ParameterError:
        return None
