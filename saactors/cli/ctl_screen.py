"""What ``saactors ctl`` prints for people: facts and tables, as wide as the terminal is.

In colour on a terminal only, and there columns give way where it is narrow, last first. Into a pipe
goes everything, aligned, without lines and colours.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TextIO, TypeAlias

from rich import box
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

_GAP: Final = 2
_UNBOUNDED: Final = 100_000  # columns of a pipe
_PROSE_WIDTH_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class Column:
    """A heading, which side its cells stand on, and whether it may be left out."""

    heading: str
    number: bool = False
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text below a title; the columns that may go are left out from the last."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    empty: str = ""  # what to say where there are no rows; nothing: the title goes too


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and values, a line each, below a title."""

    title: str
    facts: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Prose:
    """Sentences, wrapped to the terminal."""

    lines: Sequence[str]


Part: TypeAlias = Table | Facts | Prose


def print_parts(parts: Iterable[Part], stream: TextIO) -> None:
    """Print them, with an empty line between.

    Raises:
        OSError: it cannot be written; ``BrokenPipeError`` where its reader has left.
    """
    is_bounded = stream.isatty() or "COLUMNS" in os.environ
    console = Console(file=stream, highlight=False, width=None if is_bounded else _UNBOUNDED)
    # Captured, because rich ends the process where a reader leaves and pads every line.
    with console.capture() as captured:
        first = True
        for part in parts:
            for rendered in _rendered(part, console):
                if isinstance(rendered, _Gap):
                    if not first:
                        console.print()
                    continue
                console.print(rendered)
                first = False
    stream.writelines(f"{line.rstrip()}\n" for line in captured.get().splitlines())


class _Gap:
    """Between two parts."""


def _rendered(part: Part, console: Console) -> Iterator[RenderableType | _Gap]:
    yield _Gap()
    if isinstance(part, Prose):
        room = (0, max(0, min(console.width, 10_000) - _PROSE_WIDTH_MAX), 0, 0)
        for line in part.lines:
            yield Text(line) if console.width == _UNBOUNDED else Padding(Text(line), room)
        return
    if part.title:
        yield Text(part.title, style="bold")
    if isinstance(part, Facts):
        grid = RichTable.grid(padding=(0, _GAP, 0, 0))
        grid.add_column(style="cyan", no_wrap=True)
        grid.add_column(overflow="fold")
        for name, value in part.facts:
            grid.add_row(name, Text(value))
        yield grid
    elif part.rows:
        yield _table(part, console)
    elif part.empty:
        yield Text(part.empty, style="dim")


def _table(table: Table, console: Console) -> RichTable:
    drawn = RichTable(
        box=box.SIMPLE_HEAD if console.is_terminal else None,
        show_edge=False,
        pad_edge=False,
        padding=(0, _GAP if not console.is_terminal else 1, 0, 0),
        header_style="dim",
    )
    shown = _fitting(table, console.width)
    for place in shown:
        column = table.columns[place]
        justify = "right" if column.number else "left"
        drawn.add_column(column.heading, justify=justify, overflow="fold", no_wrap=place == 0)  # type: ignore[arg-type] # one of rich's words
    for row in table.rows:
        drawn.add_row(*(Text(row[place]) for place in shown))
    return drawn


def _fitting(table: Table, width: int) -> list[int]:
    """All columns, or as many of those that may go, from the left, as there is room for."""
    shown = list(range(len(table.columns)))
    widths = [
        max(len(column.heading), *(len(row[place]) for row in table.rows))
        for place, column in enumerate(table.columns)
    ]
    for place in reversed(shown.copy()):
        if sum(widths[other] + _GAP for other in shown) <= width:
            break
        if table.columns[place].optional:
            shown.remove(place)
    return shown
