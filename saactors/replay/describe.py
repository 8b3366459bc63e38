"""SAs and streams in words: for events and the list of the hottest."""

from __future__ import annotations

import numpy as np

from saactors.esp.association import address_of
from saactors.esp.suites import SUITES
from saactors.model.sa import Mode
from saactors.observe.events import SaAdded
from saactors.replay.options import ReplayOptions
from saactors.replay.security import Security


def describe_sa(security: Security, sa: int, options: ReplayOptions, now_ns: int) -> SaAdded:
    """The event that tells of an SA, without its keys."""
    record = security.sas.records[sa]
    return SaAdded(
        now_ns,
        sa,
        int(record["spi"]),
        SUITES[record["suite"]].name,
        "tunnel" if record["mode"] == Mode.TUNNEL else "transport",
        options.direction,
        str(address_of(int(record["source_high"]), int(record["source_low"]))),
        str(address_of(int(record["destination_high"]), int(record["destination_low"]))),
    )


def stream_of(security: Security, sa: int) -> tuple[str, str]:
    """Source and destination of what the SA carries: of its stream where it was made for one."""
    known = security.streams
    places = np.flatnonzero(known["sa_number"] == sa + 1)
    record = known[places[0]] if len(places) else security.sas.records[sa]
    source = str(address_of(int(record["source_high"]), int(record["source_low"])))
    destination = str(address_of(int(record["destination_high"]), int(record["destination_low"])))
    if len(places) and record["ports"]:
        source_port, destination_port = int(record["ports"]) >> 16, int(record["ports"]) & 0xFFFF
        return _with_port(source, source_port), _with_port(destination, destination_port)
    return source, destination


def _with_port(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
