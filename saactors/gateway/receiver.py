"""The live source: what a port has received becomes bursts, as a driver polls its ring.

A burst is whatever has come when it is asked, up to its size; under load bursts are full without
any wait, and a lone packet goes on at once. ``wait_ns`` lets a burst that is not full wait for more
(``burst_wait_us``): fewer and larger bursts for some latency.

Nothing is read while the edge behind is full. Then packets gather in the port's ring in the kernel,
and when that is full the kernel drops and counts them: ``rx_ring_full``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import trio
from numba import njit

from saactors.actors.burst_news import BurstNews
from saactors.errors import RunError
from saactors.gateway.ports.port import SLOT_BYTES, Port
from saactors.gateway.ports.system_calls import copy_octets
from saactors.model.burst import Burst
from saactors.model.packets import PACKET
from saactors.runtime.clock import Clock
from saactors.runtime.edges import Outlet


async def run_receiver(
    port: Port,
    classifier: Outlet[Burst],
    burst_max: int,
    wait_ns: int,
    next_number: Callable[[], int],
    clock: Clock,
    news: BurstNews,
) -> None:
    """Receive until cancelled, or until a port that plays a capture has played it."""
    inbound = port.side == "outside"
    arena, unused = np.empty(burst_max * SLOT_BYTES, np.uint8), np.zeros(burst_max, PACKET)
    while True:
        packets = unused
        began_ns = news.begin()
        count = _received(port, arena, packets, clock.now_ns())
        if not count:
            if not await _wait(port, clock):
                return
            continue
        if wait_ns and count < burst_max:
            await clock.sleep_until_ns(clock.now_ns() + wait_ns)
            rest = arena[count * SLOT_BYTES :]
            more = _received(port, rest, packets[count:], clock.now_ns())
            packets["offset"][count : count + more] += count * SLOT_BYTES
            count += more
        packets, unused = packets[:count], np.zeros(burst_max, PACKET)
        burst = Burst(closed_up(arena, packets), packets, next_number(), inbound=inbound)
        news.handled("source", burst, None, began_ns, port.name)
        await classifier.send(burst)
        await trio.lowlevel.checkpoint()  # a port that always has packets is not the only actor


@njit(cache=True)
def closed_up(arena: npt.NDArray[np.uint8], packets: npt.NDArray[np.void]) -> npt.NDArray[np.uint8]:
    """The packets without the gaps between their slots, as data of their own.

    A burst lives until its slowest packet has left, and must not keep the arena that long, which
    is the same for every burst so that it stays in the processor's cache.
    """
    size = 0
    for row in range(len(packets)):
        size += packets[row].captured_bytes
    data = np.empty(size, np.uint8)
    source, target, at = arena.ctypes.data, data.ctypes.data, 0
    for row in range(len(packets)):
        packet = packets[row]
        length = packet.captured_bytes
        # Not by slices: Numba copies those octet by octet, in six times the time.
        copy_octets(target + at, source + packet.offset, length)
        packet.offset = at
        at += length
    return data


def _received(
    port: Port, arena: npt.NDArray[np.uint8], packets: npt.NDArray[np.void], now_ns: int
) -> int:
    """Receive; a device that is gone ends the run."""
    try:
        return port.receive(arena, packets, now_ns)
    except OSError as problem:
        raise RunError(f"port {port.name}: {problem.strerror}; the gateway cannot go on") from None


async def _wait(port: Port, clock: Clock) -> bool:
    """Wait until a port may have packets; False if it will have no more."""
    if port.fileno() >= 0:
        await trio.lowlevel.wait_readable(port.fileno())
        return True
    due_ns = port.next_ns()
    if due_ns is None:
        return False
    await clock.sleep_until_ns(due_ns)
    return True
