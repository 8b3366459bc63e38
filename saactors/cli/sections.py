"""A command's options under headings, so that thirty of them can be read in one look."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeAlias

import click

OptionDecorator: TypeAlias = Callable[..., Callable[[Callable[..., Any]], Callable[..., Any]]]

_TERM_WIDTH: Final = 26  # a longer option has a line of its own
_OTHERS: Final = "Others"


class SectionedOption(click.Option):
    """An option that knows its heading, and what happens where it is left out.

    ``unset`` tells of the latter in words, because a scenario may have another value than we.
    """

    def __init__(self, *names: Any, section: str, unset: str = "", **attributes: Any) -> None:  # noqa: ANN401 - click's
        super().__init__(*names, **attributes)
        self.section = section
        self.unset = unset

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """How the option is written, and what it does."""
        record = super().get_help_record(ctx)
        if record is None:
            return None
        told = self.help or ""
        return record[0], f"{told} [{self.unset}]" if self.unset else told


class SectionedCommand(click.Command):
    """A command whose ``--help`` shows options by section, in the order of their declaration."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections; what belongs to none (``--help``) comes last."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                heading = getattr(parameter, "section", _OTHERS)
                sections.setdefault(heading, []).append(record)
        for heading, records in sorted(sections.items(), key=lambda entry: entry[0] == _OTHERS):
            with formatter.section(heading):
                # The padding makes click align the descriptions of all sections.
                aligned = [(term.ljust(_TERM_WIDTH), told) for term, told in records]
                formatter.write_dl(aligned, col_max=_TERM_WIDTH)


def section(heading: str) -> OptionDecorator:
    """A ``click.option`` for options under this heading."""
    return partial(click.option, cls=SectionedOption, section=heading)
