"""The page's plots over time, as plain data for plotly.js.

A colour is written ``var(--name)`` and looked up in the page's style sheet by ``page.js``, so that
one description serves light and dark.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np

from saactors.observe.units import count, duration, percent, plain
from saactors.report.result import RunResult
from saactors.report.timeline import Timeline, Values

Trace: TypeAlias = dict[str, Any]

_TIME_UNITS: Final = (("s", 1e9), ("ms", 1e6), ("µs", 1e3))


@dataclass(frozen=True, slots=True)
class Chart:
    """A plot: ``told`` says in words what it shows, for those who cannot see it."""

    name: str
    title: str
    caption: str
    told: str
    traces: list[Trace]
    layout: Mapping[str, Any]
    log_switch: bool = False


@dataclass(frozen=True, slots=True)
class Axis:
    """Time along the bottom, in the unit that fits the run."""

    unit: str
    step: float  # width of a bin, in the unit

    @property
    def title(self) -> str:
        """What stands below the axis."""
        return f"time, {self.unit}"


def charts(result: RunResult) -> list[Chart]:
    """All plots that the result has something to show in."""
    timeline = result.timeline
    if timeline is None or timeline.bins == 0:
        return []
    axis = time_axis(timeline)
    found = [
        packets_chart(result, timeline, axis),
        cache_chart(result, timeline, axis),
        metrics_chart(result, timeline, axis),
        waiting_chart(result, timeline, axis),
    ]
    return [chart for chart in found if chart is not None and chart.traces]


def time_axis(timeline: Timeline) -> Axis:
    """Seconds for a run of seconds, and so on down."""
    length_ns = timeline.width_ns * timeline.bins
    for unit, unit_ns in _TIME_UNITS:
        if length_ns >= 2 * unit_ns:
            return Axis(unit, timeline.width_ns / unit_ns)
    return Axis("ns", timeline.width_ns)


def packets_chart(result: RunResult, timeline: Timeline, axis: Axis) -> Chart:
    """Packets by component, stacked."""
    seconds = timeline.width_ns / 1e9
    shown = (
        ("nic", "nic_packets", result.packets.nic),
        ("software", "software_packets", result.packets.software),
        ("bypass", "bypass_packets", result.packets.bypass),
        ("dropped", "dropped_packets", result.dropped),
    )
    traces = [
        _step(
            name,
            timeline.sums[column] / seconds,
            axis,
            stackgroup="packets",
            fillcolor=f"var(--{name}-fill)",
            line={"color": f"var(--{name})", "width": 0, "shape": "hv"},
            hovertemplate="%{y:,.4~g}/s",
        )
        for name, column, total in shown
        if total and column in timeline.sums
    ]
    return Chart(
        "packets",
        "Packets by component",
        "Packets per second, stacked by where their crypto ran.",
        f"The card took {percent(result.packets_offloaded)} of the packets that needed crypto.",
        traces,
        {"yaxis": {"title": {"text": "packets/s"}, "rangemode": "tozero"}},
    )


def cache_chart(result: RunResult, timeline: Timeline, axis: Axis) -> Chart | None:
    """Residents against slots, above loads and evictions; None for a run without a card."""
    if "residents" not in timeline.levels or not {"loads", "evictions"} <= timeline.sums.keys():
        return None
    loads, evictions = timeline.sums["loads"], timeline.sums["evictions"]
    most = max(loads.max(), evictions.max(), 1.0)
    traces = [
        _step(
            "resident SAs",
            timeline.levels["residents"],
            axis,
            fill="tozeroy",
            fillcolor="var(--nic-tint)",
            line={"color": "var(--nic)", "width": 1.5, "shape": "hv"},
        ),
        _level("slots", float(result.slots_max), timeline, axis, "var(--ink)"),
        _bars("loads", loads, axis, "var(--nic)"),
        _bars("evictions", -evictions, axis, "var(--software)", customdata=_compact(evictions)),
    ]
    return Chart(
        "cache",
        "Cache occupancy and moves",
        "Above, SAs on the card and its slots. Below, loads (up) and evictions (down) per "
        f"{duration(timeline.width_ns)}.",
        f"{count(result.loads)} loads and {count(result.evictions)} evictions on "
        f"{count(result.slots_max)} slots.",
        traces,
        {
            "yaxis": {"title": {"text": "SAs"}, "domain": [0.4, 1], "rangemode": "tozero"},
            "yaxis2": {
                "title": {"text": "moves"},
                "domain": [0, 0.28],
                "anchor": "x",
                "range": [-1.1 * most, 1.1 * most],
                "tickvals": [-most, 0, most],
                "ticktext": [count(most), "0", count(most)],
            },
            "barmode": "overlay",
            "bargap": 0,
        },
    )


def metrics_chart(result: RunResult, timeline: Timeline, axis: Axis) -> Chart:
    """Metrics of the hottest SAs against the bar that a newcomer has to reach."""
    spis = {sa.sa: f"0x{sa.spi:08x}" for sa in result.hottest}
    traces = [
        _step(
            spis.get(sa, f"SA {sa}"),
            metric,
            axis,
            line={"color": f"var(--hot-{rank})", "width": 1.25, "shape": "hv"},
        )
        for rank, (sa, metric) in enumerate(timeline.metrics.items())
    ]
    lowest = timeline.levels.get("lowest_resident_metric")
    caption = "The metrics of the SAs with the most packets, and the lowest one on the card."
    if traces and lowest is not None:
        ink: Trace = {"color": "var(--ink)", "width": 2.5, "shape": "hv"}
        traces.append(_step("lowest resident", lowest, axis, line=ink))
        threshold = result.rule.parameters.get("threshold")
        if isinstance(threshold, int | float) and math.isfinite(threshold) and threshold > 0:
            dotted = ink | {"width": 1.5, "dash": "dot"}
            name = f"lowest + threshold {plain(threshold)}"
            traces.append(_step(name, lowest + threshold, axis, line=dotted))
            caption = (
                "An SA outside the card is loaded when its metric reaches the dotted line: the "
                "lowest metric on the card plus the threshold."
            )
    return Chart(
        "metrics",
        "Metric of the hottest SAs",
        caption,
        f"The metrics of the {len(timeline.metrics)} SAs with the most packets.",
        traces,
        {"yaxis": {"title": {"text": "metric"}, "rangemode": "tozero"}},
        log_switch=True,
    )


def waiting_chart(result: RunResult, timeline: Timeline, axis: Axis) -> Chart:
    """How much of the time senders waited, per edge that anybody waited for."""
    waited = {edge: values for edge, values in timeline.waited_ns.items() if values.any()}
    traces = [
        _step(
            edge,
            values / timeline.width_ns,
            axis,
            line={"color": f"var(--hot-{rank % 10})", "width": 1.5, "shape": "hv"},
            hovertemplate="%{y:.1%}",
        )
        for rank, (edge, values) in enumerate(waited.items())
    ]
    total_ns = sum(use.waited_ns for use in result.edges.values())
    return Chart(
        "waiting",
        "Waiting per edge",
        "Share of the time that senders waited for room; above 100 % where several waited at once.",
        f"Senders waited {duration(total_ns)} in all, on {len(waited)} edges.",
        traces,
        {"yaxis": {"title": {"text": "time waiting"}, "tickformat": ".0%", "rangemode": "tozero"}},
    )


def _step(name: str, values: Values, axis: Axis, **style: object) -> Trace:
    """A line that holds each bin's value for the bin's width, the last one too."""
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x0": 0,
        "dx": axis.step,
        "y": _compact(np.append(values, values[-1:])),
        "hovertemplate": "%{y:,.4~g}",
        **style,
    }


def _bars(name: str, values: Values, axis: Axis, colour: str, **more: object) -> Trace:
    shown = "%{customdata}" if more else "%{y}"
    return {
        "type": "bar",
        "name": name,
        "x0": axis.step / 2,
        "dx": axis.step,
        "y": _compact(values),
        "yaxis": "y2",
        "marker": {"color": colour, "line": {"width": 0}},
        "hovertemplate": shown,
        **more,
    }


def _level(name: str, level: float, timeline: Timeline, axis: Axis, colour: str) -> Trace:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": [0, axis.step * timeline.bins],
        "y": [level, level],
        "line": {"color": colour, "width": 1, "dash": "dash"},
        "hoverinfo": "skip",
    }


def _compact(values: Values) -> list[float | None]:
    """Six significant digits say all that a plot can show; None where there is no value."""
    return [None if math.isnan(value) else float(f"{value:.6g}") for value in values.tolist()]
