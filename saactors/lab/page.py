"""A page of the lab: one HTML file that holds everything it shows and fetches nothing.

It looks like the page of a replay (``saactors.report.page``) and shares its style sheet and parts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Final, NamedTuple

from plotly.offline import get_plotlyjs

from saactors import __version__
from saactors.errors import OutputError
from saactors.report.charts import Chart
from saactors.report.page import figure, section
from saactors.report.tables import Table

_ROW_HEIGHT_REM: Final = 1.6  # of a plot with a row per rule
_AROUND_ROWS_REM: Final = 7.0  # its legend and axis
_HEIGHT_REM: Final = 26.0  # of any other


class Figure(NamedTuple):
    """A figure in large type."""

    name: str
    value: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a page shows, from top to bottom."""

    command: str
    heading: str
    setting: str
    figures: Sequence[Figure]
    charts: Sequence[Chart]
    tables: Sequence[tuple[Table, str]]  # each with a sentence about it
    legend: Mapping[str, str]  # a column's heading → what it says


def write_page(page: Page, path: str | Path) -> None:
    """Write the page to ``path``; raises ``OutputError``."""
    try:
        Path(path).write_text(html_of(page), encoding="utf-8")
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise OutputError(str(path), f"cannot be written: {reason}") from problem


def html_of(page: Page) -> str:
    """The page as text."""
    return Template(_part("saactors.report", "page.html")).substitute(
        title=escape(f"{page.heading} · saactors"),
        version=escape(__version__),
        command=escape(page.command),
        heading=escape(page.heading),
        setting=escape(page.setting),
        body="\n".join(_body(page)),
        style="\n".join([_part("saactors.report", "page.css"), *_styles(page.charts)]),
        plotly=get_plotlyjs() if page.charts else "",
        charts=_charts_json(page.charts),
        script=_part("saactors.lab", "page.js") if page.charts else "",
    )


def _rows_of(chart: Chart) -> int:
    """How many rows a plot with a row per rule has; 0 for any other plot."""
    rows = chart.layout["yaxis"].get("categoryarray", ())
    return len(rows)


def _part(package: str, name: str) -> str:
    return files(package).joinpath(name).read_text(encoding="utf-8")


def _styles(charts: Sequence[Chart]) -> Iterator[str]:
    """A plot with a row per rule is as high as it has rows; a trace's name breaks where it must."""
    yield "h2 { overflow-wrap: anywhere; }"
    for chart in charts:
        rows = _rows_of(chart)
        height_rem = rows * _ROW_HEIGHT_REM + _AROUND_ROWS_REM if rows else _HEIGHT_REM
        yield f"#{chart.name} {{ height: {height_rem:.1f}rem; }}"


def _body(page: Page) -> Iterator[str]:
    yield '<dl class="figures">'
    for name, value, note in page.figures:
        yield (
            f'<div><dt>{escape(name)}</dt><dd class="value">{escape(value)}</dd>'
            f'<dd class="note">{escape(note)}</dd></div>'
        )
    yield "</dl>"
    for chart in page.charts:
        yield from figure(chart)
    for table, note in page.tables:
        yield section(table).replace("</h2>", f"</h2><p>{escape(note)}</p>", 1)
    facts = "".join(
        f"<dt>{escape(heading)}</dt><dd>{escape(told)}</dd>"
        for heading, told in page.legend.items()
    )
    yield f'<section><h2>Columns</h2><dl class="facts">{facts}</dl></section>'


def _charts_json(charts: Sequence[Chart]) -> str:
    """What page.js draws, safe inside a script element."""
    described = [
        {"name": chart.name, "traces": chart.traces, "layout": chart.layout} for chart in charts
    ]
    text = json.dumps(described, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")
