"""What the lab's commands print: headings, notes and tables, as wide as the terminal is."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from saactors.report.tables import Table

_WIDTH_MAX: Final = 100  # of prose; tables take what they need


def print_sections(sections: Sequence[tuple[Table, str]], legend: Mapping[str, str]) -> None:
    """Print tables, each with the sentence about it; in colour on a terminal only.

    ``legend`` explains columns by their headings; those that have no room are not explained.
    """
    # Imported here, because JSON needs none of it.
    from rich.console import Console, RenderableType  # noqa: PLC0415
    from rich.padding import Padding  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    from saactors.report.summary import columns_that_fit, section_of  # noqa: PLC0415

    console = Console(highlight=False)

    def prose(text: str) -> RenderableType:
        return Padding(Text(text, style="dim"), (0, max(0, console.width - _WIDTH_MAX), 0, 0))

    def parts() -> Iterator[RenderableType]:
        shown = set()
        for table, note in sections:
            title, *rest = section_of(table, console.width)
            yield title
            yield prose(note)
            yield from rest
            places = columns_that_fit(table, console.width)
            shown |= {table.columns[place].heading for place in places}
        told = [f"{heading}: {text}" for heading, text in legend.items() if heading in shown]
        yield ""
        yield prose(f"{'; '.join(told)}.")

    # Captured, because rich ends the process where a reader leaves and pads every line.
    with console.capture() as captured:
        for part in parts():
            console.print(part)
    lines = captured.get().strip("\n").splitlines()
    sys.stdout.writelines(f"{line.rstrip()}\n" for line in lines)


def warn(told: str) -> None:
    """Tell on standard error of what is wrong with a trace that is used all the same."""
    click.echo(f"saactors: warning: {told}", err=True)


@contextmanager
def step_bar(total: int | None = None) -> Iterator[Callable[[str], None]]:
    """A bar on standard error that is told of each of ``total`` steps, as far as it is known.

    Nothing is shown where nobody would see it.
    """
    if not sys.stderr.isatty():
        yield lambda _what: None
        return
    from rich import progress as bars  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415

    columns = (
        bars.BarColumn(bar_width=24),
        bars.TaskProgressColumn(),
        bars.TimeElapsedColumn(),
        bars.TextColumn("{task.description}"),
    )
    with bars.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting (the first run compiles)", total=total)
        begun = -1

        def advance(what: str) -> None:
            nonlocal begun
            begun += 1
            bar.update(task, description=what, completed=begun)

        yield advance
