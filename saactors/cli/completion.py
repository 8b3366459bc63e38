"""``saactors completion SHELL``: the script that makes a shell complete our command lines.

The script calls ``saactors`` itself whenever Tab is pressed, so commands, options, rules and the
SPIs of a running gateway are always those that there are.
"""

from __future__ import annotations

import click

from saactors.cli.output import standard_output

VARIABLE = "_SAACTORS_COMPLETE"  # as click derives it from the command's name


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what makes SHELL complete saactors' command lines.

    \b
    bash  eval "$(saactors completion bash)"              in ~/.bashrc
    zsh   eval "$(saactors completion zsh)"               in ~/.zshrc, after compinit
    fish  saactors completion fish | source               in ~/.config/fish/config.fish
    """  # noqa: D301 # \b is click's word for lines that stay as they are
    from click.shell_completion import get_completion_class  # noqa: PLC0415

    from saactors.cli.main import saactors  # noqa: PLC0415

    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(saactors, {}, "saactors", VARIABLE)
    with standard_output():
        # Not source(), which for bash would first run bash to look at its version.
        click.echo(script.source_template % script.source_vars())
