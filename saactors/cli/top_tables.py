"""The columns of ``saactors top``'s tables, and how they fit a terminal: the last go first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from saactors.observe.units import count, duration

Style: TypeAlias = Literal["plain", "title", "heading", "dim", "warning"]
Answer: TypeAlias = Mapping[str, Any]

_GAP: Final = 1
_WHERE: Final = {"software": "soft", "loading": "load", "nic": "nic"}


@dataclass(frozen=True, slots=True)
class Line:
    """Text that is not longer than the terminal is wide, and how it looks."""

    text: str
    style: Style = "plain"


@dataclass(frozen=True, slots=True)
class Column:
    """A heading, what stands below it for an SA or an edge, and how much room both get."""

    heading: str
    cell: Callable[[Answer], str]
    width: int
    is_number: bool = True

    def aligned(self, text: str) -> str:
        """Text in the column's room: numbers on the right."""
        return text.rjust(self.width) if self.is_number else text.ljust(self.width)


def _bits(value: float) -> str:
    return count(round(value)) if value < 10_000 else count(value)


def bits_per_s(value: float) -> str:
    """8000000 → ``8.00 Mb/s``."""
    told = _bits(value)
    return f"{told}b/s" if " " in told else f"{told} b/s"


def _endpoints(sa: Answer) -> str:
    return f"{sa['source'] or 'any'} → {sa['destination'] or 'any'}"


def _where(sa: Answer) -> str:
    """Where it is; with an exclamation mark if somebody pinned it."""
    where = str(sa["where"])
    return _WHERE.get(where, where) + ("!" if sa["pinned"] != "auto" else "")


def queued_of(edge: Answer) -> str:
    """Messages under way on an edge, and how many there may be."""
    bound = "∞" if edge["capacity"] is None else f"{edge['capacity']:,}"
    return f"{edge['queued']:,}/{bound}"


# The last go first where there is no room; the first five fit into 40 columns.
SA_COLUMNS: Final = (
    Column("SPI", lambda sa: f"{sa['spi']:#010x}", 10, is_number=False),
    Column("where", _where, 5, is_number=False),
    Column("pkt/s", lambda sa: count(round(sa["packets_per_s"])), 6),
    Column("bit/s", lambda sa: _bits(sa["bits_per_s"]), 6),
    Column("metric", lambda sa: count(round(sa["metric"], 1)), 7),
    Column("saved", lambda sa: duration(round(sa["saved_ns"])), 9),
    Column("moves", lambda sa: count(sa["moves"]), 6),
    Column("dir", lambda sa: sa["direction"], 3, is_number=False),
    Column("name", lambda sa: sa["name"], 14, is_number=False),
    Column("from → to", _endpoints, 33, is_number=False),
    Column("suite", lambda sa: sa["suite"], 16, is_number=False),
)
EDGE_COLUMNS: Final = (
    Column("edge", lambda edge: f"{edge['source']} → {edge['target']}", 22, is_number=False),
    Column("queued", queued_of, 9),
    Column("waits", lambda edge: count(edge["waits"]), 7),
    Column("waited", lambda edge: duration(edge["waited_ns"]), 10),
    Column("most", lambda edge: count(edge["high_water"]), 6),
    Column("sent", lambda edge: count(edge["sent"]), 7),
    Column("carries", lambda edge: edge["carries"], 30, is_number=False),
)


def table_of(columns: Sequence[Column], rows: Sequence[Answer], width: int | None) -> list[Line]:
    """A heading and a line for each row, of the columns that fit; None: all fit."""
    shown: list[Column] = []
    used = -_GAP
    for column in columns:
        used += _GAP + column.width
        if width is not None and used > width and shown:
            break
        shown.append(column)
    cells = [
        Line(_cut(" ".join(_fit(column, column.cell(row)) for column in shown), width))
        for row in rows
    ]
    heading = " ".join(column.aligned(column.heading) for column in shown)
    return [Line(_cut(heading if width is None else heading.ljust(width), width), "heading"),
            *cells]  # fmt: skip


def _fit(column: Column, text: str) -> str:
    if len(text) <= column.width:
        return column.aligned(text)
    return text if column.is_number else f"{text[: column.width - 1]}…"


def _cut(text: str, width: int | None) -> str:
    return text.rstrip() if width is None else text[:width]
