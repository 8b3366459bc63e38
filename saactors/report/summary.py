"""The summary on a terminal: a few lines of facts, then tables, as wide as there is room."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TextIO

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from saactors.report import tables
from saactors.report.result import RunResult
from saactors.report.tables import Table

_GAP = 2
_WRAPPED_WIDTH_MIN = 33  # two IPv4 addresses


def print_summary(result: RunResult, stream: TextIO | None = None) -> None:
    """Print the summary to ``stream`` (standard output); in colour on a terminal only.

    Raises:
        OSError: it cannot be written; ``BrokenPipeError`` where its reader has left.
    """
    stream = stream or sys.stdout
    console = Console(file=stream, highlight=False)
    # Captured, because rich ends the process where a reader leaves and pads every line.
    with console.capture() as captured:
        for part in _parts(result, console.width):
            console.print(part)
    stream.writelines(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def _parts(result: RunResult, width: int) -> Iterator[RenderableType]:
    yield Text(tables.title(result), style="bold")
    yield Text(tables.setting(result), style="dim")
    yield ""
    yield _facts(result)
    yield from section_of(tables.components(result), width)
    if result.rule.calculation:
        yield Text("\nThreshold", style="bold")
        yield from (Text(line) for line in result.rule.calculation)
    for table in (tables.waiting, tables.drops, tables.hottest, tables.outputs):
        yield from section_of(table(result), width)
    if result.warnings:
        yield ""
    yield from (Text(f"warning: {warning}", style="yellow") for warning in result.warnings)


def _facts(result: RunResult) -> RichTable:
    grid = RichTable.grid(padding=(0, _GAP, 0, 0))
    grid.add_column(style="cyan", no_wrap=True)
    grid.add_column()
    for name, value in tables.facts(result):
        failed = name == "verified" and result.verification.failed
        grid.add_row(name, Text(value, style="bold red" if failed else ""))
    return grid


def section_of(table: Table, width: int) -> Iterator[RenderableType]:
    """Title and table; nothing for a table without rows."""
    if not table.rows:
        return
    yield Text(f"\n{table.title}", style="bold")
    rendered = RichTable(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        header_style="dim",
    )
    shown = columns_that_fit(table, width)
    for place in shown:
        column = table.columns[place]
        rendered.add_column(
            column.heading,
            justify="right" if column.number else "left",
            no_wrap=not column.wraps,
            overflow="fold" if column.wraps else "ellipsis",
        )
    for row in table.rows:
        rendered.add_row(*(Text(row[place]) for place in shown))
    yield rendered


def columns_that_fit(table: Table, width: int) -> list[int]:
    """All columns, or as many of the optional ones, from the left, as ``width`` has room for."""
    shown = list(range(len(table.columns)))
    for place in reversed(shown.copy()):
        if sum(_width_min(table, other) + _GAP for other in shown) <= width:
            break
        if table.columns[place].optional:
            shown.remove(place)
    return shown


def _width_min(table: Table, place: int) -> int:
    cells = [row[place] for row in table.rows]
    width = max(len(text) for text in (table.columns[place].heading, *cells))
    if not table.columns[place].wraps:
        return width
    longest_word = max((len(word) for cell in cells for word in cell.split()), default=0)
    return min(width, max(longest_word + _GAP, _WRAPPED_WIDTH_MIN))
