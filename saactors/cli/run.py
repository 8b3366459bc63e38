"""``saactors run``: a gateway's data path as a long-lived process."""

from __future__ import annotations

import sys
from typing import Any

import click
import structlog


@click.command()
@click.argument("gateway", type=click.Path(dir_okay=False), metavar="GATEWAY.toml")
@click.option(
    "--check", is_flag=True, help="Only read the file and say whether it describes a gateway."
)
@click.option(
    "--log",
    type=click.Choice(["console", "json"]),
    help="How log lines look; a terminal's default is console, any other's json.",
)
def run(gateway: str, *, check: bool, log: str | None) -> None:
    """Run the IPsec gateway that GATEWAY.toml describes, until SIGTERM.

    SIGTERM and SIGINT drain it and end it with status 0, a second one ends it at once, SIGHUP reads
    the file again. Watch and steer it with saactors ctl, top and attach. docs/gateway.md has more.
    """
    # Imported here, so that --help need not wait for it.
    from saactors.scenario.load import load_gateway  # noqa: PLC0415

    if check:
        file = load_gateway(gateway)
        ports = ", ".join(f"{port.side} {port.kind}" for port in file.ports)
        click.echo(f"{gateway}: a gateway with {len(file.sas)} SAs; ports: {ports}")
        return
    _log_as(log or ("console" if sys.stderr.isatty() else "json"))
    from saactors.gateway.run import run_gateway  # noqa: PLC0415 - likewise

    ended = run_gateway(gateway, _say_ready)
    totals = ended.packets
    structlog.get_logger().info(
        "ended",
        drained=ended.drained,
        left_inside=totals["in_flight_packets"],
        in_packets=totals["in_packets"],
        out_packets=totals["out_packets"],
        dropped=sum(totals["dropped"].values()),
    )


def _say_ready(gateway: Any, page: str | None) -> None:  # noqa: ANN401 - Gateway costs seconds to import
    file = gateway.parts.file
    structlog.get_logger().info(
        "ready",
        name=file.gateway.name,
        control=file.gateway.control,
        page=page,
        sas=len(gateway.parts.sas),
        ports=[f"{port.side} {port.kind} {port.detail}" for port in gateway.parts.ports],
    )


def _log_as(kind: str) -> None:
    """Log lines go to standard error, whatever they look like."""
    show: Any = structlog.processors.JSONRenderer()
    if kind == "console":
        show = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            show,
        ],
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
