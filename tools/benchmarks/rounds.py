"""Fair timing on a machine that others use, too.

Contenders take turns: every round runs each of them once, so that whatever else the machine does
falls on all alike. A ratio is taken within each round and the median of the rounds is told.

Two clocks run. **CPU time** of this process (all its threads, user and system) leaves out what the
machine gave to others; ratios are made of it. **Wall time** is what a user waits for.
"""

from __future__ import annotations

import gc
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Effort:
    """How long to measure: ``rounds`` of each contender, over a ``share`` of the full traffic."""

    rounds: int
    share: float

    def packets(self, full: int) -> int:
        """How many packets to take where a full run takes ``full``."""
        return round(full * self.share)


FULL = Effort(rounds=5, share=1.0)
QUICK = Effort(rounds=3, share=0.2)


@dataclass(frozen=True)
class Sample:
    """One measurement: so many packets took that long."""

    packets: int
    cpu_ns: int
    wall_ns: int


class Stopwatch:
    """Both clocks, from its making on."""

    def __init__(self) -> None:
        self._wall_ns = time.perf_counter_ns()
        self._cpu_ns = time.process_time_ns()

    def sample(self, packets: int) -> Sample:
        """The time since, which ``packets`` packets took."""
        cpu_ns = time.process_time_ns() - self._cpu_ns
        return Sample(packets, cpu_ns, time.perf_counter_ns() - self._wall_ns)


@dataclass(frozen=True)
class Timing:
    """The samples of one contender, a round each."""

    samples: Sequence[Sample]

    @property
    def cpu_ns(self) -> float:
        """CPU time per packet, median of the rounds."""
        return median(sample.cpu_ns / sample.packets for sample in self.samples)

    @property
    def wall_ns(self) -> float:
        """Wall time per packet, median of the rounds."""
        return median(sample.wall_ns / sample.packets for sample in self.samples)

    def times(self, other: Timing) -> float:
        """How many times the CPU time per packet of ``other`` this one takes."""
        return median(
            (mine.cpu_ns / mine.packets) / (its.cpu_ns / its.packets)
            for mine, its in zip(self.samples, other.samples, strict=True)
        )


Contender = Callable[[], Mapping[str, Sample]]


def timed(work: Callable[[], int]) -> Sample:
    """Time ``work``, which returns how many packets it dealt with."""
    watch = Stopwatch()
    return watch.sample(work())


def contend(contenders: Sequence[Contender], rounds: int) -> dict[str, Timing]:
    """Let the contenders take turns; each gives samples by name.

    They run once unmeasured first: that compiles what has yet to be compiled and warms the caches.
    """
    samples: dict[str, list[Sample]] = defaultdict(list)
    for contender in contenders:
        contender()
    # What the contenders hold ready is not theirs to be searched for garbage.
    gc.collect()
    gc.freeze()
    for _ in range(rounds):
        for contender in contenders:
            gc.collect()
            for name, sample in contender().items():
                samples[name].append(sample)
    gc.unfreeze()
    return {name: Timing(taken) for name, taken in samples.items()}


def contend_work(works: Mapping[str, Callable[[], int]], rounds: int) -> dict[str, Timing]:
    """The same for pieces of work that are measured as a whole; each returns its packets."""

    def contender(name: str, work: Callable[[], int]) -> Contender:
        return lambda: {name: timed(work)}

    return contend([contender(name, work) for name, work in works.items()], rounds)
