"""``saactors``: the command and its subcommands, each imported only when it is asked for.

Importing everything takes seconds (Numba, NumPy, cryptography); ``--help`` must not. So this module
imports click alone, and a subcommand names its module and what it is for.

Whatever goes wrong on purpose ends here, as one clear line on standard error and an exit status: 2
for what the user gave, 1 for what went wrong in the run, 130 if it was interrupted.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Final

import click

from saactors import __version__
from saactors.errors import SaactorsError

INTERRUPTED: Final = 130  # 128 + SIGINT, as shells have it

_NO_CODE_FOLDER: Final = "no locator available"  # Numba's words
_CODE_FOLDER_WANTED: Final = (
    "found no folder for compiled code that this user may write, expected one beside saactors or in"
    " the home folder; set NUMBA_CACHE_DIR"
)

# name → module:command, and the line that --help shows.
COMMANDS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "run": (
            "saactors.cli.run:run",
            "Run an IPsec gateway's data path, live, until it is told to end.",
        ),
        "replay": (
            "saactors.cli.replay:replay_command",
            "Replay a capture and show where its packets' crypto ran.",
        ),
        "events": (
            "saactors.cli.events:events",
            "Print the event log that a replay has written.",
        ),
        "compare": (
            "saactors.cli.compare:compare",
            "Compare placement rules with each other and the best possible.",
        ),
        "size": (
            "saactors.cli.size:size",
            "Show how many slots are worth it for a trace.",
        ),
        "tune": (
            "saactors.cli.tune:tune",
            "Find a rule's parameters for a trace.",
        ),
        "sweep": (
            "saactors.cli.sweep:sweep",
            "Run a study over traces, rules, parameters and cards.",
        ),
        "synth": (
            "saactors.cli.synth:synth",
            "Make synthetic traffic.",
        ),
        "sas": (
            "saactors.cli.sas:sas",
            "Show the SAs in other programs' files, or convert them.",
        ),
        "rules": (
            "saactors.cli.rules:rules",
            "List the placement rules and their parameters, with sources.",
        ),
        "profiles": (
            "saactors.cli.profiles:profiles",
            "List the card profiles, every figure with its source.",
        ),
        "ctl": (
            "saactors.cli.ctl:ctl",
            "Ask and steer a running gateway.",
        ),
        "attach": (
            "saactors.cli.attach:attach",
            "Show the events of a running gateway as they come.",
        ),
        "top": (
            "saactors.cli.top:top",
            "Show the SAs and edges of a running gateway, live.",
        ),
        "completion": (
            "saactors.cli.completion:completion",
            "Print what makes a shell complete command lines.",
        ),
    }
)


def main() -> None:
    """Run the command line."""
    try:
        status = saactors(prog_name="saactors", standalone_mode=False)
    except SaactorsError as problem:
        click.echo(f"saactors: {problem}", err=True)
        status = problem.exit_status
    except click.ClickException as problem:
        click.echo(_wording(problem), err=True)
        status = problem.exit_code
    except click.Abort:
        click.echo("saactors: interrupted before there was anything to show", err=True)
        status = INTERRUPTED
    except RuntimeError as problem:
        if _NO_CODE_FOLDER not in str(problem):
            raise
        click.echo(f"saactors: {_CODE_FOLDER_WANTED}", err=True)
        status = 1
    sys.exit(status)


def _wording(problem: click.ClickException) -> str:
    """What click found wrong with the command line, and where to read on."""
    context = problem.ctx if isinstance(problem, click.UsageError) else None
    command = context.command_path if context is not None else "saactors"
    return f"{command}: {problem.format_message()}\nTry '{command} --help'."


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

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first argument names; one that does not exist gets a suggestion."""
        name = args[0]
        if name not in COMMANDS:
            ctx.fail(f"no such command: {name!r}; {_suggestion(name)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in --help, from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


def _suggestion(name: str) -> str:
    if Path(name).is_file():
        return f"to replay that file: saactors replay {name}"
    close = get_close_matches(name, COMMANDS, n=1)
    return f"did you mean {close[0]!r}?" if close else f"expected one of {', '.join(COMMANDS)}"


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="saactors", message="%(prog)s %(version)s")
@click.pass_context
def saactors(ctx: click.Context) -> None:
    """Decide, from live traffic, which IPsec SAs a network card should hold."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help(), err=True)
        ctx.exit(2)
