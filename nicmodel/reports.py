"""What the card says to its driver: answers to commands, reports of what happened, counts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

NO_HANDLE: Final = -1


class Report(IntEnum):
    """What the card reports."""

    LOADED = 0
    LOST = 1
    EVICTED = 2
    RESET = 3


class CardEvent(NamedTuple):
    """A report: at ``time_ns`` this became of ``handle``.

    ``victim`` is whom a load replaces, or NO_HANDLE; ``handle`` is NO_HANDLE in a reset.
    """

    kind: Report
    handle: int
    victim: int
    time_ns: int


class Refusal(StrEnum):
    """Why a load was refused."""

    HANDLE_NOT_ABSENT = "handle_not_absent"  # it is on its way in, there, or on its way out
    LOAD_QUEUE_FULL = "load_queue_full"
    VICTIM_NOT_RESIDENT = "victim_not_resident"
    NO_FREE_SLOT = "no_free_slot"
    FAULT = "fault"


class LoadTicket(NamedTuple):
    """The answer to a load: why not, or what will be reported and when unless a reset comes.

    Of a refused load ``outcome`` is None and both instants are that of the command.
    """

    reason: Refusal | None
    outcome: Report | None
    started_ns: int
    done_ns: int

    @property
    def accepted(self) -> bool:
        """Whether the card took the command."""
        return self.reason is None


class Submission(NamedTuple):
    """What became of a burst.

    A refused row is a position in the burst as submitted, and its packet the caller's again. A
    flipped row counts the accepted packets only: it is a position in what the card encrypts.
    """

    finish_ns: int  # when the last accepted packet leaves the engine
    accepted: int
    refused_rows: npt.NDArray[np.int32]
    flipped_rows: npt.NDArray[np.int32]  # packets in which the card flips a bit (a fault) ...
    flipped_bits: npt.NDArray[np.int32]  # ... and which one of each, from 0
    resets: int  # how many resets the card had seen


@dataclass(frozen=True, slots=True)
class CardStatistics:
    """Counts since the card was made; loads = loaded + lost + loads_outstanding."""

    loads: int  # accepted
    loads_refused: dict[str, int]  # by Refusal
    loaded: int
    lost: int
    loads_outstanding: int
    fetched_bytes: int
    evictions: int  # accepted, victims included
    evicted: int  # of them, drained or cut short by a reset
    resets: int
    packets: int  # accepted by the engine
    packets_refused: int  # of handles that were not RESIDENT
    packets_flipped: int
    bytes: int  # of the packets accepted
    engine_busy_ns: int  # service times of the packets accepted
    loader_busy_ns: int  # fetch times of the loads accepted
