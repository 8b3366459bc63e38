"""A network of a test's own, packets to send in it, and both ends of a port.

A test's thread moves into a new network namespace and back; what it has made there goes with it.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from saactors.gateway.ports.interface_setup import set_up
from saactors.gateway.ports.port import SLOT_BYTES, Port
from saactors.model.packets import PACKET
from saactors.model.verdicts import Verdict

NEW_NETWORK = 0x40000000  # CLONE_NEWNET
BURST = 256
ENDS = {
    4: (
        socket.inet_pton(socket.AF_INET, "192.0.2.2"),
        socket.inet_pton(socket.AF_INET, "192.0.2.1"),
    ),
    6: (socket.inet_pton(socket.AF_INET6, "fd00::2"), socket.inet_pton(socket.AF_INET6, "fd00::1")),
}  # the other end, ours
OURS = ("192.0.2.1/24", "fd00::1/64")


def why_no_network() -> str:
    """What is missing for devices; "" if nothing is."""
    if os.geteuid() != 0:
        return "DEVICES NEED ROOT: run as root, to make network namespaces"
    if not Path("/dev/net/tun").exists():
        return "THERE IS NO /dev/net/tun: load the kernel's module tun"
    return ""


@contextmanager
def own_network() -> Iterator[None]:
    """Be in a new network namespace, which has a loopback interface and nothing else."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path("/proc/thread-self/ns/net").open() as before:
        _done(libc.unshare(NEW_NETWORK))
        try:
            set_up("lo")
            for scope in ("all", "default"):
                setting = Path(f"/proc/sys/net/ipv6/conf/{scope}/accept_dad")
                if setting.exists():
                    setting.write_text("0")
            yield
        finally:
            _done(libc.setns(before.fileno(), NEW_NETWORK))


def ip_packet(
    version: int, protocol: int, payload: bytes, tos: int = 0, *, outwards: bool = False
) -> bytes:
    """A whole packet from the other end to us, or outwards; whole to the last checksum."""
    there, here = ENDS[version]
    ends = here + there if outwards else there + here
    if version == 6:
        first = (6 << 28 | tos << 20).to_bytes(4, "big")
        return first + struct.pack("!HBB", len(payload), protocol, 64) + ends + payload
    total = 20 + len(payload)
    header = struct.pack("!BBHHHBBH", 0x45, tos, total, 0x1234, 0x4000, 64, protocol, 0) + ends
    check = checksum(header).to_bytes(2, "big")
    return header[:10] + check + header[12:] + payload


def udp_packet(
    version: int, payload: bytes, tos: int = 0, *, outwards: bool = False, ports: tuple[int, int]
) -> bytes:
    """The same with a UDP header, whose checksum is right."""
    header = struct.pack("!HHHH", *ports, 8 + len(payload), 0)
    pseudo = b"".join(ENDS[version]) + struct.pack("!II", 8 + len(payload), 17)
    check = checksum(pseudo + header + payload) or 0xFFFF
    datagram = header[:6] + check.to_bytes(2, "big") + payload
    return ip_packet(version, 17, datagram, tos, outwards=outwards)


def checksum(octets: bytes) -> int:
    """The Internet's checksum (RFC 1071)."""
    octets += bytes(len(octets) % 2)
    total = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def sizes_of(version: int, count: int, most: int) -> list[bytes]:
    """Packets of all sizes up to ``most``, of an experimental protocol, which nobody answers."""
    smallest = 21 if version == 4 else 41
    sizes = [1 + (most - smallest) * i // max(count - 1, 1) for i in range(count)]
    return [
        ip_packet(version, 253, bytes([i & 0xFF]) * size, outwards=True)
        for i, size in enumerate(sizes)
    ]


def send(port: Port, packets: Sequence[bytes]) -> int:
    """Send packets that lie one behind the other, as long as there is room."""
    lengths = np.array([len(packet) for packet in packets], np.int32)
    starts = np.cumsum(lengths).astype(np.int64) - lengths
    return port.send(np.frombuffer(b"".join(packets), np.uint8), starts, lengths)


def receive(port: Port, wanted: int, patience_s: float = 2.0) -> list[bytes]:
    """Packets that come, as the records say where they are; none of the kernel's own multicast."""
    arena, came = np.zeros(BURST * SLOT_BYTES, np.uint8), list[bytes]()
    while len(came) < wanted and select.select([port], [], [], patience_s)[0]:
        packets = np.zeros(BURST, PACKET)
        for place, packet in enumerate(packets[: port.receive(arena, packets, 7)]):
            assert (packet["verdict"], packet["time_ns"]) == (Verdict.PASSED, 7)
            assert packet["offset"] == place * SLOT_BYTES
            start = packet["offset"]
            whole = arena[start : start + packet["captured_bytes"]].tobytes()
            if not (whole[0] >> 4 == 6 and whole[24] == 0xFF):
                came.append(whole)
    return came


def interface(device: str, request: int, value: bytes = b"") -> bytes:
    """Ask the kernel of an interface by an ioctl; the answer behind the name."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asked = struct.pack("16s24s", device.encode(), value)
        return fcntl.ioctl(asking, request, asked)[16:]


def wait_until_routed() -> None:
    """Wait until the kernel takes packets for our IPv6 address; it takes its time."""
    wanted, until = f"{ENDS[6][1].hex()} 80", time.monotonic() + 2
    while wanted not in Path("/proc/thread-self/net/ipv6_route").read_text():
        assert time.monotonic() < until, "no route to our own address"
        time.sleep(0.001)


def _done(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), "the network namespace")
