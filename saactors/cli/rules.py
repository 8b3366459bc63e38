"""``saactors rules``: the placement rules, what they do, their parameters and their sources."""

from __future__ import annotations

import click

from saactors.cli.output import paragraphs_of, standard_output


@click.command()
def rules() -> None:
    """List the placement rules, with the parameters of each.

    Parameters are options of `saactors replay` and keys of a scenario's [rule] table.
    """
    # Imported here, so that --help need not wait for it.
    from saactors.placement.table import RULES  # noqa: PLC0415

    with standard_output():
        for name, entry in RULES.items():
            lines = [entry.summary.replace("\n", " "), f"Source: {entry.source}."]
            click.echo(f"{name}\n{paragraphs_of(lines, indent=2)}\n")
            for parameter in entry.parameters:
                unit = f"  [{parameter.unit}]" if parameter.unit else ""
                click.echo(f"  {parameter.name} = {parameter.default}{unit}")
                click.echo(paragraphs_of([parameter.why], indent=6))
            if entry.parameters:
                click.echo()
