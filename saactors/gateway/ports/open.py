"""Ports by kind, as a gateway's file describes them: the one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from saactors.gateway.ports.capture import open_played
from saactors.gateway.ports.open_sockets import open_esp, open_packet, open_udp
from saactors.gateway.ports.port import Port
from saactors.gateway.ports.sockets import RECEIVE_BUFFER_BYTES
from saactors.gateway.ports.tun import open_tun
from saactors.scenario.gateway_tables import Port as PortTable


def open_port(table: PortTable, number: int) -> Port:
    """Open what the table describes; ``number`` names it where the table does not.

    Raises:
        UserError: it cannot be had.
        OutputError: the capture that it writes cannot be.
    """
    name = table.name or f"{table.kind}-{number}"
    return _KINDS[table.kind](name, table)


def _tun(name: str, table: PortTable) -> Port:
    assert table.device is not None, "the file is checked"
    return open_tun(name, table.side, table.device, table.addresses, table.mtu)


def _udp(name: str, table: PortTable) -> Port:
    assert table.address is not None, "the file is checked"
    return open_udp(name, table.side, table.address, table.port, _buffer(table))


def _esp(name: str, table: PortTable) -> Port:
    assert table.address is not None, "the file is checked"
    return open_esp(name, table.side, table.address, _buffer(table))


def _packet(name: str, table: PortTable) -> Port:
    assert table.interface is not None, "the file is checked"
    assert table.peer is not None, "the file is checked"
    return open_packet(name, table.side, table.interface, table.peer, _buffer(table))


def _capture(name: str, table: PortTable) -> Port:
    assert table.file is not None, "the file is checked"
    return open_played(name, table.side, table.file, table.write, table.speed)


def _buffer(table: PortTable) -> int:
    return table.receive_buffer_bytes or RECEIVE_BUFFER_BYTES


_KINDS: Final[Mapping[str, Callable[[str, PortTable], Port]]] = MappingProxyType(
    {"tun": _tun, "udp": _udp, "esp": _esp, "packet": _packet, "capture": _capture}
)
