"""``saactors``: the command and its subcommands, each imported only when it is asked for.

Importing everything takes seconds (Numba, NumPy, cryptography); ``--help`` must not. So this module
imports click alone, and a subcommand names its module and what it is for.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import click

from saactors import __version__
from saactors.errors import SaactorsError

# name → module:command, and the line that --help shows.
COMMANDS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "replay": (
            "saactors.cli.replay:replay_command",
            "Replay a capture through the actors and show where the crypto ran.",
        ),
        "events": (
            "saactors.cli.events:events",
            "Print the event log that a replay has written.",
        ),
        "rules": (
            "saactors.cli.rules:rules",
            "List the placement rules, their parameters and where they come from.",
        ),
        "profiles": (
            "saactors.cli.profiles:profiles",
            "List the card profiles, every figure with its source.",
        ),
    }
)


class LazyGroup(click.Group):
    """A group whose commands are imported when they are used."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """All commands, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        """The command of that name, imported now."""
        if name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in --help, from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="saactors")
def saactors() -> None:
    """Decide, from live traffic, which IPsec SAs a network card should hold."""


def main() -> None:
    """Run the command line; what goes wrong is one clear line and an exit status."""
    try:
        saactors(prog_name="saactors")
    except SaactorsError as problem:
        click.echo(f"saactors: {problem}", err=True)
        sys.exit(problem.exit_status)
    except BrokenPipeError:
        # Whoever reads our output, such as head, has seen enough; Python would complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
