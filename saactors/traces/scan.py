"""What the capture reader and the file formats agree on: one scan fills one chunk.

A chunk is the longest run of whole records that begins where the last chunk ended, spans at most
``CHUNK_BYTES`` of the capture and fits in the rows given. That depends on the capture alone: the
same trace gives the same chunks from a mapped file, a pipe or a gzip stream (law 7).
"""

from __future__ import annotations

from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from saactors.model.compiled import compiled
from saactors.traces.octets import Octets

# Some 11 000 packets of 700 bytes: enough that what a chunk costs in Python does not show, and a
# small multiple of a core's cache.
CHUNK_BYTES: Final = 1 << 23

# Beyond libpcap's and Wireshark's own bound (MAXIMUM_SNAPLEN), a length is taken for damage.
PACKET_BYTES_MAX: Final = 262_144

# A pcapng block that we have to read: its packet, and generous room for options.
BLOCK_BYTES_MAX: Final = 1 << 20

# A part of what a core's own cache holds, and the unit in which memory comes.
READ_AHEAD_BYTES: Final = 1 << 17
CACHE_LINE_BYTES: Final = 64

# Why a scan stopped.
MORE: Final = 0  # what stands at the position does not end inside the stretch
FULL: Final = 1  # no row is left
DAMAGED: Final = 2  # what stands at the position cannot be part of a capture
DESCRIPTION: Final = 3  # pcapng: a block at the position that describes a section or interface


@compiled
def read_ahead(data: Octets, at: int, end: int, clock: npt.NDArray[np.void]) -> int:
    """Pull the next stretch of ``data`` into the core's cache; returns the index it goes up to.

    Where a record begins is only known once the one before it has arrived from memory, so a scan
    alone waits for every single one. Reading one byte of each cache line in order first lets the
    memory work ahead (measured: 1.3 times the packets per second at 730 bytes a packet).
    """
    stop = min(at + READ_AHEAD_BYTES, end)
    total = 0
    for index in range(at, stop, CACHE_LINE_BYTES):
        total += data[index]
    clock[0].read_ahead += total  # so that the compiler cannot drop the loop
    return stop


class Format(Protocol):
    """A file format whose header has been read."""

    first_record: int  # position in the capture at which scanning begins
    link_types: list[int]  # of the interfaces seen so far, each number once
    warnings: list[str]

    def scan(
        self, data: Octets, start: int, end: int, packets: npt.NDArray[np.void]
    ) -> tuple[int, int, int]:
        """Fill ``packets`` (zeroed ``PACKET`` records) from the records in ``data[start:end]``.

        Returns (rows filled, index at which it stopped, why: ``MORE``, ``FULL`` or ``DAMAGED``).
        The index lies beyond ``end`` when a block reaches beyond it that need not be read.
        """
        ...
