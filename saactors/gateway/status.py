"""``status``: the whole gateway at a glance; every packet that came in is in it once (law 1)."""

from __future__ import annotations

import os
from typing import Any

import trio

from saactors import __version__
from saactors.gateway.parts import Parts
from saactors.gateway.sa_views import SaViews
from saactors.model.burst import Component
from saactors.model.verdicts import Verdict
from saactors.topology import edges

_RING_FULL = Verdict.RX_RING_FULL.label
_TOO_LONG = Verdict.PACKET_TOO_LONG.label  # for a port's slot
_NO_PORT = Verdict.NO_PORT.label
_SEND_REFUSED = Verdict.SEND_REFUSED.label


def packet_totals(parts: Parts) -> dict[str, Any]:
    """Packets since the start: in = out + in flight + dropped."""
    leave = parts.system.leave
    ports = [port.statistics() for port in parts.ports]
    dropped = dict(leave.drops)
    for reason, count in (
        (_RING_FULL, sum(port["ring_dropped"] for port in ports)),
        (_TOO_LONG, sum(port["truncated"] for port in ports)),
        (_NO_PORT, parts.outgoing.no_port),
        (_SEND_REFUSED, sum(port["send_refused"] for port in ports)),
    ):
        if count:
            dropped[reason] = dropped.get(reason, 0) + count
    received = sum(
        port["received_packets"] + port["ring_dropped"] + port["truncated"] for port in ports
    )
    sent = sum(port["sent_packets"] for port in ports) - parts.outgoing.icmp_sent
    return {
        "in_packets": received,
        "out_packets": sent,
        "in_flight_packets": received - sent - sum(dropped.values()),
        "software_packets": leave.packets[Component.SOFTWARE],
        "nic_packets": leave.packets[Component.NIC],
        "bypass_packets": leave.packets[Component.NONE],
        "software_bytes": leave.bytes[Component.SOFTWARE],
        "nic_bytes": leave.bytes[Component.NIC],
        "bypass_bytes": leave.bytes[Component.NONE],
        "dropped": dropped,
    }


def card_status(parts: Parts) -> dict[str, Any]:
    """The card, and what it has done."""
    card, news = parts.system.card, parts.system.placement_news
    counted = card.statistics()
    return {
        "profile": parts.profile.name,
        "slots_max": parts.steered.slots,
        "residents": card.resident_count,
        "loading": card.loads_outstanding,
        "pinned": parts.steered.pinned_count,
        "loads": counted.loads,
        "loads_refused": news.refused,
        "loads_lost": counted.lost,
        "evictions": counted.evictions,
        "resets": counted.resets,
        "engine_queue_packets": card.engine_queue_packets(max(parts.clock.now_ns(), 0)),
    }


def rule_status(parts: Parts) -> dict[str, Any]:
    """The rule in use."""
    parameters = parts.steered.plan.parameters
    return {
        "name": parts.steered.plan.name,
        "parameters": plain_parameters(parameters),
        "threshold": getattr(parameters, "threshold", None),
    }


def plain_parameters(parameters: object) -> dict[str, Any]:
    """A rule's parameters by name, as plain values."""
    names = getattr(parameters, "__dataclass_fields__", {})
    return {name: _plain(getattr(parameters, name)) for name in names}


def status(
    parts: Parts, *, ready: bool, draining: bool, started_epoch_ns: int, attached: list[Any]
) -> dict[str, Any]:
    """The answer to ``status``."""
    return {
        "version": __version__,
        "name": parts.file.gateway.name,
        "pid": os.getpid(),
        "started_epoch_ns": started_epoch_ns,
        "uptime_ns": parts.clock.now_ns(),
        "ready": ready,
        "draining": draining,
        "tasks": trio.lowlevel.current_statistics().tasks_living,
        "rule": rule_status(parts),
        "card": card_status(parts),
        "packets": packet_totals(parts),
        "edges": _edges(parts),
        "ports": [_port(parts, number) for number in range(len(parts.ports))],
        "sas": SaViews(parts).counts(),
        "attached": [
            {
                "id": each.number,
                "kinds": sorted(kind.kind for kind in each.kinds),
                "events_sent": each.sent,
                "events_lost": each.lost,
            }
            for each in attached
        ],
        "events_lost": 0,
    }


def _edges(parts: Parts) -> list[dict[str, Any]]:
    told = []
    for edge in edges(parts.profile, parts.system.software_workers):
        gauge = parts.system.gauges.get(edge.name)
        if gauge is None:
            continue
        told.append(
            {
                "name": edge.name,
                "source": edge.source,
                "target": edge.target,
                "carries": edge.carries,
                "capacity": gauge.capacity or None,
                "queued": gauge.queued,
                "high_water": gauge.high_water,
                "sent": gauge.sent,
                "waits": gauge.waits,
                "waited_ns": gauge.waited_ns,
            }
        )
    return told


def _port(parts: Parts, number: int) -> dict[str, Any]:
    port = parts.ports[number]
    counted = port.statistics()
    shown = (
        "received_packets",
        "received_bytes",
        "sent_packets",
        "sent_bytes",
        "ring_dropped",
        "send_refused",
    )
    return {
        "name": port.name,
        "kind": port.kind,
        "side": port.side,
        "detail": port.detail,
        **{name: counted[name] for name in shown},
    }


def _plain(value: object) -> object:
    return value if isinstance(value, bool | int | float | str) or value is None else str(value)
