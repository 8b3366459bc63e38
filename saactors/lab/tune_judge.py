"""Whether tuned parameters beat the defaults, and how sure that is.

Both are run over the **whole** trace and judged on its last part alone, which the search has not
seen. So each enters that part as it would in service, with the card and the metrics full of what
it has learnt, and their costs can be compared packet by packet. Host time saved on packet j is what
software would have taken less what it took; a load's cost counts where it was commanded.

**How sure.** The held-out part is cut into 8 windows of equal time. Each window gives one paired
difference, tuned less defaults; traffic that is easy or hard for both cancels out. From their
mean and spread follows an interval by Student's t with 7 degrees of freedom, the method of batch
means of simulation studies (Law, Kelton: "Simulation modeling and analysis"). A few long windows,
because traffic remembers: many short ones are not independent, and one burst makes all of the
difference. A simulation of correlated, skewed and rare differences, in 32 fine steps, found that an
interval meant to hold in 95 of 100 cases did hold in

                              normal         skewed        rare bursts
    correlation of steps    0   .3   .6    0   .3   .6    0   .3   .6
    t, 8 batches           96   93   88   89   88   81   96   94   88
    t, 32 steps            96   84   67   88   82   65   84   78   67
    bootstrap, blocks of 4 91   85   79   84   83   72   84   78   68

so the batches are the most honest of the three; tests/lab/test_tune_judge.py repeats one column.

**Which of several.** The best few of the search are judged, and the one that does best there is
kept. Its figure profits from that choice, so each interval is widened (Bonferroni): all of them
hold together in 95 of 100 cases, and therefore also the one that was chosen for its looks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import Final

import numpy as np
import numpy.typing as npt

from saactors.lab.run import LabRun
from saactors.lab.trace import LabTrace
from saactors.placement.routing import NIC

WINDOWS: Final = 8
CONFIDENCE_PERCENT: Final = 95

# Student's t, 7 degrees of freedom, two-sided 5 % shared by so many comparisons.
_T_7: Final = {1: 2.3646, 2: 2.8412, 3: 3.1276, 4: 3.3353, 5: 3.4995}
JUDGED_MAX: Final = len(_T_7)
_WINDOWS_USED_MIN: Final = WINDOWS // 2  # with traffic; fewer say nothing about their spread


class Verdict(Enum):
    """What the held-out part says of the tuned parameters."""

    BEYOND_DOUBT = "better beyond doubt"
    LIKELY = "better, but not beyond doubt"
    NO_BETTER = "no better"
    TOO_LITTLE = "too little traffic to tell"


@dataclass(frozen=True, slots=True)
class Interval:
    """What parameters save more than the defaults, in host ns over the held-out part."""

    mean_ns: float
    low_ns: float
    high_ns: float
    windows_used: int  # with packets; of WINDOWS

    @property
    def verdict(self) -> Verdict:
        """In one word."""
        if self.mean_ns <= 0:
            return Verdict.NO_BETTER
        if self.windows_used < _WINDOWS_USED_MIN:
            return Verdict.TOO_LITTLE
        return Verdict.BEYOND_DOUBT if self.low_ns > 0 else Verdict.LIKELY


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """The part of a trace that the search has not seen, in windows of equal time."""

    trace: LabTrace
    first_row: int  # its first packet
    window: npt.NDArray[np.int64]  # (rows from first_row on,), 0 to WINDOWS - 1
    edges_ns: npt.NDArray[np.float64]  # (WINDOWS + 1,)

    @property
    def windows_used(self) -> int:
        """Windows with packets that need crypto."""
        return len(np.unique(self.window[self.trace.columns.sa[self.first_row :] >= 0]))


def held_out(trace: LabTrace, first_row: int) -> HeldOut:
    """The part of ``trace`` from ``first_row`` on; at least one packet is there."""
    times_ns = trace.columns.time_ns[first_row:]
    edges_ns = np.linspace(float(times_ns[0]), float(times_ns[-1]) + 1, WINDOWS + 1)
    window = np.searchsorted(edges_ns, times_ns, side="right") - 1
    return HeldOut(trace, first_row, np.clip(window, 0, WINDOWS - 1), edges_ns)


def saved_by_window(run: LabRun, part: HeldOut) -> npt.NDArray[np.float64]:
    """Host ns that a run over the whole trace saved in each window; shape (WINDOWS,).

    The routes in the trace's packets must still be the run's own.
    """
    cost = run.rule.cost
    on_card = part.trace.packets["route"][part.first_row :] == NIC
    sizes = part.trace.columns.length_bytes[part.first_row :][on_card]
    saved_ns = cost.saving_packet_ns + cost.saving_byte_ns * sizes
    saved = np.bincount(part.window[on_card], saved_ns, WINDOWS)
    late_ns = run.loads["time_ns"][run.loads["before_row"] > part.first_row]
    load_window = np.searchsorted(part.edges_ns, late_ns, side="right") - 1
    loads = np.bincount(np.clip(load_window, 0, WINDOWS - 1), minlength=WINDOWS)
    return np.asarray(saved - loads * cost.load_host_ns, np.float64)


def interval(differences_ns: npt.NDArray[np.float64], comparisons: int, used: int) -> Interval:
    """The sum of paired differences, (WINDOWS,) of them, and where it may truly lie.

    ``comparisons`` intervals hold together with the confidence that one alone would.
    """
    assert differences_ns.shape == (WINDOWS,)
    total = float(differences_ns.sum())
    half = _T_7[comparisons] * float(differences_ns.std(ddof=1)) * math.sqrt(WINDOWS)
    return Interval(total, total - half, total + half, used)
