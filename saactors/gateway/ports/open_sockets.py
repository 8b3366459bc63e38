"""Opening the sockets of ports: for ESP in UDP, for raw ESP, for an interface's packets."""

from __future__ import annotations

import errno
import socket
import struct

import numpy as np

from saactors.errors import ParameterError
from saactors.esp.association import Address
from saactors.esp.wire import ESP
from saactors.gateway.ports.sockets import SocketPort

# Linux's numbers, where Python's socket module has no names.
_IP_MTU_DISCOVER, _IPV6_MTU_DISCOVER, _DISCOVER_DO = 10, 23, 2
_IP_RECVTOS, _IPV6_RECVTCLASS = 13, 66
_PACKET_IGNORE_OUTGOING, _SOL_PACKET = 23, 263
_ETH_P_ALL, _ETH_P_IP, _ETH_P_IPV6 = 0x0003, 0x0800, 0x86DD
_SO_ATTACH_FILTER = 26
_TO_OTHERS = 3  # PACKET_OTHERHOST
# What a classic BPF program loads of a packet beside its octets (SKF_AD_OFF + …).
_PROTOCOL, _PACKET_TYPE, _VLAN_TAG_PRESENT = 0xFFFFF000, 0xFFFFF004, 0xFFFFF030


def open_udp(name: str, side: str, address: Address, port: int, buffer_bytes: int) -> SocketPort:
    """A port for ESP in UDP, bound to one of our addresses.

    Raises:
        ParameterError: the address or the port cannot be had.
    """
    opened = _socket(address, socket.SOCK_DGRAM, 0, name)
    _bind(opened, address, port, name)
    text = f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"
    return SocketPort(
        opened,
        name=name,
        kind="udp",
        side=side,
        detail=text,
        address=address,
        receive_buffer_bytes=buffer_bytes,
    )


def open_esp(name: str, side: str, address: Address, buffer_bytes: int) -> SocketPort:
    """A port for ESP as an IP protocol of its own (50), bound to one of our addresses.

    Raises:
        ParameterError: the address cannot be had, or this user may not open raw sockets.
    """
    opened = _socket(address, socket.SOCK_RAW, ESP, name)
    if address.version == 4:
        opened.setsockopt(socket.IPPROTO_IP, socket.IP_HDRINCL, 1)
    _bind(opened, address, 0, name)
    return SocketPort(
        opened,
        name=name,
        kind="esp",
        side=side,
        detail=str(address),
        address=address,
        receive_buffer_bytes=buffer_bytes,
    )


def open_packet(name: str, side: str, interface: str, peer: bytes, buffer_bytes: int) -> SocketPort:
    """A port for the IP packets of an Ethernet interface, sent to one neighbour.

    The interface must not merge or cut packets (GRO, LRO; and TSO and checksum offload of a veth
    pair's other end): ``ethtool -K IFACE gro off lro off``. Merged ones are ``truncated``.

    Raises:
        ParameterError: there is no such interface, or this user may not open it.
    """
    try:
        index = socket.if_nametoindex(interface)
    except OSError:
        raise ParameterError(f"ports: {name}", interface, "an interface that is there") from None
    try:
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
    except PermissionError:
        raise _not_permitted(name) from None
    _only_our_ip(opened)
    opened.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
    try:
        opened.bind((interface, _ETH_P_ALL))
    except OSError as problem:
        opened.close()
        found = f"{interface}: {problem.strerror}"
        raise ParameterError(f"ports: {name}", found, "an interface that is there") from None
    return SocketPort(
        opened,
        name=name,
        kind="packet",
        side=side,
        detail=interface,
        address=None,
        peer=peer,
        index=index,
        receive_buffer_bytes=buffer_bytes,
    )


def _socket(address: Address, kind: int, protocol: int, name: str) -> socket.socket:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        opened = socket.socket(family, kind, protocol)
    except PermissionError:
        raise _not_permitted(name) from None
    except OSError as problem:
        found = f"{address}: {problem.strerror}"
        expected = f"an address of a protocol that this host has; IPv{address.version} is off"
        raise ParameterError(f"ports: {name}", found, expected) from None
    if address.version == 4:
        opened.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _DISCOVER_DO)
        opened.setsockopt(socket.IPPROTO_IP, _IP_RECVTOS, 1)
    else:
        if kind != socket.SOCK_RAW:  # which are of one version anyway, and refuse the option
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _DISCOVER_DO)
        opened.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVTCLASS, 1)
    return opened


def _bind(opened: socket.socket, address: Address, port: int, name: str) -> None:
    if address.is_unspecified:
        opened.close()
        expected = "one address of this host: SAs are found by the address that packets came to"
        raise ParameterError(f"ports: {name}", str(address), expected)
    try:
        opened.bind((str(address), port))
    except OSError as problem:
        opened.close()
        expected = "one of this host's addresses, and a port that nobody else has"
        if problem.errno == errno.EACCES:
            expected = "the right to bind it; run with CAP_NET_BIND_SERVICE"
        found = f"{address} port {port}: {problem.strerror}"
        raise ParameterError(f"ports: {name}", found, expected) from None


def _only_our_ip(opened: socket.socket) -> None:
    """Let the kernel hand over only IPv4 and IPv6, not of VLANs and not for other hosts.

    A promiscuous interface shows frames for others too, and a router must not forward those. The
    kernel has taken VLAN tags off before it shows a packet here; it belongs to another interface.
    """
    program = (
        (0x28, 0, 0, _PROTOCOL),
        (0x15, 1, 0, _ETH_P_IP),
        (0x15, 0, 5, _ETH_P_IPV6),
        (0x28, 0, 0, _PACKET_TYPE),
        (0x15, 3, 0, _TO_OTHERS),
        (0x28, 0, 0, _VLAN_TAG_PRESENT),
        (0x15, 0, 1, 0),
        (0x06, 0, 0, 0x40000),  # take the packet, of any length
        (0x06, 0, 0, 0),
    )
    octets = b"".join(struct.pack("=HBBI", *line) for line in program)
    held = np.frombuffer(octets, np.uint8)
    filter_ = struct.pack("HxxxxxxQ", len(program), held.ctypes.data)
    opened.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, filter_)


def _not_permitted(name: str) -> ParameterError:
    expected = "the right to open raw sockets; run with CAP_NET_RAW"
    return ParameterError(f"ports: {name}", "no permission", expected)
