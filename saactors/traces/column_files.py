"""Traces as files of columns: ``.npz`` and ``.parquet``; and as captures, ``.pcap``.

    write_trace(trace, "day.parquet")      # any of the three, by the name's ending
    trace = read_columns("day.parquet")

A file of columns has a row per packet with ``time_ns``, ``sa`` and ``length_bytes``. Beside the
rows stand the trace's name, the number of its SAs, where its chunks stop and who took over from
whom: in Parquet as one JSON object in the file's metadata under ``saactors``, in npz as arrays.

A **foreign** file has the three columns alone. Its SAs may have any numbers from 0, or -1 for
packets without SA, and its times may begin anywhere: both are numbered anew from 0.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from saactors.errors import CaptureError, OutputError, ParameterError
from saactors.model.packets import NO_SA
from saactors.traces.column_captures import write_pcap
from saactors.traces.columns import TraceColumns, trace_columns
from saactors.traces.decode import WIRE_BYTES_MAX

__all__ = ["ending_for", "read_columns", "write_columns", "write_pcap", "write_trace"]

COLUMNS: Final = ("time_ns", "sa", "length_bytes")
ABOUT: Final = ("name", "sa_count", "chunk_stops", "predecessors")
METADATA_KEY: Final = "saactors"
LENGTH_BYTES_MAX: Final = 65_535  # RFC 791 §3.1
_TIME_NS_MAX: Final = 1 << 62  # so that no sum of times overflows

# Whatever NumPy, zipfile and Polars make of a file that is no such file.
_DAMAGE: Final = (
    *(OSError, EOFError, ValueError, TypeError, KeyError, RuntimeError, MemoryError),
    *(OverflowError, SyntaxError, zipfile.BadZipFile, zlib.error),
    *(pl.exceptions.PolarsError, pl.exceptions.PanicException),
)


def write_trace(trace: TraceColumns, path: str | Path) -> None:
    """Write a trace as the file's ending says: ``.npz``, ``.parquet`` or ``.pcap``.

    Raises:
        ParameterError: another ending, or packets that no capture can have (``.pcap``).
        OutputError: the file cannot be written.
    """
    write = WRITERS[ending_for(path)]
    try:
        write(trace, path)
    except OSError as problem:
        told = f"cannot be written: {problem.strerror or problem}"
        raise OutputError(str(path), told) from None


def write_columns(trace: TraceColumns, path: str | Path) -> None:
    """Write a trace as a file of columns; the ending says which, ``.npz`` or ``.parquet``.

    Raises:
        ParameterError: another ending.
        OutputError: the file cannot be written.
    """
    ending_for(path, tuple(READERS))
    write_trace(trace, path)


def ending_for(path: str | Path, known: tuple[str, ...] = ()) -> str:
    """The ending that says how ``path`` is to be written, of those ``known`` (all by default).

    Raises:
        ParameterError: another ending, or none.
    """
    known = known or tuple(WRITERS)
    ending = Path(path).suffix.lower()
    if ending not in known:
        raise ParameterError("output", str(path), f"a name that ends in {' or '.join(known)}")
    return ending


def read_columns(path: str | Path) -> TraceColumns:
    """Read a file of columns, ours or foreign; the ending says which, ``.npz`` or ``.parquet``.

    Raises:
        CaptureError: there is no such file, it is none of columns, or they are of no trace.
    """
    read = READERS.get(Path(path).suffix.lower())
    if read is None:
        raise CaptureError(str(path), f"not a file of columns: expected {' or '.join(READERS)}")
    try:
        found = read(path)
    except _DAMAGE as problem:
        raise CaptureError(str(path), _what_is_wrong(problem, Path(path).suffix[1:])) from None
    return _trace_from(str(path), found)


def _what_is_wrong(problem: BaseException, kind: str) -> str:
    if isinstance(problem, OSError) and problem.strerror:
        return f"cannot be read: {problem.strerror}"
    reason = str(problem).partition("\n")[0] or type(problem).__name__
    return f"cannot be read as {kind} ({reason}); expected columns {', '.join(COLUMNS)}"


def _write_npz(trace: TraceColumns, path: str | Path) -> None:
    arrays: dict[str, Any] = {name: getattr(trace, name) for name in (*COLUMNS, *ABOUT)}
    with Path(path).open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def _read_npz(path: str | Path) -> dict[str, Any]:
    with Path(path).open("rb") as stream:  # NumPy leaves what it opens open where it fails
        file = np.load(stream, allow_pickle=False)
        if not isinstance(file, np.lib.npyio.NpzFile):
            raise TypeError("a single array, not an archive of them")
        wanted = (*COLUMNS, *ABOUT)
        found: dict[str, Any] = {n: file[n] if n in wanted else None for n in file.files}
    for name in ("name", "sa_count"):
        if name in found:
            found[name] = found[name].item()
    return found


def _write_parquet(trace: TraceColumns, path: str | Path) -> None:
    about = {
        "name": trace.name,
        "sa_count": trace.sa_count,
        "chunk_stops": trace.chunk_stops.tolist(),
        "predecessors": trace.predecessors.tolist(),
        "checksum": _checksum(*(getattr(trace, name) for name in COLUMNS)),
    }
    frame = pl.DataFrame({name: getattr(trace, name) for name in COLUMNS})
    with Path(path).open("wb") as file:
        frame.write_parquet(file, metadata={METADATA_KEY: json.dumps(about)})


def _read_parquet(path: str | Path) -> dict[str, Any]:
    with Path(path).open("rb") as file:
        frame = pl.read_parquet(file)
        file.seek(0)
        about = pl.read_parquet_metadata(file).get(METADATA_KEY)
    found: dict[str, Any] = {}
    for name in frame.columns:
        if frame[name].null_count() and name in COLUMNS:
            raise ValueError(f"{frame[name].null_count()} values of {name} are missing")
        found[name] = frame[name].to_numpy()
    if about is not None:
        told = json.loads(about)
        found.update({name: told[name] for name in ABOUT})
        if told["checksum"] != _checksum(*(found[name] for name in COLUMNS)):
            raise ValueError("damaged: the columns have another checksum than when written")
    return found


def _checksum(*columns: npt.NDArray[Any]) -> int:
    """CRC-32 of all columns, as an archive has it of itself and a Parquet file has not."""
    checksum = 0
    for column in columns:
        checksum = zlib.crc32(column.tobytes(), checksum)
    return checksum


READERS: Final[Mapping[str, Callable[[str | Path], dict[str, Any]]]] = MappingProxyType(
    {".npz": _read_npz, ".parquet": _read_parquet}
)
WRITERS: Final[Mapping[str, Callable[[TraceColumns, str | Path], None]]] = MappingProxyType(
    {".npz": _write_npz, ".parquet": _write_parquet, ".pcap": write_pcap}
)


def _trace_from(path: str, found: Mapping[str, Any]) -> TraceColumns:
    """The trace in what a file holds, once it has been checked."""
    missing = [name for name in COLUMNS if name not in found]
    if missing:
        told = f"no column {missing[0]}: found {', '.join(found) or 'none'}"
        raise CaptureError(path, f"{told}; expected {', '.join(COLUMNS)}: rename or add it")
    is_ours = all(name in found for name in ABOUT)
    time_ns = _whole_numbers(path, found, "time_ns", -_TIME_NS_MAX, _TIME_NS_MAX)
    backwards = np.flatnonzero(np.diff(time_ns) < 0)
    if len(backwards):
        row = int(backwards[0]) + 1
        told = f"row {row} of time_ns: found {time_ns[row]} after {time_ns[row - 1]}"
        raise CaptureError(path, f"{told}, expected times in order; sort the rows by time_ns")
    sas_max = _sa_count(path, found) if is_ours else np.iinfo(np.int64).max
    sa = _whole_numbers(path, found, "sa", NO_SA, sas_max - 1)
    # Captures hold what a link hands over, which may be merged packets, or empty frames.
    lengths = (0, WIRE_BYTES_MAX) if is_ours else (1, LENGTH_BYTES_MAX)
    length_bytes = _whole_numbers(path, found, "length_bytes", *lengths).astype(np.int32)
    if {len(time_ns), len(sa), len(length_bytes)} != {len(time_ns)}:
        told = f"{len(time_ns)}, {len(sa)} and {len(length_bytes)} values"
        raise CaptureError(path, f"found {told} of {', '.join(COLUMNS)}, expected one a packet")
    if not is_ours:
        return trace_columns(Path(path).stem, time_ns, sa, length_bytes)
    stops = _chunk_stops(path, found, len(time_ns))
    predecessors = _whole_numbers(path, found, "predecessors", NO_SA, sas_max - 1)
    if len(predecessors) not in (0, sas_max):
        told = f"found {len(predecessors)} predecessors, expected none or one for each SA"
        raise CaptureError(path, f"{told}, {sas_max}")
    return TraceColumns(
        str(found["name"]),
        time_ns,
        sa.astype(np.int32),
        length_bytes,
        sas_max,
        stops,
        predecessors.astype(np.int32),
    )


def _whole_numbers(
    path: str, found: Mapping[str, Any], name: str, least: int, most: int
) -> npt.NDArray[np.int64]:
    """The column of that name as 64-bit numbers, all of them ``least`` to ``most``."""
    column = np.asarray(found[name])
    if column.size == 0 and isinstance(found[name], list):
        column = np.empty(0, np.int64)
    if column.dtype.kind not in "iu" or column.ndim != 1:
        told = f"{column.dtype} of shape {column.shape}"
        raise CaptureError(path, f"{name}: found {told}, expected one column of whole numbers")
    outside = np.flatnonzero((column < least) | (column > most))
    if len(outside):
        row = int(outside[0])
        raise CaptureError(
            path, f"row {row} of {name}: found {column[row]}, expected {least} to {most}"
        )
    return column.astype(np.int64)


def _sa_count(path: str, found: Mapping[str, Any]) -> int:
    count = found["sa_count"]
    if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count < 1 << 31:
        raise CaptureError(path, f"sa_count: found {count!r}, expected how many SAs there are")
    return count


def _chunk_stops(path: str, found: Mapping[str, Any], packets: int) -> npt.NDArray[np.int64]:
    stops = _whole_numbers(path, found, "chunk_stops", 0, packets)
    if len(stops) == 0 or stops[-1] != packets or (np.diff(stops) < 0).any():
        told = f"chunk_stops: expected ascending numbers up to {packets}, the number of rows"
        raise CaptureError(path, told)
    return stops
