"""Sockets of ports with a TUN device as the wire: whole packets, as another host sees them."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from ipaddress import ip_address, ip_interface

import numpy as np
import pytest

from saactors.errors import ParameterError
from saactors.gateway.ports.messages import prepare_sending
from saactors.gateway.ports.open_sockets import open_esp, open_udp
from saactors.gateway.ports.port import SLOT_BYTES
from saactors.gateway.ports.sockets import SocketPort
from saactors.gateway.ports.tun import TunPort, open_tun
from saactors.model.packets import PACKET
from tests.gateway.ports.network import (
    ENDS,
    OURS,
    checksum,
    ip_packet,
    receive,
    send,
    udp_packet,
    wait_until_routed,
)

TOS = 0xB9  # DSCP EF, ECT(1)
PORTS = (4500, 4500)
MTU_BYTES = 1400
ROOM = 1 << 22
HEADER_BYTES = {("udp", 4): 28, ("udp", 6): 48, ("esp", 4): 20, ("esp", 6): 40}

pytestmark = pytest.mark.usefixtures("network")


@pytest.fixture(params=["udp", "esp"])
def kind(request: pytest.FixtureRequest) -> str:
    """Of port."""
    name: str = request.param
    return name


@pytest.fixture
def wire() -> Iterator[TunPort]:
    """The way to other hosts, of which the test is one."""
    made = open_tun("wire", "outside", "saatest2", OURS, MTU_BYTES)
    wait_until_routed()
    yield made
    made.close()


@pytest.fixture
def port(wire: TunPort, kind: str, version: int) -> Iterator[SocketPort]:
    """A port bound to our address."""
    assert wire.fileno()
    made = opened(kind, str(ip_interface(OURS[version == 6]).ip))
    yield made
    made.close()


def opened(kind: str, address: str) -> SocketPort:
    """A port of that kind."""
    if kind == "udp":
        return open_udp("udp", "outside", ip_address(address), 4500, ROOM)
    return open_esp("esp", "outside", ip_address(address), ROOM)


def esp_packet(kind: str, version: int, number: int, size: int, *, outwards: bool) -> bytes:
    """Something like ESP of ``size`` bytes as a whole packet."""
    esp = (0x1000).to_bytes(4, "big") + number.to_bytes(4, "big") + bytes(size - 8)
    if kind == "udp":
        return udp_packet(version, esp, TOS, outwards=outwards, ports=PORTS)
    return ip_packet(version, 50, esp, TOS, outwards=outwards)


def burst(kind: str, version: int, *, outwards: bool) -> list[bytes]:
    """300 packets of all sizes that the wire takes."""
    most = MTU_BYTES - HEADER_BYTES[kind, version]
    return [
        esp_packet(kind, version, i, 8 + (most - 8) * i // 299, outwards=outwards)
        for i in range(300)
    ]


def without_what_the_kernel_writes(packet: bytes) -> bytes:
    """Less IPv4's identification and checksum, and IPv6's flow label."""
    if packet[0] >> 4 == 4:
        assert checksum(packet[:20]) == 0
        return packet[:4] + packet[6:10] + packet[12:]
    return packet[:1] + bytes([packet[1] & 0xF0]) + packet[4:]


def test_what_is_sent_is_on_the_wire(
    port: SocketPort, wire: TunPort, kind: str, version: int
) -> None:
    """To its destination and port, with its DSCP, ECN and DF, and checksums that are right."""
    sent = burst(kind, version, outwards=True)
    assert send(port, sent) == 300
    came = receive(wire, 300)
    assert [*map(without_what_the_kernel_writes, came)] == [
        *map(without_what_the_kernel_writes, sent)
    ]
    told = port.statistics()
    assert (told["sent_packets"], told["sent_bytes"]) == (300, sum(map(len, sent)))


def test_what_comes_over_the_wire_is_received_whole(
    port: SocketPort, wire: TunPort, kind: str, version: int
) -> None:
    """From its source, with its DSCP and ECN, and a checksum that is right again."""
    sent = burst(kind, version, outwards=False)
    assert send(wire, sent) == 300
    came = receive(port, 300)
    if (kind, version) == ("esp", 4):
        assert came == sent
        return
    where = HEADER_BYTES[kind, version]
    assert [packet[where:] for packet in came] == [packet[where:] for packet in sent]
    for packet, whole in zip(came, sent, strict=True):
        if version == 4:
            assert checksum(packet[:20]) == 0
            assert (packet[:4], packet[12:20]) == (whole[:4], whole[12:20])
        else:
            assert packet[:40] == whole[:40]
        assert packet[where - 8 : where - 2] == whole[where - 8 : where - 2]  # ports, length


def test_a_source_port_that_nat_has_changed_is_told(wire: TunPort, version: int) -> None:
    """Replies have to go there (RFC 3948 §2.1)."""
    port = open_udp("udp", "outside", ip_interface(OURS[version == 6]).ip, 4500, ROOM)
    send(wire, [udp_packet(version, bytes(8), ports=(61_234, 4500))])
    [came] = receive(port, 1)
    at = HEADER_BYTES["udp", version] - 8
    assert came[at : at + 4] == (61_234).to_bytes(2, "big") + (4500).to_bytes(2, "big")
    port.close()


def test_what_the_wire_does_not_take_is_refused_and_its_mtu_told(
    port: SocketPort, wire: TunPort, kind: str, version: int
) -> None:
    """Nothing is cut on the way out; the rest goes, and only the rest counts as sent."""
    most = MTU_BYTES - HEADER_BYTES[kind, version]
    fits, too_big = (esp_packet(kind, version, 1, size, outwards=True) for size in (most, most + 1))
    assert send(port, [fits, too_big, fits]) == 3
    assert len(receive(wire, 3, 0.1)) == 2
    told = port.statistics()
    assert (told["sent_packets"], told["sent_bytes"]) == (2, 2 * MTU_BYTES)
    assert told["send_refused"] == 1
    there = ip_address(ENDS[version][0])
    assert list(port.poll_path_mtus()) == [(there, MTU_BYTES)]
    assert list(port.poll_path_mtus()) == []


def test_where_no_route_leads_packets_are_refused(kind: str, version: int) -> None:
    """The network is not ours to raise for: it may come back."""
    port = opened(kind, "127.0.0.1" if version == 4 else "::1")
    assert send(port, [esp_packet(kind, version, 1, 100, outwards=True)] * 2) == 2
    told = port.statistics()
    assert (told["sent_packets"], told["sent_bytes"], told["send_refused"]) == (0, 0, 2)
    port.close()


def test_behind_one_that_is_too_long_packets_keep_their_slots() -> None:
    """So whoever fills the slots behind them overwrites none."""
    port = open_udp("udp", "outside", ip_address("127.0.0.1"), 4500, ROOM)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        for payload in (bytes(SLOT_BYTES), b"a" * 50, bytes(SLOT_BYTES), b"b" * 5000):
            other.sendto(payload, ("127.0.0.1", 4500))
    came = receive(port, 2)
    assert [packet[28:] for packet in came] == [b"a" * 50, b"b" * 5000]
    assert port.statistics()["truncated"] == 2
    port.close()


def test_whatever_is_sent_takes_no_new_compiled_code() -> None:
    """Octets that may be written and those that may not: no packet waits for a compiler."""
    port = open_udp("udp", "outside", ip_address("127.0.0.1"), 4500, ROOM)
    octets = np.frombuffer(udp_packet(4, b"x", ports=PORTS), np.uint8)
    starts, lengths = np.zeros(1, np.int64), np.array([len(octets)], np.int32)
    port.send(octets, starts, lengths)
    known = len(prepare_sending.signatures)  # type: ignore[attr-defined]  # a dispatcher of Numba's
    port.send(octets.copy(), starts, lengths)
    assert len(prepare_sending.signatures) == known  # type: ignore[attr-defined]  # likewise
    port.close()


def test_an_address_that_stands_for_all_is_refused() -> None:
    """The kernel would bind it, and no SA would ever be found."""
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - counting, not walking
    for address in ("0.0.0.0", "::"):
        with pytest.raises(ParameterError, match="expected one address of this host"):
            open_udp("udp", "outside", ip_address(address), 4500, ROOM)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 - counting, not walking


def test_nothing_there_is_no_error(kind: str, version: int) -> None:
    """A port never waits."""
    port = opened(kind, "127.0.0.1" if version == 4 else "::1")
    assert port.receive(np.zeros(SLOT_BYTES, np.uint8), np.zeros(1, PACKET), 0) == 0
    assert os.get_inheritable(port.fileno()) is False
    port.close()
