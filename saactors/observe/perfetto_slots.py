"""The card's slots as tracks: who was loaded into which, and who stayed there for how long.

Events name SAs and no slots, for a card keeps SAs where it likes. So slots are assigned here: an SA
takes the slot of the one that it replaces, else the lowest that is free. In a slot a *loading*
slice is followed by a *resident* one:

    load_issued → loading → loaded → resident → evicted, card_reset, sa_deleted
                     └ load_lost, load_refused, card_reset, sa_deleted

Memory grows with the slots in use at once, and those are the card's.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Final

from saactors.observe.perfetto_tracks import NO_DETAILS, Details, TraceFile, Track

SLOTS_MAX: Final = 65_536  # twice the largest card's; what is beyond is counted and not drawn


@dataclass(slots=True)
class _Slot:
    number: int
    track: Track
    title: str = ""
    is_resident: bool = False


class SlotTracks:
    """Draws slots under the track ``card``, and how many of them are in use."""

    def __init__(self, file: TraceFile, card: Track) -> None:
        self._file = file
        self._group = Track(file, "slots", card, rank=4)
        self._residents = Track(file, "residents", card, rank=2, unit="SAs")
        self._loading = Track(file, "loading", card, rank=3, unit="SAs")
        self._slot_of: dict[int, _Slot] = {}
        self._free: list[tuple[int, _Slot]] = []
        self._made = 0
        self._counts = [0, 0]  # loading, resident

    def issue(self, time_ns: int, sa: int, spi: int, victim: int | None, why: Details) -> None:
        """A load of ``sa`` begins, in place of ``victim``."""
        self.leave(time_ns, sa)  # of an earlier load nothing was heard
        if victim is not None:
            self.leave(time_ns, victim, {"successor": sa, "reason": why.get("reason")})
        slot = self._take(sa, f"{spi:#010x}")
        if slot is not None:
            slot.track.begin(time_ns, f"loading {slot.title}", {"sa": sa, **why})
            self._count(time_ns, loading=1)

    def arrive(self, time_ns: int, sa: int, latency_ns: int) -> None:
        """The card may use ``sa`` from now on."""
        slot = self._slot_of.get(sa)
        if slot is not None and slot.is_resident:
            return
        if slot is None:
            slot = self._take(sa, f"SA {sa}")
            if slot is None:
                return
            slot.track.begin(time_ns - latency_ns, f"loading {slot.title}", {"sa": sa})
            self._count(time_ns, loading=1)
        slot.track.end(time_ns, {"latency_ns": latency_ns})
        self._reside(slot, time_ns, sa)
        self._count(time_ns, loading=-1, resident=1)

    def hold(self, time_ns: int, sa: int, spi: int) -> None:
        """``sa`` was on the card already when the trace began."""
        slot = None if sa in self._slot_of else self._take(sa, f"{spi:#010x}")
        if slot is not None:
            self._reside(slot, time_ns, sa)
            self._count(time_ns, resident=1)

    def leave(self, time_ns: int, sa: int, why: Details = NO_DETAILS) -> None:
        """``sa`` is on the card no more, or will not come to be; nothing if it is not there."""
        slot = self._slot_of.pop(sa, None)
        if slot is None:
            return
        slot.track.end(time_ns, why)
        heappush(self._free, (slot.number, slot))
        self._count(
            time_ns, loading=0 if slot.is_resident else -1, resident=-1 if slot.is_resident else 0
        )

    def reset(self, time_ns: int) -> None:
        """The card has forgotten all SAs."""
        for sa in list(self._slot_of):
            self.leave(time_ns, sa, {"reason": "card reset"})

    def close(self, time_ns: int) -> None:
        """End what is open where the trace ends."""
        for slot in self._slot_of.values():
            slot.track.close(time_ns)

    def _take(self, sa: int, title: str) -> _Slot | None:
        if self._free:
            slot = heappop(self._free)[1]
        elif self._made < SLOTS_MAX:
            track = Track(self._file, f"slot {self._made}", self._group, rank=self._made)
            slot = _Slot(self._made, track)
            self._made += 1
        else:
            return None
        slot.title, slot.is_resident = title, False
        self._slot_of[sa] = slot
        return slot

    def _reside(self, slot: _Slot, time_ns: int, sa: int) -> None:
        slot.is_resident = True
        slot.track.begin(time_ns, slot.title, {"sa": sa})

    def _count(self, time_ns: int, loading: int = 0, resident: int = 0) -> None:
        self._counts[0] += loading
        self._counts[1] += resident
        if loading:
            self._loading.count(time_ns, self._counts[0])
        if resident:
            self._residents.count(time_ns, self._counts[1])
