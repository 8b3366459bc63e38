"""``saactors rules``: the placement rules, what they do, their parameters and their sources."""

from __future__ import annotations

import click


@click.command()
def rules() -> None:
    """List the placement rules."""
    # Imported here, so that --help need not wait for it.
    from saactors.placement.table import RULES  # noqa: PLC0415

    for name, entry in RULES.items():
        click.echo(name)
        for line in entry.summary.splitlines():
            click.echo(f"    {line}")
        click.echo(f"    source: {entry.source}")
        for parameter in entry.parameters:
            unit = f" ({parameter.unit})" if parameter.unit else ""
            click.echo(f"    {parameter.name}{unit}: default {parameter.default}")
            click.echo(f"        {parameter.why}")
        click.echo()
