"""The picture of ``saactors top``: from a gateway's answers to lines that fit the terminal.

    gateway, rule, packets by component, card, drops    four lines, two where it is short
    what the table shows: order, filters, place         one line
    SAs                                                 what is left
    edges, those under most pressure first              a quarter, one line where it is short

Lines have one style each, and columns go from the right where it is narrow. Pure: no terminal here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from saactors.cli.top_tables import (
    EDGE_COLUMNS,
    SA_COLUMNS,
    Answer,
    Line,
    Style,
    bits_per_s,
    queued_of,
    table_of,
)
from saactors.observe.units import count, duration, plain

SHORT: Final = 16  # rows of a terminal below which things are said in fewer lines
SORTED_BY: Final[Mapping[str, str]] = {
    "packets_per_s": "packets/s",
    "bits_per_s": "bits/s",
    "metric": "metric",
    "saved_ns": "saved",
    "moves": "moves",
    "spi": "SPI",
    "packets": "packets",
    "bytes": "bytes",
}
_KEYS: Final = "sort: p b m s v i r  search: /  where: w  quit: q"


@dataclass(frozen=True, slots=True)
class View:
    """What is looked at: order, filters, place; ``typing`` while the search text is typed."""

    sort: str = "packets_per_s"
    descending: bool = True
    search: str = ""
    where: str | None = None
    offset: int = 0
    typing: bool = False

    def arguments(self, limit: int) -> dict[str, Any]:
        """For ``sa.list``."""
        asked: dict[str, Any] = {
            "sort": self.sort,
            "descending": self.descending,
            "search": self.search,
            "offset": self.offset,
            "limit": limit,
        }
        return asked if self.where is None else {**asked, "where": self.where}


@dataclass(frozen=True, slots=True)
class Reading:
    """What the gateway answered: its status, the status before (for rates), a page of SAs."""

    status: Answer
    former: Answer | None
    page: Answer


def rows_of(height: int, edge_count: int) -> int:
    """How many SAs a terminal of that height shows."""
    return max(1, height - _head_lines(height) - 2 - _edge_lines(height, edge_count))


def draw(reading: Reading, view: View, width: int | None, height: int | None) -> list[Line]:
    """The whole picture; None for a width or a height that has no bound."""
    edges = _edges(reading.status, width, _edge_lines(height, len(reading.status["edges"])))
    head = _head(reading)[: _head_lines(height)]
    lines = [_pieces(pieces, style, width) for pieces, style in head]
    lines.append(_place(reading.page, view, width, keys=_KEYS if height is not None else ""))
    rows = reading.page["rows"]
    room = len(rows) if height is None else rows_of(height, len(reading.status["edges"]))
    lines += table_of(SA_COLUMNS, rows[:room], width)
    lines += [Line("")] * (1 if height is None else room - len(rows))
    return [*lines, *edges][:height]


def _head_lines(height: int | None) -> int:
    return 4 if height is None or height >= SHORT else 2


def _edge_lines(height: int | None, edge_count: int) -> int:
    """With their heading; of a short terminal one line is for the edge under most pressure."""
    if height is None:
        return edge_count + 1
    return 1 if height < SHORT else min(edge_count, max(1, height // 4 - 1)) + 1


# The head.


def _head(reading: Reading) -> list[tuple[list[str], Style]]:
    """Lines as pieces of which the last go where it is narrow; the most important line first."""
    status = reading.status
    return [
        (_gateway(status), "warning" if status["draining"] else "title"),
        (_traffic(reading), "plain"),
        (_card(status["card"]), "plain"),
        (_drops(reading), "warning" if _dropped_lately(reading) else "plain"),
    ]


def _gateway(status: Answer) -> list[str]:
    rule, card = status["rule"], status["card"]
    state = "draining" if status["draining"] else "" if status["ready"] else "starting"
    threshold = rule["threshold"]
    lead = "" if threshold is None else f" (threshold {plain(threshold)})"
    return [
        *filter(None, [str(status["name"]), state]),
        f"card {card['residents']:,}/{card['slots_max']:,}",
        f"rule {rule['name']}{lead}",
        f"up {duration(status['uptime_ns'])}",
        f"{status['sas']['total']:,} SAs",
        f"saactors {status['version']}",
    ]


def _traffic(reading: Reading) -> list[str]:
    """Packets and bits by component: a second's since the last reading, else all so far."""
    told = []
    for component in ("nic", "software", "bypass"):
        packets = _lately(reading, f"{component}_packets")
        octets = _lately(reading, f"{component}_bytes")
        if packets is None or octets is None:
            told.append(f"{component} {count(reading.status['packets'][f'{component}_packets'])}")
        else:
            told.append(f"{component} {count(packets)}/s {bits_per_s(8 * octets)}")
    in_flight = reading.status["packets"]["in_flight_packets"]
    told.append(f"in flight {count(in_flight)}")
    return told if reading.former is not None else ["packets so far:", *told]


def _card(card: Answer) -> list[str]:
    told = [
        str(card["profile"]),
        f"loading {card['loading']:,}",
        f"loads {count(card['loads'])}",
        f"evictions {count(card['evictions'])}",
    ]
    counted = {
        "pinned": card["pinned"],
        "refused": card["loads_refused"],
        "lost": card["loads_lost"],
        "resets": card["resets"],
    }
    told += [f"{name} {count(number)}" for name, number in counted.items() if number]
    return [*told, f"engine queue {count(card['engine_queue_packets'])}"]


def _drops(reading: Reading) -> list[str]:
    dropped: Mapping[str, int] = reading.status["packets"]["dropped"]
    named = sorted(dropped.items(), key=lambda entry: -entry[1])
    told = [f"{reason} {count(number)}" for reason, number in named if number]
    return [f"drops {count(sum(dropped.values()))}", *told]


def _dropped_lately(reading: Reading) -> bool:
    """Whether any packet was dropped since the last reading."""
    if reading.former is None:
        return False
    now: Mapping[str, int] = reading.status["packets"]["dropped"]
    before: Mapping[str, int] = reading.former["packets"]["dropped"]
    return sum(now.values()) > sum(before.values())


def _lately(reading: Reading, name: str) -> float | None:
    """A second's share of a count since the last reading; None if there was none."""
    if reading.former is None:
        return None
    passed_ns = reading.status["uptime_ns"] - reading.former["uptime_ns"]
    if passed_ns <= 0:
        return None
    gained = reading.status["packets"][name] - reading.former["packets"][name]
    return float(max(0, gained) * 1_000_000_000 / passed_ns)


def _place(page: Answer, view: View, width: int | None, keys: str) -> Line:
    """Which SAs the table shows."""
    if view.typing:
        return _pieces([f"/{view.search}_", "Enter: keep", "Esc: all"], "title", width)
    shown = len(page["rows"])
    of = f"{page['matched']:,}"
    told = [f"SAs {view.offset + 1:,}–{view.offset + shown:,} of {of}" if shown else "no SA"]
    told.append(f"by {SORTED_BY[view.sort]} {'↓' if view.descending else '↑'}")
    if view.where is not None:
        told.append(f"where {view.where}")
    if view.search:
        told.append(f"/{view.search}")
    return _pieces([*told, *filter(None, [keys])], "dim", width)


def _pieces(pieces: Sequence[str], style: Style, width: int | None) -> Line:
    """As many pieces as there is room for; the first is cut if need be."""
    text = pieces[0]
    for piece in pieces[1:]:
        longer = f"{text}  {piece}"
        if width is not None and len(longer) > width:
            break
        text = longer
    return Line(text if width is None else text[:width], style)


def _edges(status: Answer, width: int | None, lines: int) -> list[Line]:
    """The edges under most pressure: full ones, then those where most was waited."""
    edges = sorted(status["edges"], key=_pressure, reverse=True)
    if lines == 1 and edges:
        first = edges[0]
        told = [
            f"{first['source']} → {first['target']}",
            queued_of(first),
            f"{first['waits']} waits",
        ]
        return [_pieces(told, "dim", width)]
    return table_of(EDGE_COLUMNS, edges[: lines - 1], width)


def _pressure(edge: Answer) -> tuple[float, int]:
    return (edge["queued"] / edge["capacity"] if edge["capacity"] else 0.0, edge["waited_ns"])
