"""``saactors ctl``: ask and steer a running gateway over its control socket.

What is asked and answered is docs/control.md; here are its commands as people type them. Commands
about SAs, policies and traces have files of their own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from saactors.cli.ctl_ask import Answer, Asking, asks, given_of, group_options, shown_by
from saactors.cli.ctl_policy import policy
from saactors.cli.ctl_sa import sa
from saactors.cli.ctl_trace import trace
from saactors.cli.ctl_values import Rule, Setting, Spi

if TYPE_CHECKING:
    from saactors.cli.ctl_screen import Part


@click.group("ctl")
@group_options
@click.pass_context
def ctl(ctx: click.Context, socket: str | None, to: tuple[str, ...], *, as_json: bool) -> None:
    """Ask and steer a running gateway.

    The status is 1 where a gateway refused or could not be asked. docs/control.md has every command
    with what it takes and answers.
    """
    ctx.obj = Asking(socket, to, as_json)


@ctl.command()
@asks()
def status(asking: Asking) -> None:
    """Show how the gateway is."""
    asking.ask("status", {}, shown_by("status"))


@ctl.command()
@click.option("--limit", type=click.IntRange(1, 1000), default=20, help="How many. [20]")
@asks()
def moves(asking: Asking, limit: int) -> None:
    """Show the last moves of SAs, newest first."""
    asking.ask("moves", {"limit": limit}, shown_by("moves"))


@ctl.command()
@click.option("--last", type=click.IntRange(1, 600), default=30, help="Seconds to show. [30]")
@asks()
def history(asking: Asking, last: int) -> None:
    """Show packets, residents and loads by the second."""

    def show(answer: Answer) -> Iterable[Part]:
        from saactors.cli.ctl_tables import history as drawn  # noqa: PLC0415

        return drawn(answer, last)

    asking.ask("history", {}, show)


@ctl.command()
@click.argument("spi", type=Spi())
@click.option("--destination", metavar="ADDRESS", help="Where SAs share the SPI.")
@asks()
def explain(asking: Asking, spi: int, destination: str | None) -> None:
    """Show why the SA is where it is."""
    asking.ask("explain", given_of(spi=spi, destination=destination), shown_by("explain"))


@ctl.group()
def rule() -> None:
    """Show or set the placement rule."""


@rule.command("show")
@asks()
def rule_show(asking: Asking) -> None:
    """Show the rule in use."""
    asking.ask("rule.show", {}, shown_by("rule_show"))


@rule.command("set")
@click.argument("name", type=Rule())
@click.argument("parameters", nargs=-1, type=Setting(), metavar="[NAME=VALUE]...")
@asks(changes=True)
def rule_set(asking: Asking, name: str, parameters: tuple[tuple[str, Any], ...]) -> None:
    """Go on by another rule or other parameters; no packet is lost.

    Parameters that are left out take their defaults; 'saactors rules' tells of them. With --to
    SOCKET, which may be repeated, many gateways are set at once.
    """
    arguments = {"name": name, "parameters": dict(parameters)}

    def told(answer: Answer) -> str:
        values = (f"{each} {value}" for each, value in answer["parameters"].items())
        return f"rule {', '.join([answer['name'], *values])}"

    asking.tell("rule.set", arguments, told)


@ctl.group()
def card() -> None:
    """Show, reset or resize the card."""


@card.command("show")
@asks()
def card_show(asking: Asking) -> None:
    """Show the card and the SAs that it holds."""
    asking.ask("card.show", {}, shown_by("card_show"))


@card.command("reset")
@asks(changes=True)
def card_reset(asking: Asking) -> None:
    """Reset the card; traffic goes on in software."""
    asking.tell("card.reset", {}, lambda answer: f"card reset, {answer['forgotten']} SAs forgotten")


@card.command("resize")
@click.argument("slots", type=click.IntRange(min=1))
@asks(changes=True)
def card_resize(asking: Asking, slots: int) -> None:
    """Let the rule use SLOTS of the card's slots."""
    asking.tell("card.resize", {"slots": slots}, lambda answer: f"{answer['slots']} slots")


for group in (sa, policy, trace):
    ctl.add_command(group)
