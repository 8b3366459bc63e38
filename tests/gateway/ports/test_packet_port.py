"""An interface as a port: a TAP device is the cable, and the test its other end, frame by frame."""

from __future__ import annotations

import fcntl
import os
import select
import socket
import struct
from collections.abc import Iterator

import pytest

from saactors.gateway.ports import interface_setup
from saactors.gateway.ports.open_sockets import open_packet
from saactors.gateway.ports.sockets import SocketPort
from tests.gateway.ports.network import ip_packet, receive, send, sizes_of

DEVICE = "saatest1"
SET_INTERFACE, TAP_WITHOUT_HEADER = 0x400454CA, 0x1002
SET_ADDRESS, ETHERNET, GET_ADDRESS = 0x8924, 1, 0x8927
SET_FLAGS, UP, PROMISCUOUS = 0x8914, 0x1, 0x100
DELETE_LINK = 17
HERE, PEER, ELSEWHERE = (bytes([2, 0, 0, 0, 0, last]) for last in (1, 2, 3))
TYPES = {4: b"\x08\x00", 6: b"\x86\xdd"}

pytestmark = pytest.mark.usefixtures("network")


@pytest.fixture
def cable() -> Iterator[int]:
    """The other end of the cable, with our interface set up."""
    made = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(made, SET_INTERFACE, struct.pack("16sH22x", DEVICE.encode(), TAP_WITHOUT_HEADER))
    flags(0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        fcntl.ioctl(asking, SET_ADDRESS, struct.pack("16sH6s16x", DEVICE.encode(), ETHERNET, HERE))
    interface_setup.set_mtu(DEVICE, 9000)
    flags(UP | PROMISCUOUS)
    yield made
    os.close(made)


@pytest.fixture
def port(cable: int) -> Iterator[SocketPort]:
    """The port of that interface."""
    assert cable
    made = open_packet("lan", "inside", DEVICE, PEER, 1 << 23)
    yield made
    made.close()


def flags(wanted: int) -> None:
    """Set the interface up or down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        fcntl.ioctl(asking, SET_FLAGS, struct.pack("16sH22x", DEVICE.encode(), wanted))


def frames(cable: int, wanted: int) -> list[bytes]:
    """Frames that arrive at the other end, less those that the kernel sends on its own."""
    came = list[bytes]()
    while len(came) < wanted and select.select([cable], [], [], 2)[0]:
        frame = os.read(cable, 10_000)
        came += [frame] if frame[:6] == PEER else []
    return came


def framed(packet: bytes, to: bytes = HERE, tag: bytes = b"") -> bytes:
    """A frame from the peer, no shorter than Ethernet's are."""
    return (to + PEER + tag + TYPES[packet[0] >> 4] + packet).ljust(60, b"\x5a")


def test_packets_are_put_into_frames_and_taken_out(
    port: SocketPort, cable: int, version: int
) -> None:
    """Bursts of 300 of all sizes; what a short frame was filled up with is no part of a packet."""
    packets = sizes_of(version, 300, 9000)
    for packet in packets:
        os.write(cable, framed(packet))
    assert receive(port, 300) == packets
    assert send(port, packets) == 300
    assert frames(cable, 300) == [PEER + HERE + TYPES[version] + packet for packet in packets]
    told, size = port.statistics(), sum(map(len, packets))
    assert told["sent_packets"] == 300
    assert told["sent_bytes"] == size
    assert told["received_packets"] == 300
    assert told["received_bytes"] == size


def test_only_packets_for_this_interface_are_taken(port: SocketPort, cable: int) -> None:
    """Not those for others, which a promiscuous interface sees; of VLANs; of other protocols."""
    ours = ip_packet(4, 253, b"ours" * 20)
    for frame in (
        framed(ip_packet(4, 253, b"others" * 20), ELSEWHERE),
        framed(ip_packet(4, 253, b"tagged" * 20), tag=b"\x81\x00\x00\x05"),
        HERE + PEER + b"\x08\x06" + bytes(46),
        framed(ours),
    ):
        os.write(cable, frame)
    assert receive(port, 4, 0.1) == [ours]
    assert port.statistics()["ring_dropped"] == 0


def test_a_packet_that_does_not_fit_is_refused_and_the_rest_goes(
    port: SocketPort, cable: int
) -> None:
    """It is longer than the interface's MTU; it has no part in what was sent."""
    fits, too_big = ip_packet(4, 253, bytes(8980)), ip_packet(4, 253, bytes(8981))
    assert send(port, [fits, too_big, fits]) == 3
    assert len(frames(cable, 2)) == 2
    told = port.statistics()
    assert (told["sent_packets"], told["sent_bytes"], told["send_refused"]) == (2, 18_000, 1)


def test_what_there_is_no_room_for_is_counted(cable: int) -> None:
    """A small ring and a reader that is slow."""
    port = open_packet("lan", "inside", DEVICE, PEER, 4096)
    for _ in range(100):
        os.write(cable, framed(ip_packet(4, 253, bytes(1000))))
    came = len(receive(port, 100, 0.1))
    assert 0 < came < 100
    assert port.statistics()["ring_dropped"] == 100 - came
    port.close()


def test_an_interface_that_was_down_goes_on(port: SocketPort, cable: int) -> None:
    """Somebody pulled the cable: packets for it are refused, and the port waits."""
    packet = ip_packet(4, 253, bytes(100))
    flags(0)
    assert receive(port, 1, 0.1) == []
    assert send(port, [packet]) == 1
    assert port.statistics()["send_refused"] == 1
    flags(UP)
    os.write(cable, framed(packet))
    assert receive(port, 1) == [packet]


def test_an_interface_that_was_removed_raises(port: SocketPort) -> None:
    """To whoever receives and whoever sends: it does not come back."""
    interface_setup._ask(DELETE_LINK, interface_setup._link(DEVICE))
    with pytest.raises(OSError, match="port lan is gone"):
        receive(port, 1)
    with pytest.raises(OSError, match="port lan is gone"):
        send(port, [ip_packet(4, 253, bytes(100))])
