"""Ports that are sockets, on the loopback interface: what goes in comes out, whole and counted."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address

import numpy as np
import pytest

from saactors.errors import ParameterError
from saactors.esp.demultiplex import find_esp
from saactors.gateway.ports.open_sockets import open_esp, open_packet, open_udp
from saactors.gateway.ports.port import SLOT_BYTES
from saactors.gateway.ports.sockets import SocketPort
from saactors.model.packets import PACKET
from saactors.model.verdicts import Verdict

BUFFER = 1 << 20
HERE = {4: ip_address("127.0.0.1"), 6: ip_address("::1")}
UDP, ESP = 17, 50
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="RAW SOCKETS NEED ROOT: run as root")


def outer(version: int, protocol: int, payload: bytes, port: int = 0, tos: int = 0) -> bytes:
    """A whole packet from here to here, as sealing makes it."""
    if protocol == UDP:
        size = (8 + len(payload) & 0xFFFF).to_bytes(2, "big")
        payload = (4500).to_bytes(2, "big") + port.to_bytes(2, "big") + size + bytes(2) + payload
    ends = HERE[version].packed * 2
    if version == 4:
        total = (20 + len(payload) & 0xFFFF).to_bytes(2, "big")
        fixed = bytes([0x45, tos]) + total + bytes([0, 0, 0x40, 0, 64, protocol, 0, 0])
        return fixed + ends + payload
    first = (6 << 28 | tos << 20).to_bytes(4, "big")
    return (
        first + (len(payload) & 0xFFFF).to_bytes(2, "big") + bytes([protocol, 64]) + ends + payload
    )


def esp(number: int, size: int = 100) -> bytes:
    """Something that looks like ESP."""
    return (0x1000).to_bytes(4, "big") + number.to_bytes(4, "big") + bytes(size)


def send(port: SocketPort, packets: list[bytes]) -> int:
    """Send packets that lie one behind the other."""
    lengths = np.array([len(packet) for packet in packets], np.int32)
    starts = np.cumsum(lengths).astype(np.int64) - lengths
    return port.send(np.frombuffer(b"".join(packets), np.uint8), starts, lengths)


def receive(port: SocketPort, wanted: int, patience_s: float = 2.0) -> list[bytes]:
    """Packets that come within a while, as the records say where they are."""
    arena, came = np.zeros(256 * SLOT_BYTES, np.uint8), []
    while len(came) < wanted and select.select([port], [], [], patience_s)[0]:
        packets = np.zeros(256, PACKET)
        count = port.receive(arena, packets, 7)
        for packet in packets[:count]:
            assert packet["verdict"] == Verdict.PASSED
            assert packet["time_ns"] == 7
            start = packet["offset"]
            came.append(arena[start : start + packet["length_bytes"]].tobytes())
    return came


@pytest.fixture
def udp(version: int) -> Iterator[SocketPort]:
    """A port for ESP in UDP on a free port of the loopback interface."""
    port = open_udp("udp", "outside", HERE[version], 0, BUFFER)
    yield port
    port.close()


def bound(port: SocketPort) -> int:
    """The UDP port that the kernel has chosen."""
    with socket.socket(fileno=os.dup(port.fileno())) as same:
        number: int = same.getsockname()[1]
        return number


def test_esp_in_udp_comes_out_with_the_headers_that_the_kernel_kept(
    udp: SocketPort, version: int
) -> None:
    """Bursts of more than a system call takes, DSCP and ECN kept, and ESP is found behind UDP."""
    sent = [outer(version, UDP, esp(number, number), bound(udp), 0xB9) for number in range(300)]
    assert send(udp, sent) == 300
    came = receive(udp, 300)
    header = 28 if version == 4 else 48
    assert [packet[header:] for packet in came] == [packet[header:] for packet in sent]
    octets = np.frombuffer(came[0], np.uint8)
    assert find_esp(octets, 0, len(octets)) == (header, Verdict.PASSED)
    if version == 4:
        assert came[0][1] == 0xB9
        assert came[0][12:20] == HERE[4].packed * 2
    else:
        assert int.from_bytes(came[0][:2], "big") >> 4 & 0xFF == 0xB9
        assert came[0][8:40] == HERE[6].packed * 2
    counted = udp.statistics()
    assert counted["sent_packets"] == counted["received_packets"] == 300
    assert counted["sent_bytes"] == counted["received_bytes"] == sum(map(len, sent))


def test_a_packet_that_is_too_big_is_refused_and_the_rest_goes(
    udp: SocketPort, version: int
) -> None:
    """The kernel does not cut what must not be cut; it is counted."""
    one, other = (outer(version, UDP, esp(number), bound(udp)) for number in (1, 2))
    assert send(udp, [one, outer(version, UDP, bytes(65_530), bound(udp)), other]) == 3
    assert len(receive(udp, 2)) == 2
    assert udp.statistics()["send_refused"] == 1


def test_a_longer_packet_than_a_slot_is_dropped_and_counted(udp: SocketPort, version: int) -> None:
    """It could only be taken in cut."""
    send(
        udp,
        [
            outer(version, UDP, esp(1, SLOT_BYTES), bound(udp)),
            outer(version, UDP, esp(2), bound(udp)),
        ],
    )
    assert len(receive(udp, 1)) == 1
    assert udp.statistics()["truncated"] == 1


def test_what_the_kernel_has_no_room_for_is_counted(version: int) -> None:
    """A reader that is slow loses packets, and knows how many."""
    port = open_udp("udp", "outside", HERE[version], 0, 4096)
    sent = [outer(version, UDP, esp(number, 1000), bound(port)) for number in range(200)]
    assert send(port, sent) == 200
    came = receive(port, 200, 0.1)
    assert 0 < len(came) < 200
    assert port.statistics()["ring_dropped"] == 200 - len(came)
    port.close()


@AS_ROOT
def test_raw_esp_comes_out_whole(version: int) -> None:
    """IPv4 with the header that was sent, IPv6 with one that says the same."""
    port = open_esp("esp", "outside", HERE[version], BUFFER)
    sent = [outer(version, ESP, esp(number, number), tos=0x28) for number in range(20)]
    assert send(port, sent) == 20
    came = receive(port, 20)
    start = 20 if version == 4 else 40
    assert [packet[start:] for packet in came] == [packet[start:] for packet in sent]
    assert came[3][1] == sent[3][1]
    assert came[3][start - 2 * len(HERE[version].packed) : start] == HERE[version].packed * 2
    port.close()


@AS_ROOT
def test_an_interface_gives_ip_packets_once_and_nothing_of_ours() -> None:
    """What we send is not received as such; but on the loopback interface it comes around."""
    port = open_packet("lo", "inside", "lo", bytes(6), BUFFER)
    packet = outer(4, ESP, esp(1))
    assert send(port, [packet]) == 1
    came = receive(port, 1)
    assert packet in came
    port.close()


def test_an_address_that_is_not_ours_is_named() -> None:
    """With how to mend it."""
    for address in (IPv4Address("198.51.100.7"), IPv6Address("2001:db8::7")):
        with pytest.raises(ParameterError, match="expected one of this host's addresses"):
            open_udp("udp-1", "outside", address, 4500, BUFFER)


def test_an_interface_that_is_not_there_is_named() -> None:
    """Before any socket is opened."""
    with pytest.raises(ParameterError, match="found 'nowhere0', expected an interface"):
        open_packet("packet-1", "inside", "nowhere0", bytes(6), BUFFER)


def test_a_port_that_is_closed_says_so(udp: SocketPort) -> None:
    """A device that is gone raises, since nothing will ever come of waiting."""
    udp.close()
    with pytest.raises(OSError, match="is gone"):
        udp.receive(np.zeros(SLOT_BYTES, np.uint8), np.zeros(1, PACKET), 0)
