"""``saactors ctl policy``: the SPD of a running gateway."""

from __future__ import annotations

import click

from saactors.cli.ctl_ask import Asking, asks, given_of, shown_by
from saactors.cli.ctl_values import Sa


@click.group()
def policy() -> None:
    """Show, add or delete policies."""


@policy.command("list")
@asks()
def policy_list(asking: Asking) -> None:
    """Show the policies in the order in which they are searched."""
    asking.ask("policy.list", {}, shown_by("policy_list"))


@policy.command("add")
@click.argument("action", type=click.Choice(["protect", "bypass", "discard"]))
@click.option("--source", metavar="PREFIX", help="Inner source. [any]")
@click.option("--destination", metavar="PREFIX", help="Inner destination. [any]")
@click.option("--protocol", metavar="NAME|NUMBER", help="Such as tcp. [any]")
@click.option("--source-ports", metavar="PORTS", help="A port or a range such as 1024-65535. [any]")
@click.option("--destination-ports", metavar="PORTS", help="Likewise. [any]")
@click.option("--sa", type=Sa(), help="Protect with this SA.")
@click.option("--peer", metavar="ADDRESS", help="Protect with the newest SA to this peer.")
@click.option("--before", type=click.IntRange(min=0), metavar="NUMBER", help="Its place. [the end]")
@asks(changes=True)
def policy_add(
    asking: Asking, action: str, protocol: str | None, sa: int | str | None, peer: str | None,
    **given: str | int | None,
) -> None:  # fmt: skip
    """Add a policy: protect, bypass or discard what it matches."""
    if action == "protect" and (sa is None) == (peer is None):
        raise click.UsageError("protect needs --sa SPI or --peer ADDRESS")
    if action != "protect" and not sa is peer is None:
        raise click.UsageError(f"{action} has no SA; leave out --sa and --peer")
    number = int(protocol) if protocol is not None and protocol.isdecimal() else protocol
    arguments = given_of(action=action, protocol=number, sa=sa, peer=peer, **given)
    asking.tell("policy.add", arguments, lambda answer: f"policy {answer['number']} added")


@policy.command("delete")
@click.argument("number", type=click.IntRange(min=0))
@asks(changes=True)
def policy_delete(asking: Asking, number: int) -> None:
    """Delete the policy NUMBER; 'policy list' tells numbers."""
    asking.tell(
        "policy.delete", {"number": number}, lambda answer: f"policy {answer['number']} deleted"
    )
