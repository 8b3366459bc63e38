"""What a section of the benchmark hands back, shown as a table for people or as plain JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

Cell: TypeAlias = str | int | float | None  # None: there is nothing to measure


@dataclass(frozen=True)
class Column:
    """A column of a section's table; ``key`` is its name in JSON and ends in its unit."""

    key: str
    heading: str
    spec: str = ""  # how a number is shown, as in format()


@dataclass(frozen=True)
class Aim:
    """A figure that was promised: ``found`` should be at least, or at most, ``limit``."""

    what: str
    found: float
    limit: float
    unit: str = ""
    at_most: bool = False
    spec: str = ",.2f"

    @property
    def met(self) -> bool:
        """Whether the promise was kept in this run."""
        return self.found <= self.limit if self.at_most else self.found >= self.limit

    def __str__(self) -> str:
        bound = "at most" if self.at_most else "at least"
        found, limit = format(self.found, self.spec), format(self.limit, self.spec)
        return f"{self.what}: {found} {self.unit}".rstrip() + f" (aim: {bound} {limit})"

    def to_json_object(self) -> dict[str, object]:
        """The aim, what was found, and whether that is good enough."""
        return {
            "what": self.what,
            "found": self.found,
            "limit": self.limit,
            "bound": "at_most" if self.at_most else "at_least",
            "unit": self.unit,
            "met": self.met,
        }


@dataclass(frozen=True)
class Section:
    """The figures of one section: ``method`` says how they came about."""

    title: str
    method: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    aims: tuple[Aim, ...] = ()

    def to_json_object(self) -> dict[str, object]:
        """The same for programs; each row is an object with the columns' keys."""
        keys = [column.key for column in self.columns]
        return {
            "title": self.title,
            "method": self.method,
            "rows": [dict(zip(keys, row, strict=True)) for row in self.rows],
            "aims": [aim.to_json_object() for aim in self.aims],
        }

    def show(self, console: Console) -> None:
        """Print it."""
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, collapse_padding=True)
        for column in self.columns:
            table.add_column(
                column.heading, justify="right" if column.spec else "left", no_wrap=True
            )
        for row in self.rows:
            shown = zip(self.columns, row, strict=True)
            table.add_row(*(_shown(cell, column.spec) for column, cell in shown))
        console.print(Text(self.title, style="bold"))
        console.print(Text(self.method, style="dim"))
        console.print()
        console.print(table)
        for aim in self.aims:
            style = "green" if aim.met else "red"
            console.print(Text(f"{'met   ' if aim.met else 'MISSED'}  {aim}", style=style))
        console.print()


def _shown(cell: Cell, spec: str) -> str:
    if cell is None:
        return "–"
    return cell if isinstance(cell, str) else format(cell, spec)
