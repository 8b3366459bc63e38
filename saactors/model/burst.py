"""What travels between the actors: one message type per edge.

    source → classifier → keeper → arbiter     Burst: packets handed on together (1 to 256)
    decay → keeper                             Tick
    keeper → arbiter                           Review: the metrics at a periodic decision point
    arbiter → software, nic, egress            Share: the rows of a burst that one component handles
    software, nic → egress                     Finished: the same rows, with what became of them
    arbiter → nic                              LoadCommand, EvictCommand, ResetCommand
    nic → arbiter, keeper                      Completion: what became of a load command

A change of the rule (``saactors.placement.change``) travels on the keeper's edges in its turn.

A share does not copy packets: it names rows of its burst's record array, and no two shares name
the same row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

import numpy as np
import numpy.typing as npt


@dataclass(slots=True, eq=False)
class Burst:
    """Packets that travel together: a view of a chunk's record array over the chunk's data."""

    data: npt.NDArray[np.uint8]
    packets: npt.NDArray[np.void]
    number: int  # from 0, in the order in which the source formed them
    sa_count: int = 0  # SAs known once this burst was classified
    observed_ns: int = 0  # when the keeper saw it: the instant as of which it is placed
    tick: int = 0  # ticks that the metrics have seen by then
    inbound: bool = False  # ESP packets, to be opened; else packets to be sealed
    traced: Sequence[tuple[int, int]] = ()  # rows that somebody traces, and their numbers


@dataclass(slots=True, eq=False)
class Share:
    """The rows of a burst that one component handles, in the burst's order (int32 indices)."""

    burst: Burst
    rows: npt.NDArray[np.int32]


@dataclass(slots=True, eq=False)
class Finished:
    """A share that a component is done with.

    ``data`` holds the packets to send; number i is ``data[starts[i] : starts[i] + lengths[i]]``. It
    is None in a run without cryptography, and ``lengths`` then says how long the packets would be.
    """

    burst: Burst
    rows: npt.NDArray[np.int32]
    component: Component
    data: bytes | bytearray | npt.NDArray[np.uint8] | None
    starts: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int32]


class Component(IntEnum):
    """Where crypto runs; ``NONE`` for packets that need none (bypass, discard)."""

    SOFTWARE = 0
    NIC = 1
    NONE = 2


@dataclass(slots=True, frozen=True)
class Tick:
    """One period of the decay timer has passed; ``number`` counts from 1."""

    number: int
    time_ns: int
    next_ns: int  # when the next tick will be due


@dataclass(slots=True, eq=False)
class Review:
    """A periodic decision point: the SAs that could be worth loading, with their metrics."""

    observed_ns: int
    tick: int
    sa_count: int
    sas: npt.NDArray[np.int32]
    metrics: npt.NDArray[np.float64]


@dataclass(slots=True, frozen=True)
class LoadCommand:
    """Fetch an SA into the card's cache, in place of ``victim`` where that is not NO_SA."""

    sa: int
    victim: int
    issued_ns: int


@dataclass(slots=True, frozen=True)
class EvictCommand:
    """Drop an SA from the card's cache, in nobody's favour."""

    sa: int


@dataclass(slots=True, frozen=True)
class ResetCommand:
    """Let the card forget every SA, every command and every packet in its engine."""


CardCommand: TypeAlias = LoadCommand | EvictCommand | ResetCommand


class Outcome(IntEnum):
    """What became of a load command, or of the card."""

    LOADED = 0
    REFUSED = 1
    LOST = 2
    RESET = 3  # the card has forgotten every SA


@dataclass(slots=True, frozen=True)
class Completion:
    """The card's report: at ``time_ns`` the load of ``sa`` ended so; ``victim`` is gone."""

    outcome: Outcome
    sa: int
    victim: int
    time_ns: int
