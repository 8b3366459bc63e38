"""The crypto pipeline: one packet after the other, each with a service time, in a bounded queue.

Theory. Packets leave in the order in which they come, so a packet's finish follows from the one
before it: ``finish = max(now, free) + service``, where ``free`` is when the engine has served what
it has. No queue needs to be simulated, and a burst costs one pass.

The queue is bounded all the same. With q places, packet n finds one when packet n - q has left; so
a ring of the last q finishes tells from when on the engine takes another packet (``room_ns``). That
finish is never later than ``free``, so waiting for a place delays the driver and no packet. A
burst that finds fewer places than it has packets is taken as a whole; its driver holds the rest
and hands them over as places come free, and nobody may submit again before ``room_ns``.

The engine starts nothing during a stall (a fault) and, on cards that stall while they load, during
a fetch. It never interrupts a packet.

Service times are kept in whole picoseconds: at 100 Gb/s a byte takes 80 of them, and rounding each
packet to a nanosecond would shift the rate by percents. Finishes are rounded up to nanoseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

from nicmodel.faults import Stall
from nicmodel.profile import CardProfile
from nicmodel.residency import Residency

ENGINE: Final = np.dtype(
    [
        ("packet_ps", "i8"),  # service time of a packet, without its bytes
        ("byte_ps", "i8"),
        ("free_ns", "i8"),  # when everything submitted has been served ...
        ("free_ps", "i8"),  # ... and picoseconds beyond that, 0 to 999
        ("stall", "i8"),  # index of the first stall that is not over
        ("place", "i8"),  # in the ring of finishes, of the next packet
        ("packets", "i8"),  # ever served, as the next two
        ("bytes", "i8"),
        ("busy_ps", "i8"),
    ],
    align=True,
)

STALL: Final = np.dtype([("start_ns", "i8"), ("end_ns", "i8")])

_PS: Final = 1000
_RESIDENT: Final = int(Residency.RESIDENT)
_NO_ROWS: Final = np.empty(0, np.int32)


@njit(cache=True)
def submit(
    contexts: npt.NDArray[np.void],
    engine: npt.NDArray[np.void],
    finishes_ns: npt.NDArray[np.int64],
    stalls: npt.NDArray[np.void],
    handles: npt.NDArray[np.int32],
    lengths_bytes: npt.NDArray[np.int32],
    now_ns: int,
    refused: npt.NDArray[np.int32],
) -> tuple[int, int]:
    """Serve the packets of RESIDENT handles; returns (finish of the last one, how many were not).

    ``contexts`` is a record array of CONTEXT by handle, ``engine`` one of ENGINE with one record,
    ``stalls`` one of STALL, in order and apart; ``finishes_ns`` the ring of the last finishes.
    ``refused`` receives the rows of packets whose handle is not RESIDENT.
    """
    finish_ns = now_ns
    refused_count = 0
    for row in range(len(handles)):
        handle = handles[row]
        if not 0 <= handle < len(contexts) or contexts[handle].residency != _RESIDENT:
            refused[refused_count] = row
            refused_count += 1
            continue
        finish_ns = serve(engine, finishes_ns, stalls, lengths_bytes[row], now_ns)
        contexts[handle].last_finish_ns = finish_ns
    return finish_ns, refused_count


@njit(cache=True)
def serve(
    engine: npt.NDArray[np.void],
    finishes_ns: npt.NDArray[np.int64],
    stalls: npt.NDArray[np.void],
    length_bytes: int,
    now_ns: int,
) -> int:
    """Serve one packet that arrives at ``now_ns``; returns when it leaves, in ns."""
    state = engine[0]
    start_ns, start_ps = state.free_ns, state.free_ps
    if start_ns < now_ns:
        start_ns, start_ps = now_ns, 0
    while state.stall < len(stalls) and stalls[state.stall].end_ns <= start_ns:
        state.stall += 1
    if state.stall < len(stalls) and stalls[state.stall].start_ns <= start_ns:
        start_ns, start_ps = stalls[state.stall].end_ns, 0
    service_ps = state.packet_ps + length_bytes * state.byte_ps
    whole_ns = (start_ps + service_ps) // _PS
    state.free_ns = start_ns + whole_ns
    state.free_ps = start_ps + service_ps - whole_ns * _PS
    finish_ns: int = state.free_ns + (1 if state.free_ps > 0 else 0)
    finishes_ns[state.place] = finish_ns
    state.place = state.place + 1 if state.place + 1 < len(finishes_ns) else 0
    state.packets += 1
    state.bytes += length_bytes
    state.busy_ps += service_ps
    return finish_ns


@njit(cache=True)
def room_ns(engine: npt.NDArray[np.void], finishes_ns: npt.NDArray[np.int64]) -> int:
    """From when on the queue takes another packet, in ns."""
    place_free_ns: int = finishes_ns[engine[0].place]
    return place_free_ns


@njit(cache=True)
def drained_ns(engine: npt.NDArray[np.void], finishes_ns: npt.NDArray[np.int64]) -> int:
    """When the last packet submitted leaves, in ns; 0 if there was none."""
    last_finish_ns: int = finishes_ns[engine[0].place - 1]  # the ring closes: -1 is its last place
    return last_finish_ns


@njit(cache=True)
def block(engine: npt.NDArray[np.void], until_ns: int) -> None:
    """Start no packet before ``until_ns``."""
    if engine[0].free_ns < until_ns:
        engine[0].free_ns = until_ns
        engine[0].free_ps = 0


@njit(cache=True)
def flush(engine: npt.NDArray[np.void], finishes_ns: npt.NDArray[np.int64], now_ns: int) -> None:
    """Throw away everything that would leave after ``now_ns``."""
    engine[0].free_ns = now_ns
    engine[0].free_ps = 0
    for place in range(len(finishes_ns)):
        finishes_ns[place] = min(finishes_ns[place], now_ns)


class CryptoEngine:
    """The engine of one card: the compiled functions above and the arrays they work on."""

    def __init__(self, profile: CardProfile, stalls: Sequence[Stall]) -> None:
        self._engine = np.zeros(1, ENGINE)
        self._engine["packet_ps"] = round(profile.engine_packet_ns * _PS)
        self._engine["byte_ps"] = round(profile.engine_byte_ns * _PS)
        self._finishes_ns = np.zeros(profile.engine_queue_packets_max, np.int64)
        self._stalls = stall_columns(stalls)
        self._refused = np.empty(256, np.int32)

    def submit(
        self,
        contexts: npt.NDArray[np.void],
        handles: npt.NDArray[np.int32],
        lengths_bytes: npt.NDArray[np.int32],
        now_ns: int,
    ) -> tuple[int, npt.NDArray[np.int32]]:
        """Serve a burst; returns the finish of the last packet taken and the rows of the others."""
        if len(handles) > len(self._refused):
            self._refused = np.empty(len(handles), np.int32)
        finish_ns, refused_count = submit(
            contexts,
            self._engine,
            self._finishes_ns,
            self._stalls,
            handles,
            lengths_bytes,
            now_ns,
            self._refused,
        )
        return finish_ns, self._refused[:refused_count].copy() if refused_count else _NO_ROWS

    def room_ns(self) -> int:
        """From when on the queue takes another packet, in ns."""
        return room_ns(self._engine, self._finishes_ns)

    def drained_ns(self) -> int:
        """When the last packet submitted leaves, in ns; 0 if there was none."""
        return drained_ns(self._engine, self._finishes_ns)

    def queue_packets(self, now_ns: int) -> int:
        """Packets in the engine and its queue."""
        return int(np.count_nonzero(self._finishes_ns > now_ns))

    def block(self, until_ns: int) -> None:
        """Start no packet before ``until_ns``."""
        block(self._engine, until_ns)

    def flush(self, now_ns: int) -> None:
        """Throw away everything that would leave after ``now_ns``."""
        flush(self._engine, self._finishes_ns, now_ns)

    def served(self) -> tuple[int, int, int]:
        """Packets and bytes ever taken, and their service times in ns."""
        state = self._engine[0]
        return int(state["packets"]), int(state["bytes"]), int(state["busy_ps"]) // _PS


def stall_columns(stalls: Sequence[Stall]) -> npt.NDArray[np.void]:
    """A record array of STALL in order, in which stalls that touch have become one."""
    merged: list[tuple[int, int]] = []
    for start_ns, end_ns in sorted((s.start_ns, s.start_ns + s.duration_ns) for s in stalls):
        if merged and start_ns <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end_ns, merged[-1][1]))
        else:
            merged.append((start_ns, end_ns))
    return np.array(merged, STALL)
