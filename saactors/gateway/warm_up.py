"""Compiled code made ready before the first packet: that must not wait seconds for a compiler.

Numba compiles a function when it is first called, and keeps the code on disk: the first start on a
machine takes a minute, later ones seconds. So packets go out and back in here, on the way that live
ones take, through parts that are thrown away.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from contextlib import suppress
from ipaddress import IPv4Address, ip_address
from typing import Final

import numpy as np
import numpy.typing as npt

from saactors.errors import ParameterError
from saactors.esp.association import Address, Association
from saactors.gateway.live_sas import LiveSas
from saactors.gateway.ports.link_names import fill_link_names
from saactors.gateway.ports.messages import Messages, header_bytes_of, take_in
from saactors.gateway.ports.open_sockets import open_udp
from saactors.gateway.ports.port import SLOT_BYTES
from saactors.gateway.ports.sockets import RECEIVE_BUFFER_BYTES
from saactors.gateway.ports.system_calls import COUNTS, read_packets, write_packets
from saactors.gateway.receiver import closed_up
from saactors.gateway.reserved_sequences import ReservedSequences
from saactors.model.burst import Burst, Component, Finished, Share
from saactors.model.packets import PACKET, Route
from saactors.placement.plan import RulePlan
from saactors.scenario.tables import Policy
from saactors.streams.exit import Exit
from saactors.streams.shares import Splitter
from saactors.traces.decode import fill_packet
from saactors.traces.links import RAW

_PACKET: Final = (
    b"\x45\0\0\x1c\0\x01\0\0\x40\x11\x66\xcf\x0a\0\0\x01\x0a\0\0\x02"  # 10.0.0.1, 10.0.0.2, UDP
    b"\x04\xd2\x04\xd2\0\x08\0\0"
)
_HERE: Final = IPv4Address("192.0.2.1")


def warm_up(plan: RulePlan) -> None:
    """Let everything that packets go through be compiled, and the rule's functions too."""
    plan.compile()
    for address in ("127.0.0.1", "::1"):
        _through_sockets(ip_address(address))
    _through_devices()
    with tempfile.TemporaryDirectory() as folder:
        numbers = ReservedSequences(folder)
        sas = LiveSas(numbers, 8)
        association = Association(
            spi=0x100, suite="aes-gcm-128", key=secrets.token_bytes(20), source=_HERE,
            destination=_HERE,
        )  # fmt: skip
        sas.policies.add(Policy(action="protect", sa="out"))
        sas.add([("out", "out", association)], 0, None)
        sealed = _through(sas, plan, np.frombuffer(_PACKET, np.uint8), inbound=False)
        sas.begin_delete(sas.find(0x100))
        sas.add([("in", "in", association)], 0, None)
        opened = _through(sas, plan, sealed, inbound=True)
        assert opened.tobytes() == _PACKET, "what goes out comes back in"
        numbers.close()


def _through_sockets(address: Address) -> None:
    """A packet from a socket port to itself; a host without IPv6 has no use for it either."""
    with suppress(ParameterError):
        port = open_udp("warm-up", "outside", address, 0, RECEIVE_BUFFER_BYTES)
        version = address.version
        packet = np.zeros(header_bytes_of(version, in_udp=True) + 8, np.uint8)
        packet[0] = version << 4
        port.send(packet, np.zeros(1, np.int64), np.array([len(packet)], np.int32))
        incoming = Messages(1)
        arena, packets = np.zeros(SLOT_BYTES, np.uint8), np.zeros(1, PACKET)
        take_in(
            incoming.messages,
            incoming.names,
            incoming.controls,
            arena,
            packets,
            1,
            version,
            True,
            False,
            np.zeros(16, np.uint8),
            0,
            0,
        )
        port.receive(arena, packets, 0)
        port.close()


def _through_devices() -> None:
    """What a TUN device and an interface need, on a pipe and on arrays."""
    reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    counts, packet = np.zeros(COUNTS, np.int64), np.frombuffer(_PACKET, np.uint8)
    starts, lengths = np.zeros(1, np.int64), np.array([len(packet)], np.int32)
    write_packets(writing, packet, starts, lengths, counts)
    read_packets(reading, np.zeros(SLOT_BYTES, np.uint8), np.zeros(1, PACKET), 0, counts)
    os.close(reading)
    os.close(writing)
    outgoing = Messages(1)
    fill_link_names(outgoing.messages, outgoing.names, packet, starts, 1, np.zeros(6, np.uint8))


class _Kept:
    """A sink that keeps the last packet that left."""

    def __init__(self) -> None:
        self.packet = np.zeros(0, np.uint8)

    def take(self, finished: Finished, positions: npt.NDArray[np.int32], _now_ns: int) -> None:
        """Keep the first of these packets."""
        assert finished.data is not None, "the cryptography is real"
        start, length = finished.starts[positions[0]], finished.lengths[positions[0]]
        self.packet = np.frombuffer(finished.data, np.uint8)[start : start + length].copy()


def _through(
    sas: LiveSas,
    plan: RulePlan,
    packet: npt.NDArray[np.uint8],
    *,
    inbound: bool,
) -> npt.NDArray[np.uint8]:
    """One packet through all cores; returns what leaves."""
    kept = _Kept()
    leave = Exit(sas.windows, [kept], sas.lifetimes)
    keeper, arbiter = plan.keeper(0), plan.arbiter(1, 1)
    packets = np.zeros(1, PACKET)
    fill_packet(packets[0], packet, 0, len(packet), len(packet), RAW, 0)
    burst = Burst(closed_up(packet, packets), packets, 0, inbound=inbound)
    sas.classifier.classify(burst, 0)
    keeper.receive(burst.sa_count)
    keeper.observe(packets)
    arbiter.receive(burst.sa_count)
    arbiter.decide(packets, 0, 0)
    packets["route"] = Route.SOFTWARE
    for _, share in Splitter(1).split(burst):
        leave.accept(sas.crypto().process(share, Component.SOFTWARE), 0)
    leave.accept_unprocessed(Share(burst, np.zeros(0, np.int32)), 0)
    return kept.packet
