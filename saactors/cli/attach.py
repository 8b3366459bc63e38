"""``saactors attach``: the events of a running gateway, as they come.

The gateway never waits for us: what we are too slow for it counts as lost, and that is shown where
it happened and in total at the end. Neither NumPy nor trio is imported for lines and JSON.
"""

from __future__ import annotations

import select
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

import click

from saactors.cli.event_output import FORMATS, EventKind, EventSink, check_output, event_output
from saactors.cli.events import SaName
from saactors.cli.values import Duration
from saactors.observe.events import EVENTS, VERBOSE_EVENTS

if TYPE_CHECKING:
    from saactors.gateway.control.client import ControlClient, Following

PATIENCE_S: Final = 0.2  # how long a signal or a reader who left may go unnoticed
RESIDENTS_MAX: Final = 1000  # that a trace begins with: a page of the gateway's list
_VERBOSE: Final = ", ".join(kind for kind, event in EVENTS.items() if event in VERBOSE_EVENTS)


class Sample(click.ParamType[int]):
    """1/N: one event in N."""

    name = "1/N"

    def convert(
        self, value: str | int, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """N."""
        if isinstance(value, int):
            return value
        one, _, number = value.partition("/")
        if one.strip() != "1" or not number.strip().isdecimal() or int(number) < 1:
            self.fail(f"found {value!r}, expected 1/N such as 1/100", param, ctx)
        return int(number)


@click.command()
@click.option(
    "--socket",
    type=click.Path(),
    help="The gateway's control socket. [$SAACTORS_SOCKET, else /run/saactors/control.sock]",
)
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=EventKind(),
    metavar="KIND",
    help=f"Only events of this kind; may be repeated. [all but the verbose: {_VERBOSE}; "
    "all for perfetto]",
)
@click.option(
    "--sa",
    "sas",
    multiple=True,
    type=SaName(),
    help="Only events about this SA, named by SPI (0x…) or by index; may be repeated.",
)
@click.option("--sample", type=Sample(), default=1, help="One event in N.")
@click.option(
    "--format",
    "event_format",
    type=click.Choice(FORMATS),
    metavar="|".join(FORMATS),
    default="console",
    show_default=True,
    help="Lines to read, a JSON object a line, an event log, or a trace for ui.perfetto.dev.",
)
@click.option("--output", type=click.Path(dir_okay=False), help="Write to this file.")
@click.option("--duration", "duration_ns", type=Duration(1), help="Detach after so long.")
@click.option(
    "--count", type=click.IntRange(min=1), metavar="N", help="Detach after so many events."
)
def attach(
    socket: str | None,
    kinds: tuple[str, ...],
    sas: tuple[tuple[str, int], ...],
    sample: int,
    event_format: str,
    output: str | None,
    duration_ns: int | None,
    count: int | None,
) -> None:
    """Show the events of a running gateway as they come.

    Ctrl-C detaches; the gateway takes no notice of it. Its time is counted from its start.
    """
    check_output(event_format, output)
    # Imported here, so that --help need not wait for it.
    from saactors.gateway.control.client import ControlClient, socket_path  # noqa: PLC0415

    if event_format == "perfetto" and not kinds:
        kinds = tuple(EVENTS)
    seen = _Seen(count)
    deadline_s = None if duration_ns is None else time.monotonic() + duration_ns / 1e9
    try:
        with (
            ControlClient(socket or socket_path()) as gateway,
            stopping_on_signals() as stopped,
            event_output(event_format, output) as sink,
        ):
            indices = indices_of(sas, gateway)
            wanted = {"kinds": list(kinds), "sas": indices, "sample": sample}
            following = gateway.follow("attach", wanted)
            seen.is_attached = True
            if sink.trace is not None:
                _begin_with_residents(sink, gateway.path, indices)
            _show_events(following, sink, seen, stopped, deadline_s)
    finally:
        seen.tell(output)
    if following.end is not None:
        _gateway_left(gateway.path, following.end)


class _Seen:
    """How many events came, and how many did not."""

    def __init__(self, count_max: int | None) -> None:
        self.count = 0
        self.lost = 0
        self.is_attached = False
        self._count_max = count_max

    @property
    def is_enough(self) -> bool:
        return self._count_max is not None and self.count >= self._count_max

    def tell(self, output: str | None) -> None:
        """On standard error, where there is something to tell."""
        if self.is_attached and (self.lost or output is not None):
            where = "shown" if output is None else f"written to {output}"
            click.echo(f"saactors: {self.count:,} events {where}, {self.lost:,} lost", err=True)


def _show_events(
    following: Following,
    sink: EventSink,
    seen: _Seen,
    stopped: Sequence[int],
    deadline_s: float | None,
) -> None:
    """Until there are no more, somebody stops us, or it is enough."""
    from saactors.gateway.control.event_rows import RowReader  # noqa: PLC0415 - as above

    rows = RowReader(following.answer)
    while following.end is None and not stopped and not seen.is_enough:
        patience_s = PATIENCE_S
        if deadline_s is not None:
            patience_s = min(patience_s, deadline_s - time.monotonic())
            if patience_s <= 0:
                return
        push = following.next(patience_s)
        if push is None:
            if reader_has_left():
                return
            continue
        for row in push.events:
            event = rows.event_of(row)
            if event is not None and not seen.is_enough:
                seen.count += 1
                sink.show(event)
        if push.events_lost > seen.lost:
            sink.lose(push.events_lost - seen.lost)
            seen.lost = push.events_lost
        sink.flush()


def indices_of(sas: Sequence[tuple[str, int]], gateway: ControlClient) -> list[int]:
    """The indices of SAs; the gateway is asked for those that are named by SPI."""
    return [
        number if named_by == "index" else int(gateway.call("sa.show", {"spi": number})["sa"])
        for named_by, number in sas
    ]


def _begin_with_residents(sink: EventSink, path: str, wanted: Sequence[int]) -> None:
    """Tell a trace which of the wanted SAs (none: all) are on the card already.

    Asked over a connection of its own, for ours has events under way.
    """
    from saactors.gateway.control.client import ControlClient  # noqa: PLC0415 - as above

    with ControlClient(path) as gateway:
        time_ns = int(gateway.call("status")["uptime_ns"])
        listed: list[dict[str, Any]] = gateway.call("card.show")["resident_sas"]
    for resident in listed[:RESIDENTS_MAX]:
        if sink.trace is not None and (not wanted or resident["sa"] in wanted):
            sink.trace.hold(int(resident["sa"]), int(resident["spi"]), time_ns)


@contextmanager
def stopping_on_signals() -> Iterator[Sequence[int]]:
    """A list that gets the number of a SIGINT or SIGTERM, so that files end with whole records.

    The second signal has its usual effect, should something hang.
    """
    caught: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    former = {number: signal.getsignal(number) for number in numbers}

    def catch(number: int, _frame: FrameType | None) -> None:
        caught.append(number)
        for each in numbers:
            signal.signal(each, former[each])

    for number in numbers:
        signal.signal(number, catch)
    try:
        yield caught
    finally:
        for number in numbers:
            signal.signal(number, former[number])


def reader_has_left() -> bool:
    """Whether standard output is a pipe that nobody reads any more, as after ``head``."""
    waiting = select.poll()
    waiting.register(sys.stdout.fileno(), 0)
    return any(event & select.POLLERR for _, event in waiting.poll(0))


def _gateway_left(path: str, end: str) -> None:
    from saactors.errors import ControlError  # noqa: PLC0415 - needed here alone

    raise ControlError(f"gateway at {path}: {end}")
