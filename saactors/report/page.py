"""The page: one HTML file that holds everything it shows and fetches nothing.

Plotly's JavaScript stands in it once; a content security policy in its head forbids any request, so
a mistake here would show as a blank plot and not as a leak.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from plotly.offline import get_plotlyjs

from saactors import __version__
from saactors.errors import OutputError
from saactors.observe.units import count, duration, percent
from saactors.report import tables
from saactors.report.charts import Chart, charts, time_axis
from saactors.report.result import RunResult
from saactors.report.tables import Table

_HINT = (
    '<p class="hint"><span>Drag across a plot to look closer at a stretch of time, in all of them '
    'at once.</span> <button type="button" id="whole-run" disabled>whole run</button></p>'
)


def write_page(result: RunResult, path: str | Path) -> None:
    """Write the page to ``path``; raises ``OutputError``."""
    try:
        Path(path).write_text(page(result), encoding="utf-8")
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise OutputError(str(path), f"cannot be written: {reason}") from problem


def page(result: RunResult) -> str:
    """The page as text."""
    plots = charts(result)
    return Template(_part("page.html")).substitute(
        title=escape(f"{result.capture} · saactors"),
        command="replay",
        version=escape(__version__),
        heading=escape(tables.title(result)),
        setting=escape(tables.setting(result)),
        body="\n".join(_body(result, plots)),
        style=_part("page.css"),
        plotly=get_plotlyjs() if plots else "",
        charts=_charts_json(result, plots),
        script=_part("page.js") if plots else "",
    )


def _part(name: str) -> str:
    return files("saactors.report").joinpath(name).read_text(encoding="utf-8")


def _body(result: RunResult, plots: Sequence[Chart]) -> Iterable[str]:
    yield from _warnings(result)
    yield from _figures(result)
    yield from _split(result)
    if plots:
        yield _HINT
    for plot in plots:
        yield from figure(plot)
    yield section(tables.hottest(result))
    yield section(tables.components(result))
    yield '<div class="pair">'
    yield section(tables.waiting(result))
    yield from _calculation(result)
    yield "</div>"
    yield section(tables.drops(result))
    yield from _facts(result)
    yield section(tables.outputs(result))


def _figures(result: RunResult) -> Iterable[str]:
    """The result in four figures, as a description list."""
    host_time = result.host_time
    lost = host_time.saved_ns < 0
    share = host_time.saved_ns / host_time.all_software_ns if host_time.all_software_ns else 0.0
    refused = f", {count(result.loads_refused)} refused" if result.loads_refused else ""
    figures = [
        (
            "Offloaded to the card",
            percent(result.packets_offloaded),
            f"of packets; {percent(result.bytes_offloaded)} of bytes",
        ),
        (
            "Host time lost" if lost else "Host time saved",
            duration(abs(host_time.saved_ns)),
            f"{percent(share)} of {duration(host_time.all_software_ns)} all in software",
        ),
        ("Loads", count(result.loads), f"{count(result.evictions)} evictions{refused}"),
        ("Packets", count(result.packets.entered), tables.fate(result)),
    ]
    yield f'<dl class="figures{" lost" if lost else ""}">'
    for name, value, note in figures:
        yield (
            f'<div><dt>{escape(name)}</dt><dd class="value">{escape(value)}</dd>'
            f'<dd class="note">{escape(note)}</dd></div>'
        )
    yield "</dl>"


def _split(result: RunResult) -> Iterable[str]:
    """Where the packets went, as one bar with its key."""
    packets = result.packets
    parts = [
        ("nic", packets.nic),
        ("software", packets.software),
        ("bypass", packets.bypass),
        ("dropped", result.dropped),
    ]
    shown = [(name, part) for name, part in parts if part]
    yield '<div class="split" aria-hidden="true">'
    yield from (f'<span class="{name}" style="flex: {part}"></span>' for name, part in shown)
    yield '</div><ul class="key">'
    yield from (f'<li class="{name}">{name} {count(part)}</li>' for name, part in shown)
    yield "</ul>"


def figure(chart: Chart) -> Iterable[str]:
    """A plot's place; page.js draws into it."""
    title, caption = escape(chart.title), escape(chart.caption)
    yield f"<figure><figcaption><div><h2>{title}</h2><p>{caption}</p></div>"
    if chart.log_switch:
        switch = f'<button type="button" data-chart="{chart.name}" aria-pressed="false">'
        yield f"{switch}log scale</button>"
    yield "</figcaption>"
    told = escape(f"{chart.title}. {chart.told}")
    yield f'<div class="plot" id="{chart.name}" role="img" aria-label="{told}"></div>'
    yield "<noscript><p>The plot needs JavaScript; the tables below do not.</p></noscript></figure>"


def section(table: Table) -> str:
    """A table with its heading; nothing for a table without rows."""
    if not table.rows:
        return ""
    heads = "".join(
        f'<th scope="col"{_class(table, place)}>{escape(column.heading)}</th>'
        for place, column in enumerate(table.columns)
    )
    rows = "".join(
        f'<tr><th scope="row"{_class(table, 0)}>{escape(row[0])}</th>'
        + "".join(
            f"<td{_class(table, place)}>{escape(text)}</td>"
            for place, text in enumerate(row[1:], start=1)
        )
        + "</tr>"
        for row in table.rows
    )
    return (
        f"<section><h2>{escape(table.title)}</h2>"
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(table.title)}">'
        f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div></section>"
    )


def _class(table: Table, place: int) -> str:
    column = table.columns[place]
    names = [
        name
        for name, holds in (
            ("number", column.number),
            ("wraps", column.wraps),
            ("spi", column.heading == "SPI"),
        )
        if holds
    ]
    return f' class="{" ".join(names)}"' if names else ""


def _calculation(result: RunResult) -> Iterable[str]:
    if result.rule.calculation:
        steps = "".join(f"<li>{escape(line)}</li>" for line in result.rule.calculation)
        yield (
            "<section><h2>Threshold</h2><p>What a load costs against what a packet on the card "
            f'saves.</p><ol class="steps">{steps}</ol></section>'
        )


def _facts(result: RunResult) -> Iterable[str]:
    facts = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in tables.facts(result)
    )
    yield f'<section><h2>The run</h2><dl class="facts">{facts}</dl></section>'


def _warnings(result: RunResult) -> Iterable[str]:
    if result.warnings:
        lines = "".join(f"<li>{escape(line)}</li>" for line in result.warnings)
        yield f'<section class="warnings"><h2>Warnings</h2><ul>{lines}</ul></section>'


def _charts_json(result: RunResult, plots: Sequence[Chart]) -> str:
    """What page.js draws, safe inside a script element."""
    if result.timeline is None:
        return "[]"
    axis = time_axis(result.timeline)
    described = [
        {
            "name": plot.name,
            "time": axis.title,
            "range": [0, axis.step * result.timeline.bins],
            "traces": plot.traces,
            "layout": plot.layout,
        }
        for plot in plots
    ]
    text = json.dumps(described, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")
