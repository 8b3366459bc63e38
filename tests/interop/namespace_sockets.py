"""Sockets of this process inside another network namespace: no program to start for a datagram."""

from __future__ import annotations

import ctypes
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from namespaces import Namespace

_CLONE_NEWNET: Final = 0x4000_0000  # of <sched.h>
_OWN: Final = Path("/proc/thread-self/ns/net")
_NAMED: Final = Path("/run/netns")

_libc = ctypes.CDLL(None, use_errno=True)


def socket_inside(inside: Namespace, family: int, kind: int, protocol: int = 0) -> socket.socket:
    """A socket that belongs to a namespace for as long as it lives.

    Only this thread is inside, and only while the socket is made.
    """
    with _entered(_NAMED / inside.name):
        return socket.socket(family, kind, protocol)


@contextmanager
def _entered(place: Path) -> Iterator[None]:
    with _OWN.open("rb") as own, place.open("rb") as other:
        _enter(other.fileno())
        try:
            yield
        finally:
            _enter(own.fileno())


def _enter(descriptor: int) -> None:
    # Python has os.setns from 3.12 on only.
    if _libc.setns(descriptor, _CLONE_NEWNET):
        code = ctypes.get_errno()
        raise OSError(code, f"cannot enter a network namespace: {os.strerror(code)}")
