"""A command's options under headings, so that thirty of them can be read in one look."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeAlias

import click

OptionDecorator: TypeAlias = Callable[..., Callable[[Callable[..., Any]], Callable[..., Any]]]

_TERM_WIDTH: Final = 26  # where descriptions begin; a longer option has a line of its own


class SectionedOption(click.Option):
    """An option that knows under which heading it stands."""

    def __init__(self, *names: Any, section: str, **attributes: Any) -> None:  # noqa: ANN401 - click's
        super().__init__(*names, **attributes)
        self.section = section


class SectionedCommand(click.Command):
    """A command whose ``--help`` shows options by section, in the order of their declaration."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections; what belongs to none (``--help``) comes last."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                heading = getattr(parameter, "section", "Help")
                sections.setdefault(heading, []).append(record)
        for heading, records in sections.items():
            with formatter.section(heading):
                # The padding makes click align the descriptions of all sections.
                aligned = [(term.ljust(_TERM_WIDTH), told) for term, told in records]
                formatter.write_dl(aligned, col_max=_TERM_WIDTH)


def section(heading: str) -> OptionDecorator:
    """A ``click.option`` for options under this heading."""
    return partial(click.option, cls=SectionedOption, section=heading)
