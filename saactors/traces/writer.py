"""Capture files from columns: pcap with nanosecond times, one compiled call per burst.

Packets gather in a buffer of fixed size that is written out whenever it is full, so a burst of one
packet costs a few microseconds and memory does not grow with the file.
"""

from __future__ import annotations

import struct
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Final, Literal, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from saactors.errors import OutputError
from saactors.model.compiled import compiled
from saactors.traces import links
from saactors.traces.octets import Octets
from saactors.traces.pcap import HEADER_BYTES, MAGIC_NS, RECORD_HEADER_BYTES
from saactors.traces.scan import PACKET_BYTES_MAX
from saactors.traces.times import SECOND_NS

Link: TypeAlias = Literal["raw", "ethernet"]

LINK_TYPES: Final = MappingProxyType({"raw": links.RAW, "ethernet": links.ETHERNET})

# Four times the longest packet, so that any burst proceeds by at least one packet per write.
BUFFER_BYTES: Final = 4 * PACKET_BYTES_MAX


class CaptureWriter:
    """A pcap file being written; use it in a ``with``.

    ``link`` says what the packets are: ``"raw"`` IP packets or ``"ethernet"`` frames.
    ``packets_written`` counts them.
    """

    def __init__(self, path: str | Path, link: Link = "raw") -> None:
        """Create the file, or empty it.

        Raises:
            OutputError: it cannot be created.
        """
        self._path = str(path)
        self._buffer = np.empty(BUFFER_BYTES, np.uint8)
        self.packets_written = 0
        try:
            self._file = Path(path).open("wb", buffering=0)  # noqa: SIM115 - closed by close()
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            raise OutputError(self._path, _problem(error)) from None
        header = struct.pack("<IHHIIII", MAGIC_NS, 2, 4, 0, 0, PACKET_BYTES_MAX, LINK_TYPES[link])
        self._buffer[:HEADER_BYTES] = np.frombuffer(header, np.uint8)
        self._used_bytes = HEADER_BYTES

    def write(
        self,
        data: bytes | bytearray | Octets,
        starts: npt.NDArray[np.int64],
        lengths: npt.NDArray[np.int32],
        times_epoch_ns: npt.NDArray[np.int64],
    ) -> None:
        """Append a burst; packet number i is ``data[starts[i] : starts[i] + lengths[i]]``.

        ``times_epoch_ns`` are nanoseconds since 1970 (pcap has room for them until 2106). A packet
        longer than the file's snap length of 262 144 bytes is cut to it, as libpcap would.

        Raises:
            OutputError: the file cannot be written on.
        """
        # One read-only type for whatever comes, hence one compiled version of the function.
        octets = np.frombuffer(memoryview(data).toreadonly(), np.uint8)  # type: ignore[arg-type]
        row = 0
        while True:
            row, self._used_bytes = append_records(
                octets, starts, lengths, times_epoch_ns, row, self._buffer, self._used_bytes
            )
            if row == len(starts):
                break
            self._write_out()
        self.packets_written += row

    def close(self) -> None:
        """Write what is left and close the file; nothing to do for one that failed or is closed.

        Raises:
            OutputError: the rest cannot be written.
        """
        if not self._file.closed:
            self._write_out()
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _write_out(self) -> None:
        """Empty the buffer into the file; a file that fails is closed and not written again."""
        left = self._buffer.data[: self._used_bytes]
        self._used_bytes = 0
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            self._file.close()
            raise OutputError(self._path, _problem(error)) from None


def _problem(error: OSError | ValueError) -> str:
    return f"cannot be written: {getattr(error, 'strerror', None) or error}"


@compiled
def append_records(
    data: Octets,
    starts: npt.NDArray[np.int64],
    lengths: npt.NDArray[np.int32],
    times_epoch_ns: npt.NDArray[np.int64],
    row: int,
    buffer: Octets,
    used_bytes: int,
) -> tuple[int, int]:
    """Append packets from number ``row`` to ``buffer`` while they fit.

    Returns (number of the first packet that did not fit, bytes of the buffer now in use).
    """
    while row < len(starts):
        length_bytes: int = lengths[row]
        captured_bytes: int = min(length_bytes, PACKET_BYTES_MAX)
        start: int = starts[row]
        assert 0 <= start <= start + captured_bytes <= len(data)
        body = used_bytes + RECORD_HEADER_BYTES
        if body + captured_bytes > len(buffer):
            break
        time_ns: int = times_epoch_ns[row]
        put_u32(buffer, used_bytes, time_ns // SECOND_NS)
        put_u32(buffer, used_bytes + 4, time_ns % SECOND_NS)
        put_u32(buffer, used_bytes + 8, captured_bytes)
        put_u32(buffer, used_bytes + 12, length_bytes)
        # Over two views, which begin at 0, the compiler makes a block copy of this loop.
        source = data[start : start + captured_bytes]
        target = buffer[body : body + captured_bytes]
        for index in range(captured_bytes):
            target[index] = source[index]
        used_bytes = body + captured_bytes
        row += 1
    return row, used_bytes


@compiled
def put_u32(buffer: Octets, at: int, number: int) -> None:
    """Write the low 32 bits of ``number``, least significant byte first."""
    for index in range(4):
        buffer[at + index] = (number >> (8 * index)) & 0xFF
