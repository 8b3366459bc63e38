"""``saactors rules``: the placement rules, what they do, their parameters, and a check of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from saactors.cli.output import paragraphs_of, standard_output

if TYPE_CHECKING:
    from saactors.lab.rule_check import Finding
    from saactors.placement.entry import RuleEntry

LAW_BROKEN: Final = 1
_STATES: Final = {True: "ok", False: "FAILED", None: "-"}


class _RuleGroup(click.Group):
    """A group in which a word that is no command is the name of a rule, to be shown."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first argument names, else the one that shows a rule."""
        if args[0] in self.commands or args[0].startswith("-"):
            return super().resolve_command(ctx, args)
        return "show", show, args


@click.group(
    "rules", cls=_RuleGroup, invoke_without_command=True, subcommand_metavar="[NAME | check NAME]"
)
@click.pass_context
def rules(ctx: click.Context) -> None:
    """List the placement rules with the parameters of each, or show the rule NAME alone.

    Parameters are options of `saactors replay` and keys of a scenario's [rule] table. A rule of
    your own is named FILE.py:NAME, here and wherever a rule is asked for.
    """
    if ctx.invoked_subcommand is not None:
        return
    # Imported here, so that --help need not wait for it.
    from saactors.placement.table import RULES  # noqa: PLC0415

    with standard_output():
        for name, entry in RULES.items():
            _show(name, entry)


@click.command("show")
@click.argument("name")
def show(name: str) -> None:
    """Show the rule NAME with its parameters."""
    from saactors.placement.table import rule_entry  # noqa: PLC0415

    entry = rule_entry(name)
    with standard_output():
        _show(name, entry)


@rules.command("check")
@click.argument("name", metavar="NAME")
@click.option(
    "--seed",
    type=click.IntRange(0, 2**64 - 1),
    metavar="N",
    default=0,
    help="Of the traffic that the rule is tried on.",
)
def check(name: str, seed: int) -> None:
    """Try on the rule NAME the laws that every rule keeps; NAME is usually FILE.py:NAME.

    Prints a line for each law; the status is 1 if one is broken. Same seed, same traffic. The
    first run of a rule compiles it, which takes a while.
    """
    from saactors.lab.rule_check import check_rule  # noqa: PLC0415

    broken = False
    with standard_output():
        for finding in check_rule(name, seed):
            _tell(finding)
            broken |= finding.kept is False
    click.get_current_context().exit(LAW_BROKEN if broken else 0)


def _tell(finding: Finding) -> None:
    click.echo(f"{_STATES[finding.kept]:8}{finding.law}: {finding.found}")


def _show(name: str, entry: RuleEntry) -> None:
    lines = [entry.summary.replace("\n", " "), f"Source: {entry.source}."]
    click.echo(f"{name}\n{paragraphs_of(lines, indent=2)}\n")
    for parameter in entry.parameters:
        unit = f"  [{parameter.unit}]" if parameter.unit else ""
        click.echo(f"  {parameter.name} = {parameter.default}{unit}")
        click.echo(paragraphs_of([parameter.why], indent=6))
    if entry.parameters:
        click.echo()
