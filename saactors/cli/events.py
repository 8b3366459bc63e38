"""``saactors events FILE``: what a run's event log says, filtered."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

import click

from saactors.cli.event_output import FORMATS, EventKind, check_output, event_output
from saactors.cli.values import Duration
from saactors.observe.events import EVENTS, Event, SaAdded


class SaName(click.ParamType[tuple[str, int]]):
    """An SA, by SPI (hexadecimal, 0x…) or by its index in the run (decimal)."""

    name = "spi|index"

    def convert(
        self,
        value: str | tuple[str, int],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> tuple[str, int]:
        """What the number is, and the number."""
        if isinstance(value, tuple):
            return value
        try:
            return ("spi", int(value, 16)) if value[:2] in {"0x", "0X"} else ("index", int(value))
        except ValueError:
            self.fail(
                f"found {value!r}, expected an SPI such as 0x1f2e3d4c or an SA's index such as 12",
                param,
                ctx,
            )


@click.command()
@click.argument("file", type=click.Path())
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    metavar="KIND",
    type=EventKind(),
    help=f"Show only events of this kind; may be repeated. Kinds: {', '.join(EVENTS)}.",
)
@click.option(
    "--sa",
    "sas",
    multiple=True,
    type=SaName(),
    help="Show only events about this SA, named by SPI (0x…) or by index; may be repeated.",
)
@click.option("--from", "from_ns", type=Duration(), default=0, help="From this time on.")
@click.option("--until", "until_ns", type=Duration(), help="Up to, and not including, this time.")
@click.option(
    "--format",
    "event_format",
    type=click.Choice(FORMATS),
    metavar="|".join(FORMATS),
    default="console",
    show_default=True,
    help="Lines to read, a JSON object a line, another event log, or a trace for ui.perfetto.dev.",
)
@click.option("--output", type=click.Path(dir_okay=False), help="Write to this file.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Stop after so many events.")
def events(
    file: str,
    kinds: tuple[str, ...],
    sas: tuple[tuple[str, int], ...],
    from_ns: int,
    until_ns: int | None,
    event_format: str,
    output: str | None,
    limit: int | None,
) -> None:
    """Print the event log that `saactors replay --events FILE` wrote.

    Times are given from the start of the run, with a unit: 1.5s, 20ms, 3us, 100ns.
    """
    # Structlog takes a tenth of a second to import, which --help need not wait for.
    import structlog  # noqa: PLC0415

    from saactors.observe.event_log import read_event_log  # noqa: PLC0415
    from saactors.observe.view import configure_logging  # noqa: PLC0415

    check_output(event_format, output, file)
    if not structlog.is_configured():  # its own default would warn on standard output
        configure_logging("warning", "console")
    found = about(read_event_log(file), sas)
    found = (
        event
        for event in found
        if (not kinds or event.kind in kinds)
        and event.time_ns >= from_ns
        and (until_ns is None or event.time_ns < until_ns)
    )
    with event_output(event_format, output) as sink:
        for event in itertools.islice(found, limit):
            sink.show(event)


def about(log: Iterable[Event], sas: tuple[tuple[str, int], ...]) -> Iterator[Event]:
    """The events that name one of these SAs; all events if ``sas`` is empty.

    Most events name an SA by index only, so SPIs are learnt from ``sa_added`` on the way. An SPI
    that two SAs share (their destinations differ) stands for both.
    """
    spis = {number for named_by, number in sas if named_by == "spi"}
    indices = {number for named_by, number in sas if named_by == "index"}
    for event in log:
        if isinstance(event, SaAdded) and event.spi in spis:
            indices.add(event.sa)
        if not sas or any(
            getattr(event, role, None) in indices for role in ("sa", "victim", "successor")
        ):
            yield event
