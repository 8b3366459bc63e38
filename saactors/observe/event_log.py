"""The event log: a run's events as a stream of msgpack frames.

    frame 0     ["saactors-events", format version, saactors version, [[kind, [field, …]], …]]
    frame 1 …   [kind index, time_ns, field, …]     fields in the order that frame 0 gives

A reader goes by the names in frame 0, not by its own vocabulary: kinds and fields that it does not
know are skipped, fields that the file lacks take their defaults. The format version changes only
when that is not enough. A log that was cut off (a killed run, a full disk) reads up to the cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import FileIO
from operator import attrgetter
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Self, TypeAlias, get_type_hints

import msgpack
import numpy as np
import structlog

from saactors import __version__
from saactors.errors import EventLogError, OutputError
from saactors.observe.events import EVENTS, FIELDS, Event, Scalar

MAGIC: Final = "saactors-events"
PREFIX: Final = b"\x94\xaf" + MAGIC.encode()  # an array of four that begins with the magic string
FORMAT_VERSION: Final = 1
BUFFER_BYTES: Final = 1 << 16
FRAME_BYTES_MAX: Final = 1 << 24  # no event comes near; a larger one means damage

# By type: the kind's index in the header, a getter of all fields, whether one is a mapping.
_LAYOUT: Final = {
    event_type: (
        index,
        attrgetter(*FIELDS[event_type.kind]),
        Mapping[str, Scalar] in get_type_hints(event_type).values(),
    )
    for index, event_type in enumerate(EVENTS.values())
}


class EventLogWriter:
    """Writes events to a file, through a buffer of ``BUFFER_BYTES``.

    Use it as a context manager and subscribe ``write``. Raises ``OutputError``; after the first
    failure nothing more is written, and leaving the context raises it once more, so that a run
    which outlives its log still ends with the right exit status.
    """

    __slots__ = ("_file", "_pack", "_path", "_pending", "_problem")

    def __init__(self, path: str | Path) -> None:
        self._path = str(path)
        self._problem: OutputError | None = None
        self._pending = bytearray()
        self._pack = msgpack.Packer(default=_plain_number, autoreset=True).pack
        try:
            self._file = FileIO(self._path, "wb")
        except OSError as problem:
            raise OutputError(
                self._path, f"cannot be written: {problem.strerror or problem}"
            ) from problem
        kinds = list(FIELDS.items())
        self._pending += self._pack([MAGIC, FORMAT_VERSION, __version__, kinds])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        try:
            self.close()
        except OutputError:
            if error is None:
                raise

    def write(self, event: Event) -> None:
        """Append an event."""
        if self._problem is not None:
            raise self._problem
        index, values_of, has_mapping = _LAYOUT[type(event)]
        values: Iterable[object] = values_of(event)
        if has_mapping:
            values = [_sorted(value) for value in values]
        self._pending += self._pack((index, *values))
        if len(self._pending) >= BUFFER_BYTES:
            self._write_out()

    def close(self) -> None:
        """Write what is pending and close the file."""
        with self._failing_for_good(), self._file:
            if self._problem is None:
                self._write_out()
        if self._problem is not None:
            raise self._problem

    def _write_out(self) -> None:
        pending, self._pending = memoryview(self._pending), bytearray()
        with self._failing_for_good():
            while pending:
                pending = pending[self._file.write(pending) :]

    @contextmanager
    def _failing_for_good(self) -> Iterator[None]:
        try:
            yield
        except OSError as problem:
            self._problem = OutputError(
                self._path, f"cannot be written: {problem.strerror or problem}"
            )
            raise self._problem from problem


def _sorted(value: object) -> object:
    """Mappings by sorted key: two that are equal must give the same bytes."""
    return dict(sorted(value.items())) if isinstance(value, Mapping) else value


def _plain_number(value: object) -> object:
    """A NumPy scalar as Python's; anything else that msgpack does not know has no place here."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"an event holds a {type(value).__name__}; expected numbers, text or None")


def read_event_log(path: str | Path) -> Iterator[Event]:
    """The events of a log, one by one, in the order in which they were written.

    Raises:
        EventLogError: the file cannot be opened, is no event log, has a format version that we do
            not read, or is damaged (at the first damaged frame, after the events before it).

    A log that was cut off gives the events up to the cut, then a structlog warning
    (``event_log_cut_off``).
    """
    try:
        with Path(path).open("rb") as file:
            yield from _Reader(str(path), file).events()
    except OSError as problem:
        raise EventLogError(str(path), problem.strerror or str(problem)) from problem


# What isinstance may compare a value with that was read for a field.
_READ_AS: Final = {float: int | float, Mapping[str, Scalar]: dict}


def _accepted(event_type: type[Event]) -> dict[str, Any]:
    hints = get_type_hints(event_type)
    return {name: _READ_AS.get(hints[name], hints[name]) for name in FIELDS[event_type.kind]}


_ACCEPTED: Final = {kind: _accepted(event_type) for kind, event_type in EVENTS.items()}

_Kind: TypeAlias = tuple[type[Event] | None, list[str]]


class _Reader:
    """Frames of one file, turned into events by the names in its header."""

    def __init__(self, path: str, file: BinaryIO) -> None:
        self._path = path
        self._file = file
        self._fed_bytes = 0
        self._read_bytes = 0  # whole frames only
        self._unpacker = msgpack.Unpacker(max_buffer_size=FRAME_BYTES_MAX)

    def events(self) -> Iterator[Event]:
        frames = self._frames()
        kinds = self._header(frames)
        count = 0
        for frame in frames:
            event = self._event(frame, kinds)
            if event is not None:
                count += 1
                yield event
        if self._read_bytes < self._fed_bytes:
            structlog.get_logger().warning(
                "event_log_cut_off",
                path=self._path,
                events_read=count,
                bytes_left=self._fed_bytes - self._read_bytes,
            )

    def _frames(self) -> Iterator[list[Any]]:
        block = self._file.read(BUFFER_BYTES)
        if not block.startswith(PREFIX):
            raise EventLogError(
                self._path,
                "this is no saactors event log; expected a file that "
                "`saactors replay --events FILE` wrote",
            )
        try:
            while block:
                self._unpacker.feed(block)
                self._fed_bytes += len(block)
                for frame in self._unpacker:
                    if not isinstance(frame, list):
                        raise self._damaged()
                    self._read_bytes = self._unpacker.tell()
                    yield frame
                block = self._file.read(BUFFER_BYTES)
        except (ValueError, msgpack.UnpackException) as problem:
            raise self._damaged() from problem

    def _header(self, frames: Iterator[list[Any]]) -> list[_Kind]:
        match next(frames, None):
            case [_, int(version), by, *_] if version != FORMAT_VERSION:
                raise EventLogError(
                    self._path,
                    f"event log of format {version}, written by saactors {by}; "
                    f"saactors {__version__} reads format {FORMAT_VERSION}",
                )
            case [_, int(), _, [*kinds]]:
                try:
                    return [(EVENTS.get(kind), [str(n) for n in names]) for kind, names in kinds]
                except (TypeError, ValueError):
                    raise self._damaged() from None
            case None:
                raise EventLogError(self._path, "cut off within its header: no event can be read")
        raise self._damaged()

    def _event(self, frame: list[Any], kinds: list[_Kind]) -> Event | None:
        """None for a kind that a later saactors has added."""
        try:
            kind: _Kind = kinds[frame[0]]
            event_type, names = kind
            if event_type is None:
                return None
            expected = _ACCEPTED[event_type.kind]
            known = {
                name: value
                for name, value in zip(names, frame[1:], strict=True)
                if name in expected
            }
            if not all(isinstance(value, expected[name]) for name, value in known.items()):
                raise self._damaged()
            return event_type(**known)
        except (TypeError, ValueError, LookupError):
            raise self._damaged() from None

    def _damaged(self) -> EventLogError:
        return EventLogError(self._path, f"damaged before byte {self._read_bytes}")
