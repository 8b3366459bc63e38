"""The best that every SA could do for itself if slots were for rent.

Let a slot cost ``price[p]`` in gap ``p``. Then the SAs no longer compete, and the best of each is
found by going through its visits once, with two values: the most it can have earned by this visit
when it is on the card and when it is not,

    on  = saving + max(on before - rent since the visit before,
                       off before - load cost - rent since the load's start)
    off = max(off before, on).

The best of all, plus the rent that ``slots`` slots bring in over all gaps, is never less than what
any schedule within the slots earns, whatever the prices: the Lagrangian bound. It is convex in the
prices, and (slots - used) by gap is a subgradient of it.

(A load may start before the SA's last use and so overlap with it. Keeping the SA is then at least
as good, so where both are equally good, it is kept; but not where loads and slots cost nothing and
it could have been away meanwhile.)
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from saactors.lab.optimum.visits import Floats, Int32s, Visits
from saactors.model.compiled import compiled

Bytes = npt.NDArray[np.uint8]

KEPT = 1  # at this visit it is better to have been kept than to be loaded
LEFT = 2  # the best so far ends with this visit


@compiled
def earn(visits: Visits, rent_ns: Floats, load_host_ns: float, choice: Bytes) -> float:
    """What all SAs earn at best, rent paid; writes how to ``choice`` (visits,).

    ``rent_ns`` (gaps + 1,) is the rent for all gaps before.
    """
    total_ns = 0.0
    for sa in range(len(visits.sa)):
        on_ns, off_ns, kept_from_ns, last = -np.inf, 0.0, 0.0, 0
        for visit in range(visits.first[sa], visits.first[sa + 1]):
            here_ns = rent_ns[visits.stop[visit]]
            kept_ns = on_ns + kept_from_ns
            loaded_ns = off_ns - load_host_ns + rent_ns[visits.start[visit]]
            keep = kept_ns > loaded_ns or (kept_ns == loaded_ns and visits.start[visit] <= last)
            picked = KEPT if keep else 0
            on_ns = max(kept_ns, loaded_ns) + visits.saving_ns[visit] - here_ns
            kept_from_ns, last = here_ns, visits.stop[visit]
            if on_ns > off_ns:
                off_ns = on_ns
                picked |= LEFT
            choice[visit] = picked
        total_ns += off_ns
    return total_ns


@compiled
def occupy(visits: Visits, choice: Bytes, change: Int32s) -> int:
    """Add the slots that ``choice`` takes to ``change`` (gaps + 1,); returns the number of loads.

    ``change`` is by how many slots more are in use in a gap than in the one before.
    """
    loads = 0
    for sa in range(len(visits.sa)):
        visit = visits.first[sa + 1] - 1
        while visit >= visits.first[sa]:
            if not choice[visit] & LEFT:
                visit -= 1
                continue
            change[visits.stop[visit]] -= 1
            while choice[visit] & KEPT:
                visit -= 1
            change[visits.start[visit]] += 1
            loads += 1
            visit -= 1
    return loads
