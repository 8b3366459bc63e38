"""Where events go: lines on the screen or in a file, an event log, a trace for Perfetto.

Each format's module is imported when it is asked for: structlog takes a tenth of a second, Protocol
Buffers half of that, and the event log needs NumPy.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TextIO

import click

from saactors.cli.output import standard_output
from saactors.errors import OutputError
from saactors.observe.events import EVENTS, Event

if TYPE_CHECKING:
    from saactors.observe.perfetto import PerfettoWriter

FORMATS: Final = ("console", "json", "msgpack", "perfetto")
FILE_FORMATS: Final = frozenset({"msgpack", "perfetto"})  # nothing that a screen could show


class EventKind(click.ParamType[str]):
    """A kind of event; one that does not exist gets a suggestion."""

    name = "kind"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The kind."""
        if value not in EVENTS:
            close = get_close_matches(value, EVENTS, n=1, cutoff=0.75)
            expected = f"one of {', '.join(map(repr, EVENTS))}"
            told = f"did you mean {close[0]!r}?" if close else f"expected {expected}"
            self.fail(f"found {value!r}; {told}", param, ctx)
        return value


class EventSink:
    """Takes events one by one: ``show`` each, ``lose`` what is missing, ``flush`` what waits."""

    def __init__(
        self,
        show: Callable[[Event], None],
        lose: Callable[[int], None] = lambda _count: None,
        flush: Callable[[], None] = lambda: None,
        trace: PerfettoWriter | None = None,
    ) -> None:
        self.show = show
        self.lose = lose
        self.flush = flush
        self.trace = trace  # of format perfetto, which can be told more than events


def check_output(event_format: str, output: str | None, source: str | None = None) -> None:
    """Refuse a format for files without a file, and to write over what is read.

    Raises:
        click.UsageError: with what to give instead.
    """
    if event_format in FILE_FORMATS and output is None:
        told = f"--format {event_format}: found no file to write, expected --output FILE"
        raise click.UsageError(told, click.get_current_context())
    if output is None or source is None:
        return
    there, read = Path(output), Path(source)
    if there.exists() and read.exists() and there.samefile(read):
        told = f"--output: found {output!r}, which is the log to be read; expected another file"
        raise click.UsageError(told, click.get_current_context())


@contextmanager
def event_output(event_format: str, output: str | None) -> Iterator[EventSink]:
    """A sink for events; the file is complete when the context is left, in whatever way.

    A reader of standard output who leaves ends the context quietly.

    Raises:
        OutputError: the file, or standard output, cannot be written.
    """
    if event_format == "msgpack" and output is not None:
        from saactors.observe.event_log import EventLogWriter  # noqa: PLC0415 - as said above

        with EventLogWriter(output) as log:
            yield EventSink(log.write)
    elif event_format == "perfetto" and output is not None:
        with _opened(output) as file:
            yield from _trace(file)
    elif output is None:
        with standard_output():
            yield _lines(event_format, sys.stdout)
    else:
        with _opened(output) as file, io.TextIOWrapper(file, encoding="utf-8") as text:
            yield _lines(event_format, text)


def _trace(file: BinaryIO) -> Iterator[EventSink]:
    from saactors.observe.perfetto import PerfettoWriter  # noqa: PLC0415 - as said above

    writer = PerfettoWriter(file)
    try:
        yield EventSink(writer.write, writer.lose, trace=writer)
    finally:
        writer.close()


def _lines(event_format: str, stream: TextIO) -> EventSink:
    from saactors.observe.view import EventView  # noqa: PLC0415 - as said above

    def lose(count: int) -> None:
        told: Any = {"kind": "events_lost", "count": count}
        line = json.dumps(told) if event_format == "json" else f"… {count:,} events lost here"
        stream.write(f"{line}\n")

    view = EventView("json" if event_format == "json" else "console", stream)
    return EventSink(view.show, lose, stream.flush)


@contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    """The file, for writing; whatever fails with it inside is one OutputError."""
    try:
        with Path(path).open("wb") as file:
            yield file
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise OutputError(path, f"cannot be written: {reason}") from problem
