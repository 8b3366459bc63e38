"""Counted traffic through tunnels: every datagram is answered, and every answer awaited.

So the number of packets is what the scenario says, on any machine at any load.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from charon import Child
from charon_pair import Pair
from namespace_sockets import socket_inside

REPLY_TIMEOUT_S: Final = 5.0
# Datagrams under way at once: few enough for every queue between here and there.
UNDER_WAY_MAX: Final = 16
_PORT: Final = 7  # echo (RFC 862)
_RECEIVED: Final = re.compile(r"(\d+) received")


def payload(size_bytes: int) -> bytes:
    """Octets of a datagram; no two sizes begin alike."""
    return bytes((size_bytes + 7 * place) & 0xFF for place in range(size_bytes))


@dataclass(frozen=True)
class Echo:
    """A UDP socket at each end of a child's tunnel."""

    child: Child
    near: socket.socket
    far: socket.socket

    def exchange(self, payloads: Sequence[bytes]) -> int:
        """Send datagrams, at the other end send them back; returns how many packets that made.

        Raises RuntimeError where one does not arrive, or other octets do.
        """
        for start in range(0, len(payloads), UNDER_WAY_MAX):
            batch = payloads[start : start + UNDER_WAY_MAX]
            for octets in batch:
                self.near.send(octets)
            for octets in batch:
                self.far.send(self._receive(self.far, octets))
            for octets in batch:
                self._receive(self.near, octets)
        return 2 * len(payloads)

    def _receive(self, end: socket.socket, expected: bytes) -> bytes:
        try:
            octets = end.recv(65_535)
        except TimeoutError:
            message = f"{self.child.name}: {len(expected)} bytes sent, none came within "
            raise RuntimeError(f"{message}{REPLY_TIMEOUT_S:g} s") from None
        if octets != expected:
            message = f"{self.child.name}: {len(octets)} bytes came, expected other "
            raise RuntimeError(f"{message}{len(expected)}")
        return octets


@contextmanager
def echo(pair: Pair, child: Child) -> Iterator[Echo]:
    """Sockets between the two inner addresses of a child."""
    family = socket.AF_INET if child.inner_version == 4 else socket.AF_INET6
    with (
        socket_inside(pair.a.end.namespace, family, socket.SOCK_DGRAM) as near,
        socket_inside(pair.b.end.namespace, family, socket.SOCK_DGRAM) as far,
    ):
        ends = [(str(child.address(side)), _PORT) for side in (1, 2)]
        for own, here, there in ((near, ends[0], ends[1]), (far, ends[1], ends[0])):
            own.settimeout(REPLY_TIMEOUT_S)
            own.bind(here)
            own.connect(there)
        yield Echo(child, near, far)


def ping(pair: Pair, child: Child, count: int, size_bytes: int) -> int:
    """Have ``ping`` ask from a's end; returns how many packets that made."""
    words = ["ping", "-n", "-c", str(count), "-i", "0.01", "-s", str(size_bytes)]
    words += ["-W", f"{REPLY_TIMEOUT_S:g}", "-I", str(child.address(1)), str(child.address(2))]
    done = pair.a.end.namespace.run(words, check=False)
    match = _RECEIVED.search(done.stdout)
    if match is None or int(match[1]) != count:
        raise RuntimeError(f"{child.name}: not {count} replies to ping: {done.stdout[-300:]}")
    return 2 * count
