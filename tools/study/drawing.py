"""A drawing in SVG: lines, dots, boxes and words, written by hand.

Coordinates are pixels from the upper left corner, rounded to tenths, so that the same figures give
the same bytes everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Final

INK: Final = "#24292f"
FAINT: Final = "#d0d7de"
PAPER: Final = "#ffffff"
# Okabe and Ito's hues, which the colour-blind can tell apart; ours is the first.
HUES: Final = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f")

Place = tuple[float, float]


class Drawing:
    """Shapes in the order in which they are drawn."""

    def __init__(self, width: float, height: float, told: str) -> None:
        self._parts = [
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
                f'viewBox="0 0 {width:g} {height:g}" font-family="sans-serif" font-size="11">'
            ),
            f"<title>{escape(told)}</title>",
        ]
        self.box((0, 0), width, height, PAPER)

    def box(self, corner: Place, width: float, height: float, colour: str) -> None:
        """A filled rectangle."""
        x, y = corner
        self._add("rect", x=x, y=y, width=width, height=height, fill=colour)

    def line(self, start: Place, end: Place, colour: str = FAINT, width: float = 1) -> None:
        """A straight line."""
        (x1, y1), (x2, y2) = start, end
        self._add("line", x1=x1, y1=y1, x2=x2, y2=y2, stroke=colour, stroke_width=width)

    def path(self, places: Sequence[Place], colour: str, width: float = 2) -> None:
        """Straight lines from place to place."""
        points = " ".join(f"{_tenths(x)},{_tenths(y)}" for x, y in places)
        self._add("polyline", points=points, fill="none", stroke=colour, stroke_width=width)

    def dot(self, place: Place, colour: str, radius: float = 4, told: str = "") -> None:
        """A disc; ``told`` shows when pointed at."""
        x, y = place
        self._add("circle", told, cx=x, cy=y, r=radius, fill=colour)

    def words(
        self, place: Place, text: str, anchor: str = "start", colour: str = INK, size: float = 11
    ) -> None:
        """A line of text; ``anchor`` is start, middle or end."""
        x, y = place
        figures: dict[str, float | str] = {
            "x": x,
            "y": y,
            "text_anchor": anchor,
            "fill": colour,
            "font_size": size,
        }
        self._parts.append(f"<text{_attributes(figures)}>{escape(text)}</text>")

    def write(self, path: Path) -> None:
        """As a file."""
        path.write_text("\n".join([*self._parts, "</svg>", ""]), encoding="utf-8")

    def _add(self, shape: str, told: str = "", **figures: float | str) -> None:
        if told:
            inside = f"<title>{escape(told)}</title>"
            self._parts.append(f"<{shape}{_attributes(figures)}>{inside}</{shape}>")
        else:
            self._parts.append(f"<{shape}{_attributes(figures)}/>")


def _attributes(figures: dict[str, float | str]) -> str:
    return "".join(
        f' {name.replace("_", "-")}="{value if isinstance(value, str) else _tenths(value)}"'
        for name, value in figures.items()
    )


def _tenths(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
