"""What is known of the optimum: a schedule, what it saves, and what no schedule exceeds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from saactors.lab.optimum.priced import KEPT, LEFT, Bytes
from saactors.lab.optimum.visits import Int32s, Int64s, Kind, Visits

Method = Literal["exact", "bound"]


@dataclass(frozen=True, slots=True, eq=False)
class Schedule:
    """Loads, in the order of time, and how long each SA stays.

    The SA's packets that are placed later than ``load_ns`` + load latency, up to the row
    ``until_packet`` and with it, use the card. The slot is free from the instant on at which that
    packet is placed: for a load commanded then, but not for one by a tick of that instant.
    """

    sa: Int32s  # (loads,)
    load_ns: Int64s  # (loads,), when the load is commanded
    until_packet: Int64s  # (loads,), row in the trace

    def __len__(self) -> int:
        return len(self.sa)


@dataclass(frozen=True, slots=True)
class CostBounds:
    """The least cost that any schedule can reach lies from ``lower_ns`` to ``upper_ns``."""

    lower_ns: float
    upper_ns: float

    @property
    def gap(self) -> float:
        """How far apart they are, as a share of the cost: (upper - lower) / upper."""
        return (self.upper_ns - self.lower_ns) / self.upper_ns if self.upper_ns > 0 else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Optimum:
    """The most that any schedule can save lies from ``lower_saving_ns`` to ``upper_saving_ns``.

    The lower is what ``schedule`` saves: Σ saving of the packets on the card - loads × load cost.
    """

    kind: Kind
    method: Method
    lower_saving_ns: float
    upper_saving_ns: float
    schedule: Schedule

    @property
    def loads(self) -> int:
        """Loads of the schedule."""
        return len(self.schedule)

    @property
    def gap(self) -> float:
        """How far apart the two are, as a share of the achievable saving.

        (upper saving - lower saving) / upper saving, which is (upper cost - lower cost) /
        (cost of never - lower cost); 0 where nothing can be saved.
        """
        if self.upper_saving_ns <= 0:
            return 0.0
        return (self.upper_saving_ns - self.lower_saving_ns) / self.upper_saving_ns

    def cost(self, never_ns: float) -> CostBounds:
        """The same as costs; ``never_ns`` is the cost with every packet in software."""
        return CostBounds(never_ns - self.upper_saving_ns, never_ns - self.lower_saving_ns)


def schedule_of(visits: Visits, choice: Bytes) -> Schedule:
    """The runs of ``choice`` (visits,), as in ``priced``."""
    last = np.flatnonzero(choice & LEFT)
    if len(last) == 0:
        return Schedule(np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0, np.int64))
    loaded = np.flatnonzero(choice & KEPT == 0)
    first = loaded[np.searchsorted(loaded, last, side="right") - 1]
    sa = visits.sa[np.searchsorted(visits.first, first, side="right") - 1]
    # An earlier LEFT of the same run is one that the best choice went beyond.
    final = np.append(first[1:] != first[:-1], True)
    order = np.argsort(visits.load_ns[first[final]], kind="stable")
    return Schedule(
        sa[final][order],
        visits.load_ns[first[final]][order],
        visits.packet[last[final]][order],
    )
