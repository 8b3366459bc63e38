"""What SAs have used of their lifetimes: counters, limits and what is to be told of them.

Only SAs with an index up to the highest that was given a limit have counters; where none has a
limit, charging packets is one comparison. One owner charges an SA's packets, in order.

Limits of packets and bytes are noticed by the packets, limits of time by a heap of deadlines that
is looked at before any packet is charged: at one instant, time comes first. An SA that has reached
a hard limit is done with: nothing more is charged to it, and nothing more is told of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from saactors.esp.lifetime import LIMIT_MAX, Lifetime
from saactors.esp.verdict_numbers import LIFETIME_EXPIRED, PASSED
from saactors.model.compiled import compiled
from saactors.model.sa import grown

Kind: TypeAlias = Literal["soft", "hard"]
Limit: TypeAlias = Literal["packets", "bytes", "time"]

COUNTED: Final = ("soft_packets", "hard_packets", "soft_bytes", "hard_bytes")

USE: Final = np.dtype(
    [
        ("packets", "i8"),
        ("bytes", "i8"),
        *((limit, "i8") for limit in COUNTED),  # 0: none
        ("is_limited", "u1"),
        ("reached", "u1"),  # bits of REACHED
    ],
    align=True,
)

REACHED: Final[tuple[tuple[Kind, Limit], ...]] = (
    ("soft", "packets"),
    ("soft", "bytes"),
    ("soft", "time"),
    ("hard", "packets"),
    ("hard", "bytes"),
    ("hard", "time"),
)
"""What a bit of ``reached`` stands for, from the lowest."""

_SOFT_PACKETS, _SOFT_BYTES, _SOFT_TIME, _HARD_PACKETS, _HARD_BYTES, _HARD_TIME = (
    1 << bit for bit in range(len(REACHED))
)
_SOFT: Final = _SOFT_PACKETS | _SOFT_BYTES | _SOFT_TIME
_HARD: Final = _HARD_PACKETS | _HARD_BYTES | _HARD_TIME


@dataclass(frozen=True, slots=True)
class LifetimeEvent:
    """An SA has reached a limit: ``kind`` of ``limit``, noticed at ``time_ns``."""

    sa: int
    kind: Kind
    limit: Limit
    time_ns: int

    @property
    def number(self) -> int:
        """Of all that can be told of all SAs; every number is told once."""
        return self.sa * len(REACHED) + REACHED.index((self.kind, self.limit))


class Lifetimes:
    """The lifetimes of an SA table's SAs."""

    __slots__ = ("_deadlines", "_events", "_expired_packets", "_use")

    def __init__(self) -> None:
        self._use = np.zeros(0, USE)
        self._deadlines: list[tuple[int, int, int]] = []  # heap of (instant, SA, bit of REACHED)
        self._events: list[LifetimeEvent] = []
        self._expired_packets = 0

    def __repr__(self) -> str:
        return f"Lifetimes({int(self._use['is_limited'].sum())} SAs with limits)"

    @property
    def has_limits(self) -> bool:
        """Whether an SA has been given limits."""
        return len(self._use) > 0

    def limit(self, sa: int, lifetime: Lifetime, start_ns: int) -> None:
        """Give an SA its limits and nothing used; its time begins at ``start_ns``."""
        if sa < len(self._use) and self._use[sa]["is_limited"]:
            self._deadlines = [deadline for deadline in self._deadlines if deadline[1] != sa]
            heapify(self._deadlines)
        elif not lifetime.is_limited:
            return
        self._use = grown(self._use, sa + 1)
        counted = (getattr(lifetime, limit) for limit in COUNTED)
        self._use[sa] = (0, 0, *counted, lifetime.is_limited, 0)
        for span_ns, bit in ((lifetime.soft_ns, _SOFT_TIME), (lifetime.hard_ns, _HARD_TIME)):
            if span_ns:
                heappush(self._deadlines, (min(start_ns + span_ns, LIMIT_MAX), sa, bit))

    def charge(
        self,
        sa: npt.NDArray[np.int32],
        length_bytes: npt.NDArray[np.int32],
        verdict: npt.NDArray[np.uint8],
        now_ns: int,
    ) -> None:
        """Charge the rows whose verdict is PASSED, in order; all columns have shape (n,).

        A packet that would go beyond a hard limit gets LIFETIME_EXPIRED and uses nothing, and so
        do all after it. The packet that reaches a soft limit passes.
        """
        if not self.has_limits:
            return
        self.handle_time(now_ns)
        reached = np.zeros(len(sa), np.uint8)
        self._expired_packets += int(_charge(self._use, sa, length_bytes, verdict, reached))
        for row in np.flatnonzero(reached).tolist():
            self._tell(int(sa[row]), int(reached[row]), now_ns)

    def handle_time(self, now_ns: int) -> None:
        """Notice limits of time that are due, whether or not packets come."""
        while self._deadlines and self._deadlines[0][0] <= now_ns:
            _, sa, bit = heappop(self._deadlines)
            if not self.is_expired(sa):
                self._use[sa]["reached"] |= bit
                self._tell(sa, bit, now_ns)

    def next_deadline_ns(self) -> int | None:
        """When a limit of time is due that has not been noticed; None if there is none."""
        while self._deadlines and self.is_expired(self._deadlines[0][1]):
            heappop(self._deadlines)
        return self._deadlines[0][0] if self._deadlines else None

    def poll_events(self) -> list[LifetimeEvent]:
        """What has happened since this was last asked, in its order."""
        events, self._events = self._events, []
        return events

    def used(self, sa: int) -> tuple[int, int]:
        """Packets and bytes that an SA with limits has used; 0 and 0 for others."""
        if sa >= len(self._use):
            return 0, 0
        return int(self._use[sa]["packets"]), int(self._use[sa]["bytes"])

    def is_expired(self, sa: int) -> bool:
        """Whether an SA has reached a hard limit."""
        return sa < len(self._use) and bool(self._use[sa]["reached"] & _HARD)

    def statistics(self) -> dict[str, int]:
        """SAs past their limits, and packets that were refused for it."""
        reached = self._use["reached"]
        return {
            "soft_expired_sas": int(np.count_nonzero(reached & _SOFT)),
            "hard_expired_sas": int(np.count_nonzero(reached & _HARD)),
            "expired_packets": self._expired_packets,
        }

    def _tell(self, sa: int, bits: int, now_ns: int) -> None:
        for bit, (kind, limit) in enumerate(REACHED):
            if bits >> bit & 1:
                self._events.append(LifetimeEvent(sa, kind, limit, now_ns))


@compiled
def _charge(
    uses: npt.NDArray[np.void],
    sas: npt.NDArray[np.int32],
    lengths: npt.NDArray[np.int32],
    verdicts: npt.NDArray[np.uint8],
    reached: npt.NDArray[np.uint8],
) -> int:
    """Returns how many packets were refused; ``reached`` gets the limits that each one reaches."""
    refused = 0
    for row in range(len(sas)):
        if verdicts[row] != PASSED or not 0 <= sas[row] < len(uses):
            continue
        use = uses[sas[row]]
        if not use["is_limited"]:
            continue
        before = use["reached"]
        if not _take(use, lengths[row]):
            verdicts[row] = LIFETIME_EXPIRED
            refused += 1
        reached[row] = use["reached"] ^ before
    return refused


@compiled
def _take(use: np.void, length: int) -> bool:
    """Charge one packet, if the SA may still be used for it."""
    if use["reached"] & _HARD:
        return False
    packets, size = use["packets"] + 1, use["bytes"] + length
    if use["hard_packets"] and packets > use["hard_packets"]:
        use["reached"] |= _HARD_PACKETS
    if use["hard_bytes"] and size > use["hard_bytes"]:
        use["reached"] |= _HARD_BYTES
    if use["reached"] & _HARD:
        return False
    use["packets"], use["bytes"] = packets, size
    if use["soft_packets"] and packets >= use["soft_packets"]:
        use["reached"] |= _SOFT_PACKETS
    if use["soft_bytes"] and size >= use["soft_bytes"]:
        use["reached"] |= _SOFT_BYTES
    return True
