"""The page of a sizing: the curves over a log axis of slots, with the knee and the profiles."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nicmodel.presets import PROFILES
from saactors.lab.drawing import HUES, dash, mark, significant
from saactors.lab.page import Figure, Page, write_page
from saactors.lab.size_tables import LEGEND, share_of, told
from saactors.lab.sizing import Sizing
from saactors.observe.units import count, percent
from saactors.report.charts import Chart, Trace


def write_size_page(found: Sizing, path: str | Path) -> None:
    """Write the page to ``path``; raises ``OutputError``."""
    write_page(page_of(found), path)


def page_of(found: Sizing) -> Page:
    """The page of a sizing."""
    return Page(
        command="size",
        heading=f"How many slots for {found.trace}",
        setting=f"{', '.join(found.curves)} on the card {found.profile}, at each number of slots",
        figures=list(_figures(found)),
        charts=[savings_chart(found)],
        tables=[told(found)],
        legend=LEGEND,
    )


def _figures(found: Sizing) -> Iterator[Figure]:
    last = max(found.optima)
    everything = share_of(found, found.never_ns - found.optima[last].upper_ns)
    if found.knee is not None:
        at_knee = share_of(found, found.never_ns - found.optima[found.knee].upper_ns)
        yield Figure("Knee", f"{found.knee:,}", "slots")
        yield Figure("Saved there at best", percent(at_knee), "of all in software")
    yield Figure("Saved by enough slots", percent(everything), f"with {last:,} at best")
    yield Figure("Worth a load", count(found.sas_worth_a_load), f"of {count(found.sas)} SAs")


def savings_chart(found: Sizing) -> Chart:
    """A line per rule, and the optimum's above them all."""
    slots = list(found.slots)
    lines = [_line("optimum", slots, _optimum(found), "var(--ink)", "solid", 3)]
    for place, (rule, curve) in enumerate(found.curves.items()):
        shares = [100 * share_of(found, one.saving_ns) for one in curve]
        lines.append(_line(rule, slots, shares, f"var(--hot-{place % HUES})", dash(place), 1.75))
    best = max(_optimum(found))
    marks = [_mark(size, ", ".join(names)) for size, names in _marked(found).items()]
    return Chart(
        "sizes",
        "Saving against slots",
        "Host time saved, of what all in software takes. The optimum's line is what it certainly "
        "saves; a rule that loses more than it could win leaves the plot.",
        f"The knee is at {found.knee} slots.",
        lines,
        {
            "xaxis": {"title": {"text": "slots of the card (log scale)"}, "type": "log"},
            "yaxis": {
                "title": {"text": "host time saved, % of all in software"},
                "range": [-0.5 * best - 1, 1.15 * best + 1],
            },
            "shapes": [one["shape"] for one in marks],
            "annotations": [one["annotation"] for one in marks],
            "legend": {"y": 1.08},
        },
    )


def _optimum(found: Sizing) -> list[float]:
    return [100 * share_of(found, found.never_ns - best.upper_ns) for best in found.optima.values()]


def _line(
    name: str, slots: list[int], shares: list[float], colour: str, stroke: str, width: float
) -> Trace:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": slots,
        "y": [significant(share) for share in shares],
        "line": {"color": colour, "width": width, "dash": stroke},
        "marker": {"size": 5},
        "hovertemplate": f"{name}, %{{x:,}} slots: %{{y:,.4~g}} %",
    }


def _marked(found: Sizing) -> dict[int, list[str]]:
    """The knee, and every profile within the plot."""
    marked: dict[int, list[str]] = {}
    if found.knee is not None:
        marked[found.knee] = ["knee"]
    for profile in PROFILES.values():
        if min(found.slots) <= profile.slots_max <= max(found.slots):
            marked.setdefault(profile.slots_max, []).append(profile.name)
    return marked


def _mark(slots: int, text: str) -> dict[str, Any]:
    """Shapes stand at the value, annotations of a log axis at its logarithm: so plotly has it."""
    made = mark(float(slots), text)
    made["annotation"]["x"] = math.log10(slots)
    return made
