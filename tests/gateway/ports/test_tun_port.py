"""TUN devices as ports: in a namespace, with the kernel at the other end."""

from __future__ import annotations

import fcntl
import os
import socket
import struct
from collections.abc import Iterator
from ipaddress import ip_interface

import numpy as np
import pytest

from saactors.errors import ParameterError
from saactors.gateway.ports import interface_setup
from saactors.gateway.ports.open_sockets import open_packet
from saactors.gateway.ports.system_calls import write_packets
from saactors.gateway.ports.tun import TunPort, open_tun
from tests.gateway.ports.network import (
    ENDS,
    OURS,
    checksum,
    interface,
    ip_packet,
    receive,
    send,
    sizes_of,
    udp_packet,
    wait_until_routed,
)

DEVICE = "saatest0"
SET_INTERFACE, SET_PERSISTENT, SET_OFFLOADS = 0x400454CA, 0x400454CB, 0x400454D0
GET_MTU, GET_FLAGS = 0x8921, 0x8913
DELETE_LINK = 17
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}

pytestmark = pytest.mark.usefixtures("network")


@pytest.fixture
def tun() -> Iterator[TunPort]:
    """A device with an address of both kinds."""
    port = open_tun("inside", "inside", DEVICE, OURS, 9000)
    wait_until_routed()
    yield port
    port.close()


def spoken(version: int, port: int = 0) -> socket.socket:
    """A datagram socket of the kernel's, bound to the device's address."""
    made = socket.socket(FAMILIES[version], socket.SOCK_DGRAM)
    made.settimeout(2)
    made.bind((str(ip_interface(OURS[version == 6]).ip), port))
    return made


def test_packets_go_through_the_device_byte_for_byte(tun: TunPort, version: int) -> None:
    """Bursts of 300 of all sizes, both ways; a packet socket is the kernel's end."""
    kernel = open_packet("kernel", "inside", DEVICE, bytes(6), 8 << 20)
    sent = sizes_of(version, 300, 9000)
    assert send(tun, sent) == 300
    assert receive(kernel, 300) == sent
    assert send(kernel, sent) == 300
    assert receive(tun, 300) == sent
    told, size = tun.statistics(), sum(map(len, sent))
    assert (told["sent_packets"], told["sent_bytes"]) == (300, size)
    assert told["received_packets"] >= 300  # the kernel says something of its own by IPv6
    assert told["received_bytes"] >= size
    assert (told["ring_dropped"], told["send_refused"], told["truncated"]) == (0, 0, 0)
    kernel.close()


def test_the_device_is_set_up_as_told(tun: TunPort, version: int) -> None:
    """Up, with its MTU and addresses: the kernel routes to it, and takes what is for it."""
    assert struct.unpack("=i", interface(DEVICE, GET_MTU)[:4]) == (9000,)
    assert struct.unpack("=H", interface(DEVICE, GET_FLAGS)[:2])[0] & 1  # IFF_UP
    with spoken(version, 7000) as kernel:
        kernel.sendto(b"out", (socket.inet_ntop(FAMILIES[version], ENDS[version][0]), 9))
        [out] = receive(tun, 1)
        assert out[-3:] == b"out"
        send(tun, [udp_packet(version, b"in", ports=(9, 7000))])
        assert kernel.recv(100) == b"in"


def test_a_reader_that_is_slow_loses_packets_and_knows_how_many(tun: TunPort) -> None:
    """The device's queue is as long as the kernel makes it; what it drops, it counts."""
    with spoken(4) as kernel:
        for _ in range(2000):
            kernel.sendto(bytes(100), ("192.0.2.2", 9))
    came = len(receive(tun, 2000, 0.1))
    assert 0 < came < 2000
    assert tun.statistics()["ring_dropped"] == 2000 - came


def test_what_is_no_packet_is_refused_and_the_rest_goes(tun: TunPort) -> None:
    """The kernel will not have it; that is counted, and nothing waits for it."""
    good = udp_packet(4, b"good", ports=(9, 7000))
    with spoken(4, 7000) as kernel:
        assert send(tun, [good, b"\xf0" + bytes(30), good]) == 3
        assert [kernel.recv(100), kernel.recv(100)] == [b"good", b"good"]
    told = tun.statistics()
    assert (told["sent_packets"], told["send_refused"]) == (2, 1)
    assert told["sent_bytes"] == 2 * len(good)


def test_a_device_that_is_gone_raises(tun: TunPort) -> None:
    """Whoever removes it ends the gateway, which would wait for ever."""
    interface_setup._ask(DELETE_LINK, interface_setup._link(DEVICE))
    with pytest.raises(OSError, match=f"{DEVICE} is gone"):
        receive(tun, 1)
    with pytest.raises(OSError, match=f"{DEVICE} is gone"):
        send(tun, [ip_packet(4, 253, b"")])


def persistent() -> None:
    """Leave a device behind whose maker has asked for offloads."""
    made = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(made, SET_INTERFACE, struct.pack("16sH22x", DEVICE.encode(), 0x1001))
    fcntl.ioctl(made, SET_OFFLOADS, 0x07)  # TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6
    fcntl.ioctl(made, SET_PERSISTENT, 1)
    os.close(made)


def test_a_persistent_device_is_taken_over_and_stays(version: int) -> None:
    """Its packets come whole whatever its maker asked for, down to the checksum of the payload."""
    persistent()
    port = open_tun("inside", "inside", DEVICE, OURS, None)
    wait_until_routed()
    with spoken(version) as kernel:
        kernel.sendto(b"x" * 77, (socket.inet_ntop(FAMILIES[version], ENDS[version][0]), 9))
    [out] = receive(port, 1)
    pseudo = b"".join(ENDS[version]) + struct.pack("!II", 85, 17)
    assert checksum(pseudo + out[-85:]) == 0
    port.close()
    assert socket.if_nametoindex(DEVICE)
    port = open_tun("inside", "inside", DEVICE, OURS, None)  # addresses that it has already
    port.close()


def test_a_device_goes_with_its_port() -> None:
    """Unless it is persistent; closing twice does nothing."""
    port = open_tun("inside", "inside", DEVICE, (), None)
    port.close()
    port.close()
    with pytest.raises(OSError, match="no interface"):
        socket.if_nametoindex(DEVICE)


@pytest.mark.parametrize(
    ("device", "found"),
    [
        ("lo", "lo: Invalid argument"),
        (DEVICE, f"{DEVICE}: Device or resource busy"),
        ("a-name-that-is-too-long", "a-name-that-is-too-long"),
        ("größengrößen", "größengrößen"),
    ],
)
def test_a_device_that_cannot_be_had_is_named(tun: TunPort, device: str, found: str) -> None:
    """With what was expected; nothing is left open."""
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - counting, not walking
    with pytest.raises(ParameterError, match="ports: second") as raised:
        open_tun("second", "inside", device, (), None)
    assert raised.value.found == found
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 - counting, not walking
    assert tun.statistics()["send_refused"] == 0


def test_whatever_is_sent_the_compiled_code_is_the_same(tun: TunPort) -> None:
    """Octets that may be written and those that may not: no packet waits for a compiler."""
    packet = udp_packet(4, b"x", ports=(9, 9))
    starts, lengths = np.zeros(1, np.int64), np.array([len(packet)], np.int32)
    tun.send(np.frombuffer(packet, np.uint8), starts, lengths)
    known = len(write_packets.signatures)  # type: ignore[attr-defined]  # a dispatcher of Numba's
    tun.send(np.frombuffer(packet, np.uint8).copy(), starts, lengths)
    assert len(write_packets.signatures) == known  # type: ignore[attr-defined]  # likewise
