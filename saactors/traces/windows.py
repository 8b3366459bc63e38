"""Where a capture's bytes come from: a mapped file, or blocks read from a pipe or gzip stream.

Either way the reader sees a window: one array in which the next stretch of the capture stands
contiguously. ``reach`` moves it forwards. The arrays handed out stay valid for as long as someone
holds them. They are writable only so that compiled code meets one array type everywhere; nobody
writes to them, and what was written to a mapped one would not get to the file.
"""

from __future__ import annotations

import io
import mmap
import os
import stat
import sys
import zlib
from contextlib import suppress
from gzip import GzipFile
from pathlib import Path
from typing import Final, Protocol, cast

import numpy as np

from saactors.errors import CaptureError
from saactors.traces.octets import Octets
from saactors.traces.scan import CHUNK_BYTES

GZIP_MAGIC: Final = b"\x1f\x8b"
READ_BYTES: Final = 1 << 18

# Linux's value; Python has had the name since 3.13.
MAP_NORESERVE: Final[int] = getattr(mmap, "MAP_NORESERVE", 0x4000)


class Window(Protocol):
    """A stretch of the capture: ``data[0]`` is the capture's byte number ``base``."""

    data: Octets
    base: int
    failure: str  # why reading failed before the end, otherwise empty
    reading: bool  # a read is under way that may have to wait

    def reach(self, position: int) -> None:
        """Make the window hold ``CHUNK_BYTES`` from ``position``, or all there is from there."""
        ...

    def share_read(self, position: int) -> float | None:
        """How much of the capture lies before ``position``, 0 to 1; None where nobody knows."""
        ...

    def close(self) -> None:
        """Close the file; arrays handed out stay valid."""
        ...


class MappedFile:
    """A plain file, mapped as a whole; behind the reader its pages go back to the kernel.

    A file that someone else shortens meanwhile ends the process (SIGBUS), as with every mapping.
    """

    def __init__(self, file: io.BufferedIOBase, size_bytes: int) -> None:
        """Map the first ``size_bytes`` of ``file``; the mapping outlives the open file."""
        # Private and unreserved: a capture may be larger than memory and swap together.
        self._mapping = mmap.mmap(
            file.fileno(),
            size_bytes,
            flags=mmap.MAP_PRIVATE | MAP_NORESERVE,
            prot=mmap.PROT_READ | mmap.PROT_WRITE,
        )
        self._mapping.madvise(mmap.MADV_SEQUENTIAL)
        self._released_bytes = 0
        self._size_bytes = size_bytes
        self.data: Octets = np.frombuffer(self._mapping, np.uint8)
        self.base = 0
        self.failure = ""
        self.reading = False

    def reach(self, position: int) -> None:
        """Nothing to read; give back the pages that lie more than a chunk behind."""
        # Whoever still needs such a page finds it again in the page cache.
        done = (position - CHUNK_BYTES) // mmap.PAGESIZE * mmap.PAGESIZE
        if done > self._released_bytes:
            extent = done - self._released_bytes
            self._mapping.madvise(mmap.MADV_DONTNEED, self._released_bytes, extent)
            self._released_bytes = done

    def share_read(self, position: int) -> float:
        """Of the file."""
        return min(position / self._size_bytes, 1.0)

    def close(self) -> None:
        """Let go of the mapping, which lasts until nobody holds an array over it."""
        self.data = np.zeros(0, np.uint8)


class Blocks:
    """A pipe or a gzip stream, read block by block; each block is an array of its own."""

    def __init__(
        self,
        stream: io.BufferedIOBase,
        begun: bytes = b"",
        owned: tuple[io.BufferedIOBase, ...] = (),
        compressed: io.BufferedIOBase | None = None,
    ) -> None:
        """Read from ``stream``, whose first bytes ``begun`` were; ``close`` closes ``owned``.

        ``compressed`` is the plain file that ``stream`` reads from, if it does.
        """
        self._stream = stream
        self._owned = owned
        self._ended = False
        self._compressed = compressed
        self.data: Octets = np.frombuffer(bytearray(begun), np.uint8)
        self.base = 0
        self.failure = ""
        self.reading = False

    def reach(self, position: int) -> None:
        """Read on until the window reaches far enough."""
        while self._end() < position and not self._ended:
            self._next_block(self.data[len(self.data) :])
        if self._end() < position + CHUNK_BYTES and not self._ended:
            self._next_block(self.data[position - self.base :])

    def _end(self) -> int:
        return self.base + len(self.data)

    def _next_block(self, carried: Octets) -> None:
        """Read a block that begins with ``carried``, the last bytes of the one before."""
        block = np.empty(CHUNK_BYTES, np.uint8)
        block[: len(carried)] = carried
        filled = len(carried) + self._read_into(block[len(carried) :].data)
        self.base = self._end() - len(carried)
        self.data = block[:filled]

    def _read_into(self, target: memoryview) -> int:
        """Fill ``target`` as far as the stream goes, so that no chunk depends on a pipe's pace."""
        filled = 0
        while filled < len(target) and not self._ended:
            count = 0
            try:
                self.reading = True
                count = self._stream.readinto1(target[filled : filled + READ_BYTES])
            except (OSError, EOFError, zlib.error) as error:
                self.failure = reason(error)
            finally:
                self.reading = False
            filled += count
            self._ended = count == 0
        return filled

    def share_read(self, _position: int) -> float | None:
        """Of a compressed file, as far as its blocks have been read."""
        file = self._compressed
        if file is None or file.closed:
            return None
        return file.tell() / max(os.fstat(file.fileno()).st_size, 1)

    def close(self) -> None:
        """Close what was opened for this capture."""
        for file in self._owned:
            file.close()


class Unread:
    """A file of which ``begun`` was read to look at it, for ``GzipFile`` to read from."""

    def __init__(self, file: io.BufferedIOBase, begun: bytes) -> None:
        self._file = file
        self._begun = begun

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes, those already read first."""
        if not self._begun:
            return self._file.read(size)
        given, self._begun = self._begun[:size], self._begun[size:]
        return given


def open_window(name: str, path: str | Path) -> Window:
    """Open the file at ``path`` (``"-"``: standard input), called ``name`` in messages.

    Raises:
        CaptureError: it cannot be opened or read.
    """
    if str(path) == "-":
        return window_over(standard_input(name), owned=())
    try:
        file = Path(path).open("rb")  # noqa: SIM115 - the window closes it
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise CaptureError(name, f"cannot be opened: {reason(error)}") from None
    try:
        return mapped(file) or window_over(file, owned=(file,))
    except OSError as error:
        file.close()
        raise CaptureError(name, f"cannot be read: {reason(error)}") from None


def mapped(file: io.BufferedIOBase) -> MappedFile | None:
    """``file``, which this closes then, as a mapping; None unless it is plain and mappable."""
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode) or status.st_size == 0:
        return None
    if os.pread(file.fileno(), len(GZIP_MAGIC), 0) == GZIP_MAGIC:
        return None
    with suppress(OSError, ValueError):  # a file system or a limit that forbids mapping
        window = MappedFile(file, status.st_size)
        file.close()
        return window
    return None


def window_over(file: io.BufferedIOBase, owned: tuple[io.BufferedIOBase, ...]) -> Blocks:
    """``file`` read as a stream, through gzip if it begins so."""
    begun = file.read(len(GZIP_MAGIC))
    if begun != GZIP_MAGIC:
        return Blocks(file, begun, owned)
    # GzipFile only ever calls read().
    inflated = GzipFile(fileobj=Unread(file, begun), mode="rb")  # type: ignore[call-overload]
    plain = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
    return Blocks(inflated, owned=(inflated, *owned), compressed=file if plain else None)


def standard_input(name: str) -> io.BufferedIOBase:
    """The bytes of standard input.

    Raises:
        CaptureError: there is nothing to read from.
    """
    if sys.stdin is None or sys.stdin.closed:
        raise CaptureError(name, "closed; expected a capture")
    if sys.stdin.isatty():
        raise CaptureError(name, "a terminal; expected a capture from a file or pipe")
    return cast("io.BufferedIOBase", sys.stdin.buffer)


def reason(error: Exception) -> str:
    """What went wrong, without Python's decoration."""
    return getattr(error, "strerror", None) or str(error)
