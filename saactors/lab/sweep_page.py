"""The page of a sweep: a figure for each question that the study asks.

A point is the mean over all cells that agree in x, colour and facet; the caption says over what,
so that nothing is averaged behind the reader's back. The bar around it is Student's 95 % interval
over the seeds, and is left out where cells differ in more than the seed. A rule that does not have
the parameter on the x axis is a dotted line.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import polars as pl

from saactors.lab.page import Figure, Page, write_page
from saactors.lab.standings import mean_of
from saactors.lab.study_tables import PRIMARY, QuestionTable, Study
from saactors.lab.sweep_report import best_rules_tables, varied_parameters
from saactors.observe.units import count
from saactors.report.charts import Chart, Trace

HUES: Final = 10  # that the style sheet has
LEAST_SHOWN_PERCENT: Final = -100.0  # of savings; what lies below is cut off
FACETS_MAX: Final = 3  # side by side; more make another figure
_GAP: Final = 0.06  # between two of them, of the figure's width
_LOG_FROM: Final = 30.0  # greatest ÷ least value from which an axis is logarithmic

# What tells cells apart, beside figures of card and host and what rules were given.
_PLURALS: Final = {
    "trace": "traces",
    "seed": "seeds",
    "profile": "profiles",
    "slots_wanted": "numbers of slots",
    "rule": "rules",
}
IDENTITY: Final = tuple(_PLURALS)


def write_sweep_page(study: Study, frame: pl.DataFrame, path: str | Path) -> None:
    """Write the page to ``path``; raises ``OutputError``."""
    write_page(page_of(study, frame), path)


def page_of(study: Study, frame: pl.DataFrame) -> Page:
    """The page of a study's results, of which there is at least one."""
    charts = [
        chart
        for number, question in enumerate(study.questions)
        for chart in charts_of(study, question, frame, f"question-{number}")
    ]
    unanswered = [
        question.title
        for question in study.questions
        if not any(chart.title.startswith(question.title) for chart in charts)
    ]
    without = f" Without any cell: {'; '.join(unanswered)}." if unanswered else ""
    return Page(
        command="sweep",
        heading=study.title or "A study of placement rules",
        setting=f"{len(study.traces)} traces, {frame['rule'].n_unique()} rules, "
        f"{', '.join(study.profiles)}; optimum: {study.optimum}.{without}",
        figures=list(_figures(frame)),
        charts=charts,
        tables=best_rules_tables(study, frame),
        legend={
            PRIMARY: "of what could be saved, between all in software and the optimum's bound",
            "rule_ns": "host time of all packets that need crypto, plus loads × load cost",
            "never_ns": "the same with everything in software",
        },
    )


def charts_of(
    study: Study, question: QuestionTable, frame: pl.DataFrame, name: str
) -> Iterator[Chart]:
    """The figure that answers a question, in several where it has many facets; none of no cells."""
    shown = _chosen(question, frame)
    if question.x not in shown.columns or shown.height == 0:
        return
    facets = [None] if question.facet is None else _values(shown, question.facet)
    for first in range(0, len(facets), FACETS_MAX):
        beside = facets[first : first + FACETS_MAX]
        part = f", {first + 1} to {first + len(beside)} of {len(facets)}"
        yield Chart(
            f"{name}-{first}",
            question.title + (part if len(facets) > FACETS_MAX else ""),
            _caption(study, question, shown),
            f"{question.y} against {question.x}.",
            list(
                _traces(question, shown, beside, bars=_averaged(study, question, shown) == ["seed"])
            ),
            _layout(question, shown, beside),
        )


def _chosen(question: QuestionTable, frame: pl.DataFrame) -> pl.DataFrame:
    """The cells that the question is about, less those without a y."""
    shown = frame
    for name, wanted in question.where.items():
        if name not in shown.columns:
            return shown.clear()
        values = [str(value) for value in (wanted if isinstance(wanted, list) else [wanted])]
        if shown[name].dtype.is_numeric():
            shown = shown.filter(pl.col(name).is_in([float(value) for value in values]))
        else:
            shown = shown.filter(pl.col(name).is_in(values))
    return shown.drop_nulls(question.y)


def _traces(
    question: QuestionTable, shown: pl.DataFrame, facets: Sequence[object], *, bars: bool
) -> Iterator[Trace]:
    colours = [None] if question.colour is None else _values(shown, question.colour)
    text = not shown[question.x].dtype.is_numeric()
    for place, facet in enumerate(facets):
        here = shown if facet is None else shown.filter(pl.col(str(question.facet)) == facet)
        known = here[question.x].drop_nulls()
        for hue, colour in enumerate(colours):
            rows = here if colour is None else here.filter(pl.col(str(question.colour)) == colour)
            if rows.height == 0:
                continue
            of_x = rows.drop_nulls(question.x)
            dotted = of_x.height == 0
            if dotted and known.len() == 0:
                continue
            points = _level(question, rows, known) if dotted else _means(question, of_x, bars=bars)
            yield {
                "type": "scatter",
                "mode": "lines" if dotted else "markers" if text else "lines+markers",
                "name": question.y if colour is None else _told(colour),
                "legendgroup": _told(colour),
                "showlegend": place == 0,
                "xaxis": _axis_name("x", place),
                "yaxis": _axis_name("y", place),
                "line": {"color": f"var(--hot-{hue % HUES})", "dash": "dot" if dotted else "solid"},
                "marker": {"color": f"var(--hot-{hue % HUES})", "size": 8},
                "hovertemplate": f"{_told(colour)}: %{{x}}, %{{y:,.4~g}}<extra></extra>",
                **points,
            }


def _means(question: QuestionTable, rows: pl.DataFrame, *, bars: bool) -> dict[str, Any]:
    """A mean for every x, perhaps with its interval."""
    found = [
        (x, mean_of(of_x[question.y].cast(pl.Float64).to_list()))
        for x in _values(rows, question.x)
        for of_x in [rows.filter(pl.col(question.x) == x)]
    ]
    return {
        "x": [x for x, _ in found],
        "y": [_six(mean.value) for _, mean in found],
        "error_y": {
            "type": "data",
            "array": [_six(mean.half_width or 0.0) for _, mean in found],
            "thickness": 1,
            "visible": bars,
        },
    }


def _level(question: QuestionTable, rows: pl.DataFrame, known: pl.Series) -> dict[str, Any]:
    """The mean of cells without that parameter, from the least x of others to the greatest."""
    level = _six(mean_of(rows[question.y].cast(pl.Float64).to_list()).value)
    ends = sorted(known.to_list())
    return {"x": [ends[0], ends[-1]], "y": [level, level]}


def _layout(
    question: QuestionTable, shown: pl.DataFrame, facets: Sequence[object]
) -> dict[str, Any]:
    """Axes side by side, with the same y; the first pair gets the page's own style."""
    layout: dict[str, Any] = {}
    width = (1 - _GAP * (len(facets) - 1)) / len(facets)
    style = {
        "gridcolor": "var(--grid)",
        "linecolor": "var(--rule)",
        "zerolinecolor": "var(--quiet)",
        "fixedrange": True,
        "automargin": True,
        "tickfont": {"size": 11},
    }
    for place, facet in enumerate(facets):
        left = place * (width + _GAP)
        number = "" if place == 0 else str(place + 1)
        own = {} if place == 0 else style
        layout[f"xaxis{number}"] = {
            **own,
            **_scale(shown[question.x]),
            "title": {"text": question.x + _of_facet(question, facet), "font": {"size": 12}},
            "domain": [left, left + width],
            "anchor": _axis_name("y", place),
        }
        layout[f"yaxis{number}"] = {
            **own,
            **_scale(shown[question.y]),
            **_window(question, shown),
            "title": {"text": question.y if place == 0 else ""},
            "anchor": _axis_name("x", place),
            **({} if place == 0 else {"matches": "y", "showticklabels": False}),
        }
    return layout


def _window(question: QuestionTable, shown: pl.DataFrame) -> dict[str, Any]:
    """A rule that loses many times what could be saved must not flatten all others."""
    least = shown[question.y].min() if question.y == PRIMARY else None
    if not isinstance(least, float) or least >= LEAST_SHOWN_PERCENT:
        return {}
    return {"range": [LEAST_SHOWN_PERCENT, 105]}


def _of_facet(question: QuestionTable, facet: object) -> str:
    return "" if facet is None else f"  ({question.facet} {_told(facet)})"


def _scale(values: pl.Series) -> dict[str, Any]:
    """Logarithmic where positive values span much; names in their order where there are names."""
    known = values.drop_nulls()
    if not values.dtype.is_numeric():
        return {"type": "category"}
    finite = [float(value) for value in known.to_list() if float("-inf") < value < float("inf")]
    if finite and min(finite) > 0 and max(finite) / min(finite) >= _LOG_FROM:
        return {"type": "log"}
    return {"type": "linear"}


def _caption(study: Study, question: QuestionTable, shown: pl.DataFrame) -> str:
    """What is shown, and over what the points are means."""
    told = [f"{question.y} against {question.x}"]
    if question.where:
        pairs = (f"{name} = {_wanted(value)}" for name, value in question.where.items())
        told.append(f"where {', '.join(pairs)}")
    if _window(question, shown):
        told.append(f"what saves less than {LEAST_SHOWN_PERCENT:.0f} % is cut off")
    averaged = _averaged(study, question, shown)
    if averaged:
        over = (
            f"{shown[name].drop_nulls().n_unique()} {_PLURALS.get(name, f'values of {name}')}"
            for name in averaged
        )
        told.append(f"each point the mean over {', '.join(over)}")
    return "; ".join(told) + "."


def _averaged(study: Study, question: QuestionTable, shown: pl.DataFrame) -> list[str]:
    """In what else the cells of some point differ."""
    drawn = list(dict.fromkeys(filter(None, (question.x, question.colour, question.facet))))
    names = [*IDENTITY, *study.card, *study.host, *varied_parameters(study)]
    if "slots" in drawn:  # the same by another name
        names.remove("slots_wanted")
    others = [name for name in names if name not in drawn]
    most = shown.group_by(drawn).agg(pl.col(name).drop_nulls().n_unique() for name in others).max()
    return [name for name in others if most[name].item() > 1]


def _figures(frame: pl.DataFrame) -> Iterator[Figure]:
    yield Figure("Cells", count(frame.height), f"{count(int(frame['packets'].sum()))} packets")
    judged = frame.drop_nulls(PRIMARY)
    if judged.height:
        best = judged.sort(PRIMARY, descending=True).row(0, named=True)
        yield Figure("Best cell", f"{best[PRIMARY]:.1f} %", best["rule"])
        worst = judged.sort(PRIMARY).row(0, named=True)
        yield Figure("Worst cell", f"{worst[PRIMARY]:.1f} %", worst["rule"])
        gap = 100 * float(judged["optimum_gap"].max() or 0.0)  # type: ignore[arg-type]  # a float
        known = f"to {gap:.2g} %" if gap else "exactly"
        yield Figure("Optimum known", known, "at worst, of the saving")


def _values(frame: pl.DataFrame, name: str) -> list[Any]:
    """The distinct values of a column: numbers ascending, names as they come."""
    column = frame[name].drop_nulls()
    found = column.unique(maintain_order=True)
    return (found.sort() if column.dtype.is_numeric() else found).to_list()


def _axis_name(letter: str, place: int) -> str:
    return letter if place == 0 else f"{letter}{place + 1}"


def _wanted(value: object) -> str:
    return " or ".join(map(_told, value)) if isinstance(value, list) else _told(value)


def _told(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _six(value: float) -> float:
    """Six significant digits say all that a plot can show."""
    return float(f"{value:.6g}")
