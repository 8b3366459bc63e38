"""System calls from compiled code: a burst of packets without a Python call for each.

libc's functions are named by symbol; every process has them. ``errno`` is read behind a call that
failed and tells apart what the caller acts on: no room now, a signal, a device that is gone, or a
packet that the kernel will not have.
"""

from __future__ import annotations

import errno
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from numba import types

from saactors.gateway.ports.port import SLOT_BYTES
from saactors.model.compiled import compiled
from saactors.traces.decode import fill_packet
from saactors.traces.links import RAW

_INT_POINTER: Any = types.CPointer(types.int32)  # type: ignore[no-untyped-call]  # Numba types none of them

_READ: Any = types.ExternalFunction("read", types.intp(types.intc, types.uintp, types.uintp))
_WRITE: Any = types.ExternalFunction("write", types.intp(types.intc, types.uintp, types.uintp))
_RECEIVE: Any = types.ExternalFunction(
    "recvmmsg", types.intc(types.intc, types.uintp, types.uintc, types.intc, types.uintp)
)
_SEND: Any = types.ExternalFunction(
    "sendmmsg", types.intc(types.intc, types.uintp, types.uintc, types.intc)
)
# memcpy(target, source, size), of addresses. Whoever calls it keeps both arrays alive.
copy_octets: Any = types.ExternalFunction(
    "memcpy", types.uintp(types.uintp, types.uintp, types.uintp)
)
_ERRNO: Any = types.ExternalFunction("__errno_location", _INT_POINTER())

AGAIN: Final = errno.EAGAIN
INTERRUPTED: Final = errno.EINTR
GONE: Final = (errno.EBADFD, errno.EBADF, errno.ENODEV)

RECEIVED, RECEIVED_BYTES, SENT, SENT_BYTES, REFUSED, TRUNCATED, LAST_ERROR = range(7)
COUNTS: Final = 7


@compiled
def read_packets(
    descriptor: int,
    arena: npt.NDArray[np.uint8],
    packets: npt.NDArray[np.void],
    now_ns: int,
    counts: npt.NDArray[np.int64],
) -> int:
    """Read whole packets of a device; how many. ``counts[LAST_ERROR]`` says why it ended."""
    row = 0
    counts[LAST_ERROR] = 0
    base = arena.ctypes.data
    while row < len(packets):
        size = _READ(descriptor, base + row * SLOT_BYTES, SLOT_BYTES)
        if size < 0:
            error = _ERRNO()[0]
            if error == INTERRUPTED:
                continue
            counts[LAST_ERROR] = error
            break
        if size == 0:
            break
        if size == SLOT_BYTES:
            counts[TRUNCATED] += 1  # it filled the slot, so it may have been longer
            continue
        fill_packet(packets[row], arena, row * SLOT_BYTES, size, size, RAW, now_ns)
        counts[RECEIVED] += 1
        counts[RECEIVED_BYTES] += size
        row += 1
    return row


@compiled
def write_packets(
    descriptor: int,
    data: npt.NDArray[np.uint8],
    starts: npt.NDArray[np.int64],
    lengths: npt.NDArray[np.int32],
    counts: npt.NDArray[np.int64],
) -> int:
    """Write whole packets to a device; how many it took or refused for good."""
    base = data.ctypes.data
    row = 0
    counts[LAST_ERROR] = 0
    while row < len(starts):
        size = _WRITE(descriptor, base + starts[row], lengths[row])
        if size >= 0:
            counts[SENT] += 1
            counts[SENT_BYTES] += lengths[row]
        else:
            error = _ERRNO()[0]
            if error == INTERRUPTED:
                continue
            counts[LAST_ERROR] = error
            if error == AGAIN or error in GONE:
                break
            counts[REFUSED] += 1
        row += 1
    return row


@compiled
def receive_messages(descriptor: int, messages: npt.NDArray[np.void], count: int) -> int:
    """``recvmmsg`` without waiting; how many messages, or -errno."""
    while True:
        got = _RECEIVE(descriptor, messages.ctypes.data, count, 0x40, 0)  # MSG_DONTWAIT
        if got >= 0:
            return int(got)
        error = _ERRNO()[0]
        if error != INTERRUPTED:
            return -int(error)


@compiled
def send_messages(descriptor: int, messages: npt.NDArray[np.void], first: int, count: int) -> int:
    """``sendmmsg`` without waiting, from message ``first`` on; how many, or -errno."""
    while True:
        at = messages.ctypes.data + first * messages.itemsize
        sent = _SEND(descriptor, at, count, 0x40)
        if sent >= 0:
            return int(sent)
        error = _ERRNO()[0]
        if error != INTERRUPTED:
            return -int(error)
