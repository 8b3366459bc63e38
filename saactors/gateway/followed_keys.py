"""A key file that grows: what strongSwan's ``save-keys`` plugin writes as SAs are negotiated.

The plugin appends a line of Wireshark's ``esp_sa`` table for every SA, both directions of a child
one behind the other. Taken over as they come, they are rekeying: the newest outbound SA to a peer
does the work from then on (a policy's ``peer``), the older one is kept for a while for what is
still under way from the other end, then deleted.

The file says neither which traffic a child is for nor UDP ports. So one child per pair of endpoints
can be told apart, and ports are the gateway's own setting.

A peer may use a new SA at once, so the file is looked at fifty times a second; what comes before
that is dropped as ``unknown_spi``. Having the kernel tell us (inotify) would save ``stat`` calls of
two microseconds, and cost a dependency or a binding of our own.
"""

from __future__ import annotations

import os
import stat
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import replace
from hashlib import blake2b
from ipaddress import ip_address
from pathlib import Path
from typing import Final, NamedTuple

import trio

from saactors.errors import KeyTableError
from saactors.esp.association import Address, Association
from saactors.esp.sa_formats.dpdk import Direction
from saactors.esp.sa_formats.wireshark import UNSUPPORTED_SUITE, parse_key_table

LOOK_S: Final = 0.02
LINES_KEPT: Final = 65_536  # lines that are known again; their digests, not their keys
LINE_BYTES_MAX: Final = 4096
_READ_BYTES: Final = 1 << 20


class Found(NamedTuple):
    """What new lines held: SAs with their directions, and problems as sentences without keys."""

    sas: list[tuple[Direction, Association]]
    problems: list[str]


class FollowedKeys:
    """The lines of one file; ``local`` are our outer addresses, which tell an SA's direction."""

    def __init__(self, name: str, local: set[Address], udp_ports: tuple[int, int] | None) -> None:
        self._name = name
        self._local = local
        self._udp_ports = udp_ports
        self._begun = b""  # a line whose end has not been written yet
        self._line = 0
        self._known: OrderedDict[bytes, None] = OrderedDict()

    def handle_replaced(self) -> None:
        """The file has been replaced, or cut: it is read from its beginning again."""
        self._begun, self._line = b"", 0

    def handle_bytes(self, octets: bytes) -> Found:
        """What has been appended; lines that were seen before are not given again."""
        *lines, self._begun = (self._begun + octets).split(b"\n")
        found = Found([], [])
        for line in lines:
            self._line += 1
            self._take(line, found)
        if len(self._begun) > LINE_BYTES_MAX:
            if not self._begun.startswith(b"#"):
                text = f"line {self._line + 1} is longer than {LINE_BYTES_MAX} bytes"
                found.problems.append(text)
            self._begun = b"#"  # the rest of it is a comment
        return found

    def _take(self, line: bytes, found: Found) -> None:
        if not line.strip() or line.startswith(b"#"):
            return
        digest = blake2b(line, digest_size=16).digest()
        if digest in self._known:
            return
        self._known[digest] = None
        if len(self._known) > LINES_KEPT:
            self._known.popitem(last=False)
        try:
            [entry] = parse_key_table(line.decode("utf-8", "replace"), self._name).entries
            if entry.suite == UNSUPPORTED_SUITE:
                found.problems.append(f"line {self._line}: a suite that we do not have")
                return
            association = entry.association(self._name)
        except KeyTableError as problem:
            found.problems.append(f"line {self._line}: {problem.problem}")
            return
        direction = self._direction(association)
        if direction is None:
            ends = f"{association.source} to {association.destination}"
            found.problems.append(f"line {self._line}: {ends}, neither of them ours")
            return
        found.sas.append((direction, self._with_ports(association)))

    def _direction(self, association: Association) -> Direction | None:
        if association.source in self._local:
            return "out"
        return "in" if association.destination in self._local else None

    def _with_ports(self, association: Association) -> Association:
        if self._udp_ports is None:
            return association
        source, destination = self._udp_ports
        return replace(association, source_port=source, destination_port=destination)


def addresses(texts: tuple[str, ...]) -> set[Address]:
    """Addresses from their texts, which the gateway's file has had checked."""
    return {ip_address(text) for text in texts}


async def follow_file(
    path: str, keys: FollowedKeys, deliver: Callable[[Found], Awaitable[None]]
) -> None:
    """Give ``deliver`` what is in the file and what is appended, until cancelled.

    The file may be missing yet, and may be replaced. One that others than its owner can read is
    used and complained about: the keys are out already.
    """
    descriptor, at, told = -1, 0, False
    try:
        while True:
            now = _status(path)
            if now is not None and (descriptor < 0 or not _is_same(descriptor, now, at)):
                if descriptor >= 0:
                    os.close(descriptor)
                descriptor, at = _opened(path), 0
                keys.handle_replaced()
                if now.st_mode & (stat.S_IRWXG | stat.S_IRWXO) and not told:
                    told = True
                    await deliver(Found([], [f"{path} can be read by others; chmod 600 it"]))
            while descriptor >= 0 and (octets := os.pread(descriptor, _READ_BYTES, at)):
                at += len(octets)
                found = keys.handle_bytes(octets)
                if found.sas or found.problems:
                    await deliver(found)
            await trio.sleep(LOOK_S)
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _status(path: str) -> os.stat_result | None:
    try:
        return Path(path).stat()
    except OSError:
        return None


def _opened(path: str) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return -1


def _is_same(descriptor: int, now: os.stat_result, at: int) -> bool:
    """Whether the path still leads to the file that is read, and that has not become shorter."""
    ours = os.fstat(descriptor)
    return (ours.st_dev, ours.st_ino) == (now.st_dev, now.st_ino) and now.st_size >= at
