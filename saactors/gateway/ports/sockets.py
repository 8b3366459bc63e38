"""Ports that are sockets: ESP in UDP (RFC 3948), raw ESP, and packets of an interface."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Final

import numpy as np
import numpy.typing as npt

from saactors.esp.association import Address
from saactors.esp.demultiplex import NAT_PORT
from saactors.gateway.ports.link_names import fill_link_names
from saactors.gateway.ports.messages import (
    Messages,
    header_bytes_of,
    prepare_receiving,
    prepare_sending,
    take_in,
)
from saactors.gateway.ports.port import Octets, read_only
from saactors.gateway.ports.system_calls import (
    AGAIN,
    GONE,
    receive_messages,
    send_messages,
)

BATCH_MAX: Final = 256
RECEIVE_BUFFER_BYTES: Final = 4 << 20
"""The kernel's ring for a socket: some 2000 packets of 1500 bytes with the kernel's overhead."""

_NO_LINK: Final = (errno.ENETDOWN, errno.ENXIO)  # to receive from, to send to

# Linux's numbers, where Python's socket module has no names.
_IP_MTU, _IPV6_MTU = 14, 24
_SO_MEMINFO, _MEMINFO_DROPS, _MEMINFO_BYTES = 55, 8, 36
_SO_RCVBUFFORCE, _SO_SNDBUFFORCE = 33, 32


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
        self._too_big: set[bytes] = set()
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
            self._raise_if_gone(-got)
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
        outgoing, taken, data = self._outgoing, 0, read_only(data)
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
                sizes = messages["length"][done : done + sent]
                self._counts["sent_packets"] += sent
                self._counts["sent_bytes"] += int(sizes.sum()) + self._header_bytes * sent
                done += sent
                continue
            if -sent == AGAIN:
                return done, True
            self._raise_if_gone(-sent)
            if -sent == errno.EMSGSIZE and len(self._too_big) < BATCH_MAX:
                self._too_big.add(self._outgoing.names[done].tobytes())
            self._counts["send_refused"] += 1
            done += 1
        return done, False

    def _raise_if_gone(self, error: int) -> None:
        """An interface that is down may come back; one that was removed does not."""
        removed = error in _NO_LINK and self._index and not _is_there(self._index)
        if removed or error in GONE:
            raise OSError(error, f"port {self.name} is gone")

    def poll_path_mtus(self) -> Sequence[tuple[Address, int]]:
        """Destinations that took a packet for too big, with the kernel's MTU for each."""
        if not self._too_big or not self.ip_version:
            return ()
        names, self._too_big = self._too_big, set()
        found = []
        for name in names:
            octets = name[4:8] if self.ip_version == 4 else name[8:24]
            destination = ip_address(octets)
            mtu = _path_mtu(destination)
            if mtu:
                found.append((destination, mtu))
        return found

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


def _is_there(index: int) -> bool:
    try:
        socket.if_indextoname(index)
    except OSError:
        return False
    return True


def _path_mtu(destination: Address) -> int:
    """What the kernel thinks that the path takes; 0 if it does not know."""
    family = socket.AF_INET if destination.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect((str(destination), NAT_PORT))
            if destination.version == 4:
                return asking.getsockopt(socket.IPPROTO_IP, _IP_MTU)
            return asking.getsockopt(socket.IPPROTO_IPV6, _IPV6_MTU)
        except OSError:
            return 0


def _enlarge(opened: socket.socket, size: int) -> None:
    """Have buffers of that size, beyond the system's bound where that is permitted."""
    for forced, plain in ((_SO_RCVBUFFORCE, socket.SO_RCVBUF), (_SO_SNDBUFFORCE, socket.SO_SNDBUF)):
        try:
            opened.setsockopt(socket.SOL_SOCKET, forced, size)
        except PermissionError:
            opened.setsockopt(socket.SOL_SOCKET, plain, size)
