"""What SAs have used of their lifetimes: counters, limits and what is to be told of them.

Only SAs with an index up to the highest that was given a limit have counters; where none has a
limit, charging packets is one comparison. One owner charges an SA's packets, in order.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from saactors.esp.lifetime import LIMIT_MAX, Lifetime
from saactors.esp.verdict_numbers import LIFETIME_EXPIRED, PASSED
from saactors.model.compiled import compiled
from saactors.model.sa import grown

Limit: TypeAlias = Literal["packets", "bytes", "time"]

USE: Final = np.dtype(
    [
        ("packets", "i8"),
        ("bytes", "i8"),
        ("soft_packets", "i8"),  # limits; LIMIT_MAX: none
        ("hard_packets", "i8"),
        ("soft_bytes", "i8"),
        ("hard_bytes", "i8"),
        ("soft_at_ns", "i8"),
        ("hard_at_ns", "i8"),
        ("is_limited", "u1"),
        ("reached", "u1"),  # bits of REACHED: what has happened
        ("told", "u1"),  # of that, what events have been made of
    ],
    align=True,
)

_REACHED: Final = (("soft", "packets"), ("soft", "bytes"), ("soft", "time"),
                   ("hard", "packets"), ("hard", "bytes"), ("hard", "time"))  # fmt: skip
"""What a bit of ``reached`` stands for, from the lowest."""

_SOFT_PACKETS, _SOFT_BYTES, _SOFT_TIME, _HARD_PACKETS, _HARD_BYTES, _HARD_TIME = (
    1 << bit for bit in range(len(_REACHED))
)
_HARD: Final = _HARD_PACKETS | _HARD_BYTES | _HARD_TIME


@dataclass(frozen=True, slots=True)
class LifetimeEvent:
    """An SA has reached a limit: ``kind`` of ``limit``, noticed at ``time_ns``."""

    sa: int
    kind: Literal["soft", "hard"]
    limit: Limit
    time_ns: int


class Lifetimes:
    """The lifetimes of an SA table's SAs."""

    __slots__ = ("_deadlines", "_events", "_expired_packets", "_use")

    def __init__(self) -> None:
        self._use = np.zeros(0, USE)
        self._deadlines: list[tuple[int, int]] = []  # heap of (instant, SA)
        self._events: list[LifetimeEvent] = []
        self._expired_packets = 0

    def __repr__(self) -> str:
        return f"Lifetimes({int(self._use['is_limited'].sum())} SAs with limits)"

    def limit(self, sa: int, lifetime: Lifetime, start_ns: int) -> None:
        """Give an SA its limits and nothing used; its time starts now."""
        self._use = grown(self._use, sa + 1)
        use = self._use[sa]
        use["packets"] = use["bytes"] = use["reached"] = use["told"] = 0
        use["is_limited"] = lifetime.is_limited
        for name in ("soft_packets", "hard_packets", "soft_bytes", "hard_bytes"):
            use[name] = getattr(lifetime, name) or LIMIT_MAX
        for kind in ("soft", "hard"):
            span_ns = getattr(lifetime, f"{kind}_ns")
            at_ns = min(start_ns + span_ns, LIMIT_MAX) if span_ns else LIMIT_MAX
            use[f"{kind}_at_ns"] = at_ns
            if span_ns:
                heappush(self._deadlines, (at_ns, sa))

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
        if not len(self._use):
            return
        refused, news = _charge(self._use, sa, length_bytes, verdict, now_ns)
        self._expired_packets += int(refused)
        if news:
            for number in np.unique(sa[sa < len(self._use)]).tolist():
                self._tell(number, now_ns)

    def handle_time(self, now_ns: int) -> None:
        """Notice limits of time that are due, whether or not packets come."""
        while self._deadlines and self._deadlines[0][0] <= now_ns:
            _, sa = heappop(self._deadlines)
            use = self._use[sa]
            if now_ns >= use["soft_at_ns"]:
                use["reached"] |= _SOFT_TIME
            if now_ns >= use["hard_at_ns"]:
                use["reached"] |= _HARD_TIME
            self._tell(sa, now_ns)

    def next_deadline_ns(self) -> int | None:
        """When a limit of time is due that has not been noticed; None if there is none."""
        while self._deadlines and self._is_told(*self._deadlines[0]):
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
        reached = Counter(
            kind
            for bits in self._use["reached"].tolist()
            for kind in {kind for bit, (kind, _) in enumerate(_REACHED) if bits >> bit & 1}
        )
        return {
            "soft_expired_sas": reached["soft"],
            "hard_expired_sas": reached["hard"],
            "expired_packets": self._expired_packets,
        }

    def _tell(self, sa: int, now_ns: int) -> None:
        use = self._use[sa]
        new = int(use["reached"]) & ~int(use["told"])
        for bit, (kind, limit) in enumerate(_REACHED):
            if new >> bit & 1:
                self._events.append(LifetimeEvent(sa, kind, limit, now_ns))  # type: ignore[arg-type]  # _REACHED has just these words
        use["told"] = use["reached"]

    def _is_told(self, at_ns: int, sa: int) -> bool:
        use = self._use[sa]
        told = int(use["told"])
        due = (_SOFT_TIME if at_ns == use["soft_at_ns"] else 0) | (
            _HARD_TIME if at_ns == use["hard_at_ns"] else 0
        )
        return told & due == due


@compiled
def _charge(
    uses: npt.NDArray[np.void],
    sas: npt.NDArray[np.int32],
    lengths: npt.NDArray[np.int32],
    verdicts: npt.NDArray[np.uint8],
    now_ns: int,
) -> tuple[int, bool]:
    """Returns how many packets were refused, and whether an SA has reached a new limit."""
    refused, news = 0, False
    for row in range(len(sas)):
        if verdicts[row] != PASSED or sas[row] >= len(uses):
            continue
        use = uses[sas[row]]
        if not use["is_limited"]:
            continue
        if not _take(use, lengths[row], now_ns):
            verdicts[row] = LIFETIME_EXPIRED
            refused += 1
        news |= use["reached"] != use["told"]
    return refused, news


@compiled
def _take(use: np.void, length: int, now_ns: int) -> bool:
    """Charge one packet, if the SA may still be used for it."""
    if now_ns >= use["hard_at_ns"]:
        use["reached"] |= _HARD_TIME
    if use["packets"] >= use["hard_packets"]:
        use["reached"] |= _HARD_PACKETS
    if use["bytes"] + length > use["hard_bytes"]:
        use["reached"] |= _HARD_BYTES
    if now_ns >= use["soft_at_ns"]:
        use["reached"] |= _SOFT_TIME
    if use["reached"] & _HARD:
        return False
    use["packets"] += 1
    use["bytes"] += length
    if use["packets"] >= use["soft_packets"]:
        use["reached"] |= _SOFT_PACKETS
    if use["bytes"] >= use["soft_bytes"]:
        use["reached"] |= _SOFT_BYTES
    return True
