"""The plots of a comparison: who saves how much, where host time goes, latency."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from saactors.lab.comparison_tables import saving_text, slots_text, title
from saactors.lab.drawing import HUES, dash, mark, significant
from saactors.lab.outcome import Outcome
from saactors.lab.standings import Group, Standing, mean_of
from saactors.observe.units import count, duration
from saactors.report.charts import Chart, Trace

LEAST_SHOWN_PERCENT: Final = -100.0  # a rule below stands at the edge
MOST_SHOWN_PERCENT: Final = 160.0  # of never's host time
SPLIT_CHARTS_MAX: Final = 12
LINES_MAX: Final = 10  # that can be told apart; others are drawn when their names are clicked


def charts(groups: Sequence[Group]) -> Iterator[Chart]:
    """All plots of a comparison."""
    yield savings_chart(groups)
    traces = dict.fromkeys(group.first.trace for group in groups)
    for number, trace in enumerate(traces):
        of_trace = [group for group in groups if group.first.trace == trace]
        if len(of_trace) > 1:
            yield slots_chart(of_trace, f"slots-{number}")
    for number, group in enumerate(groups[:SPLIT_CHARTS_MAX]):
        yield split_chart(group, f"split-{number}")
    yield latency_chart(groups)


def rules_by_saving(groups: Sequence[Group]) -> list[str]:
    """All rules, the best in the mean last: a plot's rows go upwards."""
    savings: dict[str, list[float]] = {}
    for group in groups:
        for standing in group.standings:
            saving = standing.saving
            savings.setdefault(standing.rule, []).append(saving.value if saving else 0.0)
    return sorted(savings, key=lambda rule: mean_of(savings[rule]).value)


def _names(groups: Sequence[Group]) -> list[str]:
    """What tells each group from the others: its trace, its slots, or both."""
    traces = [group.first.trace for group in groups]
    slots = [slots_text(group) for group in groups]
    if len(set(slots)) == 1:
        return traces
    if len(set(traces)) == 1:
        return slots
    return [f"{trace}, {of_group}" for trace, of_group in zip(traces, slots, strict=True)]


def savings_chart(groups: Sequence[Group]) -> Chart:
    """A row per rule, a dot per trace and number of slots."""
    rules = rules_by_saving(groups)
    traces = [
        _dots(group, place, name)
        for place, (group, name) in enumerate(zip(groups, _names(groups), strict=True))
    ]
    return Chart(
        "savings",
        "Saving by rule",
        "Of the achievable saving: 0 is all in software, 100 the optimum's bound. A rule that "
        f"loses more than {-LEAST_SHOWN_PERCENT:.0f} % stands at the left edge.",
        f"The best rule in the mean is {rules[-1]}.",
        traces,
        {
            "xaxis": {
                "title": {"text": "saving, % of achievable"},
                "range": [LEAST_SHOWN_PERCENT - 5, 105],
                "zeroline": True,
            },
            "yaxis": {"categoryorder": "array", "categoryarray": rules},
        },
    )


def _dots(group: Group, place: int, name: str) -> Trace:
    savings = [(standing.rule, standing.saving) for standing in group.standings]
    shown = [(rule, saving) for rule, saving in savings if saving is not None]
    outside = [saving.value < LEAST_SHOWN_PERCENT for _, saving in shown]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [significant(max(saving.value, LEAST_SHOWN_PERCENT)) for _, saving in shown],
        "y": [rule for rule, _ in shown],
        "error_x": {
            "type": "data",
            "array": [
                0 if out else significant(saving.half_width or 0)
                for (_, saving), out in zip(shown, outside, strict=True)
            ],
            "color": f"var(--hot-{place % HUES})",
            "thickness": 1,
        },
        "marker": {
            "color": f"var(--hot-{place % HUES})",
            "size": 9,
            "symbol": ["triangle-left" if out else "circle" for out in outside],
        },
        "customdata": [saving_text(saving) for _, saving in shown],
        "hovertemplate": "%{y}: %{customdata}",
    }


def split_chart(group: Group, name: str) -> Chart:
    """Host time by what it was spent on, a bar per rule, against all in software."""
    rules = [standing.rule for standing in reversed(group.standings)]
    parts: list[tuple[str, str, Callable[[Outcome], float]]] = [
        ("software", "var(--software-fill)", lambda one: one.software_ns),
        ("card", "var(--nic-fill)", lambda one: one.nic_ns),
        ("loads", "var(--dropped-fill)", lambda one: one.loads_ns),
    ]
    traces = [_bars(group.standings, *part) for part in parts]
    shares = [1 - best.lower_ns / one.never_ns for best, one in _judged(group)]
    marks = [mark(100.0, "all in software")]
    if shares and mean_of(shares).value > 0:
        marks.append(mark(100 * (1 - mean_of(shares).value), "optimum"))
    return Chart(
        name,
        f"Host time by rule: {title(group)}",
        "What the host spends on packets in software, on packets for the card and on loads; "
        f"all in software is 100 %. Bars are cut off at {MOST_SHOWN_PERCENT:.0f} %.",
        f"The least host time is {group.standings[0].rule}'s.",
        traces,
        {
            "barmode": "stack",
            "bargap": 0.25,
            "xaxis": {
                "title": {"text": "host time, % of all in software"},
                "range": [0, _most(group)],
            },
            "yaxis": {"categoryorder": "array", "categoryarray": rules},
            "shapes": [mark["shape"] for mark in marks],
            "annotations": [mark["annotation"] for mark in marks],
            "legend": {"y": 1.04},
        },
    )


def _judged(group: Group) -> Iterator[tuple[Any, Outcome]]:
    for one in group.standings[0].outcomes:
        if one.optimum is not None and one.never_ns:
            yield one.optimum, one


def _most(group: Group) -> float:
    most = max(standing.mean(_cost_percent).value for standing in group.standings)
    return min(MOST_SHOWN_PERCENT, max(105.0, 1.05 * most))


def _cost_percent(one: Outcome) -> float:
    return 100 * one.rule_ns / one.never_ns if one.never_ns else 0.0


def _bars(
    standings: Sequence[Standing], name: str, colour: str, figure: Callable[[Outcome], float]
) -> Trace:
    def share(one: Outcome) -> float:
        return 100 * figure(one) / one.never_ns if one.never_ns else 0.0

    return {
        "type": "bar",
        "orientation": "h",
        "name": name,
        "x": [significant(standing.mean(share).value) for standing in standings],
        "y": [standing.rule for standing in standings],
        "marker": {"color": colour, "line": {"width": 0}},
        "hovertemplate": "%{y}: %{x:,.4~g} %",
    }


def slots_chart(groups: Sequence[Group], name: str) -> Chart:
    """Saving against slots on one trace, a line per rule."""
    by_slots = sorted(groups, key=lambda group: group.first.slots)
    traces = []
    for place, rule in enumerate(reversed(rules_by_saving(groups))):
        points = [
            (group.first.slots, standing.saving)
            for group in by_slots
            for standing in group.standings
            if standing.rule == rule and standing.saving is not None
        ]
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": rule,
                "visible": True if place < LINES_MAX else "legendonly",
                "x": [slots for slots, _ in points],
                "y": [significant(saving.value) for _, saving in points],
                "line": {"color": f"var(--hot-{place % HUES})", "dash": dash(place)},
                "hovertemplate": f"{rule}: %{{y:,.4~g}} %",
            }
        )
    return Chart(
        name,
        f"Saving against slots: {groups[0].first.trace}",
        "Of what the optimum of the same number of slots saves. A rule's name draws its line, or "
        "takes it away.",
        f"From {count(by_slots[0].first.slots)} to {count(by_slots[-1].first.slots)} slots.",
        traces,
        {
            "xaxis": {"title": {"text": "slots of the card (log scale)"}, "type": "log"},
            "yaxis": {
                "title": {"text": "saving, % of achievable"},
                "range": [LEAST_SHOWN_PERCENT, 105],
            },
        },
    )


def latency_chart(groups: Sequence[Group]) -> Chart:
    """99 of 100 packets were done within this, a row per rule."""
    rules = rules_by_saving(groups)
    traces: list[Trace] = []
    for place, (group, name) in enumerate(zip(groups, _names(groups), strict=True)):
        latencies_ns = [
            standing.mean(lambda one: one.latency_p99_ns).value for standing in group.standings
        ]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": name,
                "x": [significant(latency_ns / 1000) for latency_ns in latencies_ns],
                "y": [standing.rule for standing in group.standings],
                "marker": {"color": f"var(--hot-{place % HUES})", "size": 9},
                "customdata": [duration(latency_ns) for latency_ns in latencies_ns],
                "hovertemplate": "%{y}: %{customdata}",
            }
        )
    return Chart(
        "latency",
        "Latency by rule",
        "From a packet's arrival to the end of its crypto; 99 of 100 took no longer. Software is "
        "one worker, and whoever leaves it more than it can do sees it here.",
        "The table below has the same figures.",
        traces,
        {
            "xaxis": {"title": {"text": "p99 latency, µs (log scale)"}, "type": "log"},
            "yaxis": {"categoryorder": "array", "categoryarray": rules},
        },
    )
