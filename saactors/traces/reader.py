"""Captures as columns: pcap and pcapng files, plain or in gzip, from a path or standard input.

    with open_capture("trace.pcap") as capture:
        for chunk in capture:
            ...  # chunk.packets over chunk.data, in the order of the file

A plain file is mapped and never copied; a pipe or gzip stream is read in blocks. Either way memory
stays bounded, whatever the length of the trace, and the chunks are the same.

A file that is no capture raises ``CaptureError`` and nothing else does; a capture that ends or goes
wrong in the middle is read up to there, and ``warnings`` says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from saactors.errors import CaptureError, ParameterError
from saactors.model.packets import PACKET, Chunk
from saactors.traces import pcap, pcapng
from saactors.traces.scan import CHUNK_BYTES, DAMAGED, Format
from saactors.traces.times import CLOCK
from saactors.traces.windows import Window, open_window

# The shortest records: an empty packet in pcap, an empty simple packet block in pcapng.
RECORD_BYTES_MIN: Final = 16

ROWS_MIN: Final = 1024


def open_capture(path: str | Path, *, chunk_packets: int = 65536) -> CaptureReader:
    """Open the capture at ``path`` (``"-"``: standard input) and read its header.

    ``chunk_packets`` bounds the packets of a chunk. Close the reader, or use it in a ``with``.

    Raises:
        CaptureError: there is no such file, it cannot be read, it is no capture, or its link type
            is not one of ``saactors.traces.links.NAMES``.
        ParameterError: ``chunk_packets`` is not positive.
    """
    if chunk_packets < 1:
        raise ParameterError("chunk_packets", chunk_packets, "at least 1")
    name = "standard input" if str(path) == "-" else str(path)
    window = open_window(name, path)
    try:
        return CaptureReader(name, window, chunk_packets)
    except BaseException:
        window.close()
        raise


class CaptureReader:
    """A capture being read: iterate it once; use ``open_capture`` to make one.

    ``first_time_epoch_ns`` is what ``time_ns`` counts from; it is 0 until the first chunk is read.
    """

    def __init__(self, name: str, window: Window, chunk_packets: int) -> None:
        """Read the header; raises ``CaptureError`` for ``name`` if there is none."""
        self._window = window
        self._chunk_packets = chunk_packets
        self._clock = np.zeros(1, CLOCK)
        self._format = read_header(name, window, self._clock)
        self._position = self._format.first_record
        self._ended = False
        self._how_it_ended: list[str] = []
        self._rows_max = chunk_packets
        self.packets_read = 0

    def __iter__(self) -> Iterator[Chunk]:
        while (chunk := self._next_chunk()) is not None:
            yield chunk

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def interrupt(self) -> None:
        """For a signal handler: a read that is under way, perhaps for ever, fails; no other does.

        Raises:
            InterruptedError: into that read, which ends the capture.
        """
        if self._window.reading:
            raise InterruptedError("interrupted")

    def close(self) -> None:
        """Close the file; chunks already given stay valid."""
        self._ended = True
        self._window.close()

    @property
    def link_types(self) -> tuple[int, ...]:
        """Link types of the interfaces seen so far, each once, in the order of the capture."""
        return tuple(self._format.link_types)

    @property
    def share_read(self) -> float | None:
        """How much of the file has been read, 0 to 1; None where its size is not known."""
        return self._window.share_read(self._position)

    @property
    def first_time_epoch_ns(self) -> int:
        """Nanoseconds since 1970 of the first packet."""
        return int(self._clock[0]["first_epoch_ns"])

    @property
    def warnings(self) -> list[str]:
        """What the user should know of the capture so far, a sentence each."""
        backwards = int(self._clock[0]["backwards"])
        if not backwards:
            return self._format.warnings + self._how_it_ended
        clamped = (
            f"time runs backwards at {backwards} packets: each was given the latest time before it"
        )
        return [*self._format.warnings, clamped, *self._how_it_ended]

    def _next_chunk(self) -> Chunk | None:
        """The next chunk that holds a packet; None at the end."""
        while not self._ended:
            self._window.reach(self._position)
            data = self._window.data
            start = self._position - self._window.base
            end = min(start + CHUNK_BYTES, len(data))
            packets = np.zeros(self._rows_for(end - start), PACKET)
            filled, stop, stopped = self._format.scan(data, start, end, packets)
            self._position += stop - start
            self.packets_read += filled
            # Whatever has to be read is shorter than a chunk, so no progress means no more bytes.
            if stopped == DAMAGED or stop == start:
                self._end(len(data) - stop, stopped)
            self._rows_max = max(2 * filled, ROWS_MIN)
            if filled:
                return Chunk(data, packets[:filled])
        return None

    def _rows_for(self, stretch_bytes: int) -> int:
        """Rows for a stretch: as many as it can hold, but few more than the last one needed.

        Rows that stay empty cost as much to allocate as full ones.
        """
        possible = min(self._chunk_packets, max(stretch_bytes // RECORD_BYTES_MIN, 1))
        return min(possible, self._rows_max)

    def _end(self, bytes_left: int, stopped: int) -> None:
        """Note that the capture ends here, with ``bytes_left`` not read (negative: missing)."""
        self._ended = True
        where = f"at byte {self._position}; the replay ends there"
        if self._window.failure:
            self._how_it_ended.append(f"the capture cannot be read on ({self._window.failure})")
        elif stopped == DAMAGED:
            self._how_it_ended.append(f"the capture is damaged {where}")
        elif bytes_left != 0:
            self._how_it_ended.append(f"the capture is cut off inside the record {where}")


def read_header(name: str, window: Window, clock: npt.NDArray[np.void]) -> Format:
    """Read the header of the capture ``name``, whichever format it has."""
    window.reach(0)
    data = window.data
    if len(data) == 0 and window.failure:
        raise CaptureError(name, f"cannot be read: {window.failure}")
    if len(data) == 0:
        raise CaptureError(name, "empty; expected a pcap or pcapng file")
    magic = data[:4].tobytes()
    if magic in pcap.MAGICS:
        return pcap.Pcap(name, data, clock)
    if magic == pcapng.MAGIC:
        return pcapng.Pcapng(name, data, clock)
    raise CaptureError(
        name,
        f"not a capture: begins with {magic.hex(' ')}, expected a pcap or pcapng file, "
        "plain or in gzip",
    )
