"""``saactors profiles``: the cards we know, every figure with its unit and source."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from saactors.cli.output import paragraphs_of, standard_output

if TYPE_CHECKING:
    from nicmodel.profile import CardProfile, HostProfile


@click.command()
@click.argument("name", required=False)
def profiles(name: str | None) -> None:
    """List the card profiles, or every figure of the profile NAME with its source.

    Figures are keys of a scenario's [card] and [host] tables, where each can be changed.
    """
    # Imported here, so that --help need not wait for it.
    from nicmodel.presets import HOST, PROFILES  # noqa: PLC0415
    from saactors.errors import ParameterError  # noqa: PLC0415

    if name is not None and name not in PROFILES:
        raise ParameterError("profile", name, f"one of {', '.join(PROFILES)}")
    with standard_output():
        if name is None:
            _list_all(PROFILES.values())
        else:
            _describe(f"{name}: the card", PROFILES[name])
            _describe("\nthe host, whichever card it has", HOST)


def _list_all(known: Iterable[CardProfile]) -> None:
    from saactors.observe.units import duration  # noqa: PLC0415

    for profile in known:
        load, host = duration(profile.load_latency_ns), duration(profile.load_host_ns)
        click.echo(
            f"{profile.name:9}  {profile.slots_max:>6,} slots, a load takes {load:>7}, "
            f"of the host {host:>7}"
        )
    click.echo("\n'saactors profiles NAME' shows every figure with its source.")


def _describe(heading: str, profile: CardProfile | HostProfile) -> None:
    from nicmodel.profile import describe  # noqa: PLC0415

    click.echo(heading)
    for row in describe(profile):
        click.echo(f"  {row.field} = {_plainly(row.value)} {row.unit}".rstrip())
        click.echo(paragraphs_of([row.source], indent=6))


def _plainly(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case int() | float():
            return f"{value:,.15g}"
        case _:
            return str(value)
