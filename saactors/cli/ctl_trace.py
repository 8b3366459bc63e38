"""``saactors ctl trace``: single packets on their way through the gateway."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import click

from saactors.cli.ctl_ask import Asking, asks, given_of
from saactors.cli.ctl_values import Spi
from saactors.cli.output import standard_output

if TYPE_CHECKING:
    from saactors.gateway.control.client import Following
    from saactors.observe.events import PacketTraced

INTERRUPTED: Final = 130  # as saactors.cli.main has it


@click.group()
def trace() -> None:
    """Follow packets on their way."""


@trace.command("add")
@click.option("--count", type=click.IntRange(1, 10_000), default=50, help="Packets. [50]")
@click.option("--spi", type=Spi(), help="Of this SA.")
@click.option("--source", metavar="PREFIX", help="From there.")
@click.option("--destination", metavar="PREFIX", help="To there.")
@click.option("--protocol", metavar="NAME|NUMBER", help="Such as tcp.")
@click.option("--direction", type=click.Choice(["out", "in"]), help="Only of this one.")
@asks()
def trace_add(asking: Asking, count: int, protocol: str | None, **given: str | int | None) -> None:
    """Show each step of the next packets, as it is taken; Ctrl-C ends it.

    With --json each step is a line of its own.
    """
    # Imported here, so that --help need not wait for it.
    from saactors.gateway.control.client import ControlClient  # noqa: PLC0415

    if asking.to:
        raise click.UsageError("--to is for commands that change something; use --socket PATH")
    number = int(protocol) if protocol is not None and protocol.isdecimal() else protocol
    wanted = {"count": count, "filter": given_of(protocol=number, **given)}
    with ControlClient(asking.path) as client, standard_output():
        following = client.follow("trace.add", wanted)
        try:
            _print(following, as_json=asking.as_json)
        except KeyboardInterrupt:
            click.get_current_context().exit(INTERRUPTED)
        finally:
            if following.events_lost:
                click.echo(f"saactors: {following.events_lost} steps were lost", err=True)


def _print(following: Following, *, as_json: bool) -> None:
    from saactors.gateway.control.event_rows import RowReader  # noqa: PLC0415
    from saactors.observe.events import PacketTraced  # noqa: PLC0415

    reader = RowReader(following.answer)
    for push in following:
        for row in push.events:
            event = reader.event_of(row)
            if isinstance(event, PacketTraced):
                click.echo(json.dumps(_plain(event)) if as_json else _line(event))
    if not as_json:
        click.echo(following.end)


def _plain(event: PacketTraced) -> dict[str, object]:
    from saactors.observe.events import FIELDS  # noqa: PLC0415

    fields = {name: getattr(event, name) for name in FIELDS[event.kind]}
    return {"kind": event.kind, **fields}


def _line(event: PacketTraced) -> str:
    from saactors.observe.units import instant  # noqa: PLC0415

    spi = f"{event.spi:#010x}" if event.spi is not None else "-"
    return (
        f"packet {event.packet:<5}  {instant(event.time_ns):>20}  {event.actor:10}  {spi:10}  "
        f"{event.decision}"
    )
