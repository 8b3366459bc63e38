"""Ports that are sockets: ESP in UDP (RFC 3948), raw ESP, and packets of an interface."""

from __future__ import annotations

import errno
import socket
import struct
from ipaddress import IPv4Address, IPv6Address
from typing import Final

import numpy as np
import numpy.typing as npt

from saactors.errors import ParameterError
from saactors.esp.demultiplex import NAT_PORT
from saactors.esp.wire import ESP
from saactors.gateway.ports.link_names import fill_link_names
from saactors.gateway.ports.messages import (
    Messages,
    header_bytes_of,
    prepare_receiving,
    prepare_sending,
    take_in,
)
from saactors.gateway.ports.port import Octets
from saactors.gateway.ports.system_calls import (
    AGAIN,
    GONE,
    NO_BUFFERS,
    receive_messages,
    send_messages,
)

BATCH_MAX: Final = 256
RECEIVE_BUFFER_BYTES: Final = 4 << 20
"""The kernel's ring for a socket: some 2000 packets of 1500 bytes with the kernel's overhead."""

# Linux's numbers, where Python's socket module has no names.
_IP_MTU_DISCOVER, _IPV6_MTU_DISCOVER, _DISCOVER_DO = 10, 23, 2
_IP_RECVTOS, _IPV6_RECVTCLASS = 13, 66
_SO_MEMINFO, _MEMINFO_DROPS, _MEMINFO_BYTES = 55, 8, 36
_SO_RCVBUFFORCE, _SO_SNDBUFFORCE = 33, 32
_PACKET_IGNORE_OUTGOING, _SOL_PACKET = 23, 263
_ETH_P_ALL, _ETH_P_IP, _ETH_P_IPV6 = 0x0003, 0x0800, 0x86DD
_SO_ATTACH_FILTER = 26

Address = IPv4Address | IPv6Address


class SocketPort:
    """A port over a socket that gives and takes packets without the first ``header_bytes``."""

    def __init__(
        self,
        opened: socket.socket,
        *,
        name: str,
        kind: str,
        side: str,
        detail: str,
        address: Address | None,
        peer: bytes = b"",
        index: int = 0,
        receive_buffer_bytes: int = RECEIVE_BUFFER_BYTES,
    ) -> None:
        self.name, self.kind, self.side, self.detail = name, kind, side, detail
        self.ip_version: int = 0 if address is None else address.version
        self._socket = opened
        self._in_udp = kind == "udp"
        self._has_header = kind == "packet" or (kind == "esp" and self.ip_version == 4)
        self._header_bytes = (
            0 if self._has_header else header_bytes_of(self.ip_version, self._in_udp)
        )
        self._local = np.zeros(16, np.uint8)
        if address is not None:
            octets = np.frombuffer(address.packed, np.uint8)
            self._local[: len(octets)] = octets
        self._peer, self._index = peer, index
        self._incoming, self._outgoing = Messages(BATCH_MAX), Messages(BATCH_MAX)
        self._counts = dict.fromkeys(
            (
                "received_packets",
                "received_bytes",
                "sent_packets",
                "sent_bytes",
                "send_refused",
                "truncated",
            ),
            0,
        )
        _enlarge(opened, receive_buffer_bytes)
        opened.setblocking(False)

    def fileno(self) -> int:
        """The socket's descriptor."""
        return self._socket.fileno()

    def next_ns(self) -> int | None:
        """Never: whoever waits, waits for the descriptor."""
        return None

    def receive(self, arena: Octets, packets: npt.NDArray[np.void], now_ns: int) -> int:
        """Take packets that are there, whole, with the header that the kernel kept."""
        incoming = self._incoming
        count = min(len(packets), BATCH_MAX)
        prepare_receiving(incoming.messages, incoming.pieces, arena, count, self._header_bytes)
        got = receive_messages(self._socket.fileno(), incoming.messages, count)
        if got < 0:
            if -got in GONE:
                raise OSError(-got, f"port {self.name} is gone")
            return 0  # nothing there, or an ICMP error that concerns one packet of ours
        if not got:
            return 0
        taken, truncated = take_in(
            incoming.messages,
            incoming.names,
            incoming.controls,
            arena,
            packets,
            got,
            self.ip_version,
            self._in_udp,
            self._has_header,
            self._local,
            NAT_PORT,  # whatever it is bound to: ESP behind UDP is known by this number
            now_ns,
        )
        counts = self._counts
        counts["received_packets"] += taken
        counts["received_bytes"] += int(packets["captured_bytes"][:taken].sum())
        counts["truncated"] += truncated
        return taken

    def send(
        self, data: Octets, starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int32]
    ) -> int:
        """Send packets to where their headers say; the socket's kind says what goes along."""
        outgoing, taken = self._outgoing, 0
        while taken < len(starts):
            count = min(len(starts) - taken, BATCH_MAX)
            chosen = slice(taken, taken + count)
            prepare_sending(
                outgoing.messages,
                outgoing.pieces,
                outgoing.names,
                outgoing.controls,
                data,
                starts[chosen],
                lengths[chosen],
                count,
                self.ip_version or 4,
                self._in_udp,
                self._has_header,
            )
            if self.kind == "packet":
                peer = np.frombuffer(self._peer, np.uint8)
                fill_link_names(
                    outgoing.messages, outgoing.names, data, starts[chosen], self._index, peer
                )
            done, blocked = self._send_prepared(count)
            sizes = outgoing.messages["length"][:done]
            self._counts["sent_bytes"] += int(sizes.sum()) + self._header_bytes * done
            taken += done
            if blocked:
                break
        return taken

    def _send_prepared(self, count: int) -> tuple[int, bool]:
        """Send prepared messages; (how many are done with, whether there was no more room)."""
        messages, done = self._outgoing.messages, 0
        while done < count:
            sent = send_messages(self._socket.fileno(), messages, done, count - done)
            if sent >= 0:
                self._counts["sent_packets"] += sent
                done += sent
                continue
            if -sent in (AGAIN, NO_BUFFERS):
                return done, -sent == AGAIN or done > 0
            if -sent in GONE:
                raise OSError(-sent, f"port {self.name} is gone")
            messages["length"][done] = 0
            self._counts["send_refused"] += 1
            done += 1
        return done, False

    def statistics(self) -> dict[str, int]:
        """Counts since the port was opened; the kernel's drops are asked for now."""
        dropped = 0
        if self._socket.fileno() >= 0:
            told = self._socket.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO_BYTES)
            if len(told) == _MEMINFO_BYTES:
                dropped = struct.unpack("=9I", told)[_MEMINFO_DROPS]
        return {**self._counts, "ring_dropped": dropped}

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


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
    _only_ip(opened)
    opened.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
    opened.bind((interface, _ETH_P_ALL))
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
    try:
        opened.bind((str(address), port))
    except OSError as problem:
        opened.close()
        expected = "one of this host's addresses, and a port that nobody else has"
        if problem.errno == errno.EACCES:
            expected = "the right to bind it; run with CAP_NET_BIND_SERVICE"
        found = f"{address} port {port}: {problem.strerror}"
        raise ParameterError(f"ports: {name}", found, expected) from None


def _only_ip(opened: socket.socket) -> None:
    """Let the kernel hand over IPv4 and IPv6 alone, by a classic BPF program."""
    program = (
        (0x28, 0, 0, 0xFFFFF000),  # load the protocol (SKF_AD_OFF + SKF_AD_PROTOCOL)
        (0x15, 1, 0, _ETH_P_IP),
        (0x15, 0, 1, _ETH_P_IPV6),
        (0x06, 0, 0, 0xFFFF),  # take the packet
        (0x06, 0, 0, 0),
    )
    octets = b"".join(struct.pack("=HBBI", *line) for line in program)
    held = np.frombuffer(octets, np.uint8)
    filter_ = struct.pack("HxxxxxxQ", len(program), held.ctypes.data)
    opened.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, filter_)


def _enlarge(opened: socket.socket, size: int) -> None:
    """Have buffers of that size, beyond the system's bound where that is permitted."""
    for forced, plain in ((_SO_RCVBUFFORCE, socket.SO_RCVBUF), (_SO_SNDBUFFORCE, socket.SO_SNDBUF)):
        try:
            opened.setsockopt(socket.SOL_SOCKET, forced, size)
        except PermissionError:
            opened.setsockopt(socket.SOL_SOCKET, plain, size)


def _not_permitted(name: str) -> ParameterError:
    expected = "the right to open raw sockets; run with CAP_NET_RAW"
    return ParameterError(f"ports: {name}", "no permission", expected)
