"""Where packets leave a gateway: which port takes them, and waiting until it has.

The exit decides in compiled code what leaves and hands it over here without waiting; the egress
then waits in ``flush``. A port without room thus holds back the egress, and in turn every actor up
to the ports that receive: backpressure, and no queue of ours that could overflow.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import trio

from saactors.esp.association import Address, address_of
from saactors.esp.icmp import time_exceeded, too_big
from saactors.esp.path_mtu import inner_mtu_bytes
from saactors.esp.suites import SUITES
from saactors.gateway.ports.port import Port
from saactors.model.burst import Component, Finished
from saactors.model.packets import NO_SA
from saactors.model.sa import Mode, SaTable
from saactors.model.verdicts import Verdict

Network: TypeAlias = IPv4Network | IPv6Network
Columns: TypeAlias = tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]

_WHOLE_IP: Final = ("tun", "packet", "capture")  # kinds of port that carry any IP packet
ICMP_PER_S: Final = 100
"""ICMP errors sent to the inside; RFC 1812 §4.3.2.8 and RFC 4443 §2.4(f) ask for such a bound."""


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    port: Port
    data: npt.NDArray[np.uint8]
    starts: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int32]


class Outgoing:
    """The sink of the exit, for all ports. ``networks`` are those that inside ports reach."""

    def __init__(
        self,
        ports: Sequence[Port],
        networks: Sequence[Sequence[Network]],
        sas: SaTable,
        on_path_mtu: Callable[[Address, int], None],
    ) -> None:
        self._on_path_mtu = on_path_mtu
        self._sas = sas
        self._inside = [
            (port, reached)
            for port, reached in zip(ports, networks, strict=True)
            if port.side == "inside"
        ]
        self._outside = [port for port in ports if port.side == "outside"]
        self._waiting: deque[_Waiting] = deque()
        self._turn = trio.Lock()
        self._icmp_left = float(ICMP_PER_S)
        self._icmp_seen_ns = 0
        self.no_port = 0  # packets that no port carries
        self.icmp_sent = 0

    def take(self, finished: Finished, positions: npt.NDArray[np.int32], _now_ns: int) -> None:
        """Give the packets at these positions to their ports, as soon as those have room."""
        assert finished.data is not None, "a gateway's cryptography is real"
        data = np.frombuffer(finished.data, np.uint8)
        starts, lengths = finished.starts[positions], finished.lengths[positions]
        if finished.burst.inbound or finished.component is Component.NONE:
            rows = finished.rows[positions]
            self._by_version(finished, data, starts, lengths, rows)
        else:
            self._sealed(finished, data, starts, lengths, positions)

    def on_refused(self, finished: Finished, rows: npt.NDArray[np.int32], now_ns: int) -> None:
        """Tell the senders of packets that do not fit their path, or have travelled too far."""
        if finished.burst.inbound:
            return
        packets = finished.burst.packets
        wanted = (Verdict.PACKET_TOO_BIG, Verdict.HOP_LIMIT_EXCEEDED)
        for row in rows[np.isin(packets["verdict"][rows], wanted)].tolist():
            if not self._may_send_icmp(now_ns):
                return
            self._answer(finished, row)

    async def flush(self) -> None:
        """Wait until the ports have taken everything, in order."""
        if not self._waiting:
            return
        async with self._turn:
            while self._waiting:
                waiting = self._waiting[0]
                sent = waiting.port.send(waiting.data, waiting.starts, waiting.lengths)
                for destination, mtu_bytes in waiting.port.poll_path_mtus():
                    self._on_path_mtu(destination, mtu_bytes)
                if sent == len(waiting.starts):
                    self._waiting.popleft()
                    continue
                self._waiting[0] = _Waiting(
                    waiting.port, waiting.data, waiting.starts[sent:], waiting.lengths[sent:]
                )
                await trio.lowlevel.wait_writable(waiting.port.fileno())

    def _by_version(
        self,
        finished: Finished,
        data: npt.NDArray[np.uint8],
        starts: npt.NDArray[np.int64],
        lengths: npt.NDArray[np.int32],
        rows: npt.NDArray[np.int32],
    ) -> None:
        """Plain packets: opened ones to the inside, by destination; bypassed ones across."""
        if finished.burst.inbound:
            if len(self._inside) == 1:
                self._queue(self._inside[0][0], data, starts, lengths)
                return
            chosen = [self._inside_port(data, int(start)) for start in starts]
            self._each(chosen, data, starts, lengths)
            return
        across = next((port for port in self._outside if port.kind in _WHOLE_IP), None)
        if across is None:
            self.no_port += len(rows)
        else:
            self._queue(across, data, starts, lengths)

    def _sealed(
        self,
        finished: Finished,
        data: npt.NDArray[np.uint8],
        starts: npt.NDArray[np.int64],
        lengths: npt.NDArray[np.int32],
        positions: npt.NDArray[np.int32],
    ) -> None:
        only = self._outside[0]
        if len(self._outside) == 1 and only.kind in _WHOLE_IP:
            self._queue(only, data, starts, lengths)
            return
        sas = finished.burst.packets["sa"][finished.rows[positions]]
        in_udp = self._sas.records["source_port"][sas] > 0
        versions = data[starts] >> 4
        for udp in (False, True):
            for version in (4, 6):
                chosen = np.flatnonzero((in_udp == udp) & (versions == version))
                if not len(chosen):
                    continue
                port = self._outside_port("udp" if udp else "esp", version)
                if port is None:
                    self.no_port += len(chosen)
                else:
                    self._queue(port, data, starts[chosen], lengths[chosen])

    def _outside_port(self, kind: str, version: int) -> Port | None:
        """The first port that carries such ESP packets."""
        for port in self._outside:
            if port.kind in _WHOLE_IP or (port.kind == kind and port.ip_version == version):
                return port
        return None

    def _inside_port(self, data: npt.NDArray[np.uint8], start: int) -> Port | None:
        """The port whose longest network has the destination; else the first without any."""
        version = int(data[start]) >> 4
        at, size = (start + 16, 4) if version == 4 else (start + 24, 16)
        number = int.from_bytes(data[at : at + size].tobytes(), "big")
        best, best_bits = None, -1
        for port, networks in self._inside:
            if not networks and best is None:
                best = port
            for network in networks:
                inside = network.version == version and (
                    number & int(network.netmask) == int(network.network_address)
                )
                if inside and network.prefixlen > best_bits:
                    best, best_bits = port, network.prefixlen
        return best

    def _each(
        self,
        chosen: Sequence[Port | None],
        data: npt.NDArray[np.uint8],
        starts: npt.NDArray[np.int64],
        lengths: npt.NDArray[np.int32],
    ) -> None:
        for port in dict.fromkeys(chosen):
            places = np.array([place for place, its in enumerate(chosen) if its is port])
            if port is None:
                self.no_port += len(places)
            else:
                self._queue(port, data, starts[places], lengths[places])

    def _queue(
        self,
        port: Port,
        data: npt.NDArray[np.uint8],
        starts: npt.NDArray[np.int64],
        lengths: npt.NDArray[np.int32],
    ) -> None:
        self._waiting.append(_Waiting(port, data, starts, lengths))

    def _may_send_icmp(self, now_ns: int) -> bool:
        passed_ns, self._icmp_seen_ns = now_ns - self._icmp_seen_ns, now_ns
        self._icmp_left = min(ICMP_PER_S, self._icmp_left + ICMP_PER_S * passed_ns / 1e9)
        if self._icmp_left < 1:
            return False
        self._icmp_left -= 1
        return True

    def _answer(self, finished: Finished, row: int) -> None:
        packet = finished.burst.packets[row]
        sa = int(packet["sa"])
        if sa == NO_SA:
            return
        record = self._sas.records[sa]
        # The tunnel's end is an address of this host, from which its kernel takes nothing that
        # comes in by a device. So the packet's own destination answers for the way to it.
        sender = address_of(int(packet["destination_high"]), int(packet["destination_low"]))
        start = int(packet["offset"])
        content = finished.burst.data[start : start + int(packet["captured_bytes"])].tobytes()
        if packet["verdict"] == Verdict.PACKET_TOO_BIG:
            mtu = inner_mtu_bytes(
                SUITES[int(record["suite"])],
                Mode(int(record["mode"])),
                int(record["outer_version"]),
                bool(record["source_port"]),
                int(record["path_mtu_bytes"]),
            )
            reply = too_big(content, mtu, sender)
        else:
            reply = time_exceeded(content, sender)
        if reply:
            octets = np.frombuffer(reply, np.uint8)
            port = self._inside_port(octets, 0)
            if port is not None:
                self.icmp_sent += 1
                self._queue(port, octets, np.zeros(1, np.int64), np.array([len(reply)], np.int32))
