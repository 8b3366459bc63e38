"""What the plots of the lab's pages have in common: hues, strokes, marks, figures."""

from __future__ import annotations

from typing import Any, Final

HUES: Final = 10  # that the style sheet has


def mark(where: float, text: str) -> dict[str, Any]:
    """A line from top to bottom, with its name above."""
    line = {"color": "var(--ink)", "width": 1, "dash": "dash"}
    return {
        "shape": {
            "type": "line", "x0": where, "x1": where, "yref": "paper", "y0": 0, "y1": 1,
            "line": line,
        },
        "annotation": {
            "x": where, "y": 1, "yref": "paper", "yanchor": "bottom", "text": text,
            "showarrow": False, "font": {"size": 11},
        },
    }  # fmt: skip


def dash(place: int) -> str:
    """The ten hues again, in other strokes."""
    return ("solid", "dash", "dot")[place // HUES % 3]


def significant(value: float) -> float:
    """Six significant digits say all that a plot can show."""
    return float(f"{value:.6g}")
