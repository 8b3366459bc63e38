"""What a peer script reports, and the one table that is made of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar


@dataclass(frozen=True)
class Row:
    """One suite in one mode and direction against one peer.

    ``direction`` reads "→ peer" (ours, sent to it) or "← peer" (its, opened by us). ``sent`` are
    packets that the other side should take, ``accepted`` those it took with the right bytes;
    ``bad`` are forged, replayed or too-old packets, ``refused`` those that were refused under the
    right reason.
    """

    HEADINGS: ClassVar = (
        "peer", "suite", "mode", "direction", "sent", "accepted", "refused as it should be"
    )  # fmt: skip

    peer: str
    suite: str
    mode: str
    direction: str
    sent: int
    accepted: int
    bad: int = 0
    refused: int = 0

    @property
    def is_right(self) -> bool:
        """Whether everything good was taken and everything bad refused."""
        return self.sent > 0 and self.accepted == self.sent and self.refused == self.bad

    def cells(self) -> tuple[str, ...]:
        """The row as text, in the order of the headings."""
        refused = f"{self.refused} of {self.bad}" if self.bad else "–"
        accepted = str(self.accepted) if self.is_right else f"{self.accepted} (WRONG)"
        return (
            self.peer, self.suite, self.mode, self.direction, str(self.sent), accepted, refused
        )  # fmt: skip


def added(rows: Iterable[Row]) -> list[Row]:
    """Rows of the same name as one, in the order in which the names came first."""
    sums: dict[tuple[str, str, str, str], Row] = {}
    for row in rows:
        name = (row.peer, row.suite, row.mode, row.direction)
        so_far = sums.get(name, Row(*name, sent=0, accepted=0))
        sums[name] = Row(
            *name,
            so_far.sent + row.sent,
            so_far.accepted + row.accepted,
            so_far.bad + row.bad,
            so_far.refused + row.refused,
        )
    return list(sums.values())


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Save rows as JSON, for the script that collects them."""
    path.write_text(json.dumps([asdict(row) for row in rows], indent=1))


def read_rows(path: Path) -> list[Row]:
    """Rows that ``write_rows`` saved."""
    return [Row(**row) for row in json.loads(path.read_text())]


def markdown(rows: Sequence[Row]) -> str:
    """Rows as a table."""
    return table(Row.HEADINGS, [row.cells() for row in rows])


def table(headings: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table in Markdown, whose columns also line up in a terminal."""
    widths = [max(map(len, column)) for column in zip(headings, *lines, strict=True)]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    made = [_line(headings, widths), rule, *(_line(line, widths) for line in lines)]
    return "\n".join(made) + "\n"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return "| " + " | ".join(padded) + " |"
