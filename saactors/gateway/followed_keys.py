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
_READ_BYTES: Final = 1 << 14  # about 80 lines, which are read in a few ms; then others' turn comes


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
            # Text has more ends of lines than the file, so that none or two may be in one.
            entries = parse_key_table(line.decode("utf-8", "replace"), self._name).entries
            if len(entries) != 1:
                found.problems.append(f"line {self._line}: found {len(entries)} SAs, expected one")
                return
            if entries[0].suite == UNSUPPORTED_SUITE:
                found.problems.append(f"line {self._line}: a suite that we do not have")
                return
            association = entries[0].association(self._name)
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
    used and complained about: the keys are out already. One that others can write is not used, as
    long as they can: they could have our traffic sealed with keys of theirs.
    """
    tail, told = _Tail(path), ""
    try:
        while True:
            look = tail.look()
            if look.is_new:
                keys.handle_replaced()
            if look.complaint not in {"", told}:
                await deliver(Found([], [look.complaint]))
            told = look.complaint
            found = keys.handle_bytes(look.octets)
            if found.sas or found.problems:
                await deliver(found)
            await trio.sleep(0 if look.octets else LOOK_S)
    finally:
        tail.close()


class _Look(NamedTuple):
    """What has been appended; ``is_new``: at the beginning of a file that was not read before."""

    octets: bytes = b""
    is_new: bool = False
    complaint: str = ""


class _Tail:
    """A file by its path, and how far it has been read."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptor = -1
        self._at = 0

    def look(self) -> _Look:
        """Read on. A file that has been replaced is read to its end first."""
        is_new = False
        try:
            octets, complaint = self._read()
            if not octets and self._is_replaced():
                self.close()
                # A pipe without a writer would have us wait.
                flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
                self._descriptor = os.open(self._path, flags)
                self._at, is_new = 0, True
                octets, complaint = self._read()
        except FileNotFoundError:
            return _Look()
        except OSError as error:
            return _Look(is_new=is_new, complaint=f"{self._path}: {error.strerror}")
        return _Look(octets, is_new, complaint)

    def close(self) -> None:
        """Read no more."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

    def _read(self) -> tuple[bytes, str]:
        """The next bytes, and what is to be said of the file."""
        if self._descriptor < 0:
            return b"", ""
        mode, complaint = os.fstat(self._descriptor).st_mode, ""
        if not stat.S_ISREG(mode):
            return b"", f"{self._path} is not followed: found no regular file, expected one"
        if mode & (stat.S_IWGRP | stat.S_IWOTH):
            return b"", f"{self._path} is not followed: others can write it; chmod 600 it"
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            complaint = f"{self._path} can be read by others; chmod 600 it"
        octets = os.pread(self._descriptor, _READ_BYTES, self._at)
        self._at += len(octets)
        return octets, complaint

    def _is_replaced(self) -> bool:
        """Whether the path leads to another file than the one that is read, or that was cut."""
        now = Path(self._path).stat()
        if self._descriptor < 0:
            return True
        ours = os.fstat(self._descriptor)
        is_same = (ours.st_dev, ours.st_ino) == (now.st_dev, now.st_ino)
        return not is_same or now.st_size < self._at
