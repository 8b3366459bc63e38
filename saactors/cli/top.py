"""``saactors top``: the SAs and edges of a running gateway, live in the terminal.

The gateway sorts and filters, so of a hundred thousand SAs one screen travels. Neither NumPy, trio
nor rich is imported here.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

import click

from saactors.cli.output import standard_output
from saactors.cli.values import Duration

if TYPE_CHECKING:
    from saactors.cli.top_screen import View
    from saactors.gateway.control.client import ControlClient

ROWS_MAX: Final = 1000  # what the gateway gives at once
_SORTS: Final = ("packets_per_s", "bits_per_s", "metric", "saved_ns", "moves", "spi")


@click.command()
@click.option(
    "--socket",
    type=click.Path(),
    help="The gateway's control socket. [$SAACTORS_SOCKET, else /run/saactors/control.sock]",
)
@click.option(
    "--interval",
    "interval_ns",
    type=Duration(100_000_000),
    default="1s",
    show_default=True,
    help="Time between two readings.",
)
@click.option("--once", is_flag=True, help="Print one table and end; so too into a pipe.")
@click.option(
    "--sort", type=click.Choice(_SORTS), metavar="|".join(_SORTS), default=_SORTS[0],
    show_default=True, help="Order to begin with.",
)  # fmt: skip
@click.option("--search", default="", help="Only SAs with this text in name, SPI or endpoint.")
@click.option(
    "--where", type=click.Choice(["software", "loading", "nic"]),
    metavar="software|loading|nic", help="Only SAs that are there.",
)  # fmt: skip
@click.option(
    "--limit", type=click.IntRange(1, ROWS_MAX), metavar="N", default=20, show_default=True,
    help="SAs in the table that --once prints.",
)  # fmt: skip
def top(
    socket: str | None,
    interval_ns: int,
    once: bool,
    sort: str,
    search: str,
    where: str | None,
    limit: int,
) -> None:
    """Show the SAs and edges of a running gateway, live.

    \b
    p b m s v i   sort by packets/s, bits/s, metric, saved time, moves, SPI
    r             the other way round
    /             search in name, SPI and endpoints; Esc shows all again
    w             only SAs on the card, in software, loading
    arrows, page up, page down, space, home, end
    q             quit
    """  # noqa: D301 - the \b is click's: it keeps these lines as they are
    # Imported here, so that --help need not wait for it.
    from saactors.cli.top_screen import View  # noqa: PLC0415
    from saactors.gateway.control.client import ControlClient, socket_path  # noqa: PLC0415

    view = View(sort=sort, descending=sort != "spi", search=search, where=where)
    is_screen = sys.stdout.isatty() and sys.stdin.isatty() and os.environ.get("TERM") != "dumb"
    with ControlClient(socket or socket_path()) as gateway:
        if once or not is_screen:
            _print_once(gateway, view, limit)
        else:
            from saactors.cli.top_loop import run_screen  # noqa: PLC0415 - as above

            run_screen(gateway, view, interval_ns / 1e9)


def _print_once(gateway: ControlClient, view: View, limit: int) -> None:
    from saactors.cli.top_screen import Reading, draw  # noqa: PLC0415 - as above

    status = gateway.call("status")
    reading = Reading(status, None, gateway.call("sa.list", view.arguments(limit)))
    width = os.get_terminal_size(sys.stdout.fileno()).columns if sys.stdout.isatty() else None
    with standard_output():
        for line in draw(reading, view, width or None, None):
            click.echo(line.text.rstrip())
