"""What happened over time, in a fixed number of bins.

The length of a run is not known while it runs and memory must not grow with it (law 9). So time is
cut into bins of equal width; when a run goes past the last bin, neighbours merge pairwise, the
width doubles and half of the bins are free again. Sums stay exact, and a run that has ended fills
between half of its bins and all of them. Widths are powers of two, so series that started alike can
always be brought to the same width, and a bin's number is one shift.

Recording is plain Python on short lists of integers: that costs less than entering compiled code.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final, Generic, TypeVar

import numpy as np
import numpy.typing as npt

# Columns that the report knows; an actor makes a series of those that are its own. Where several
# actors write the same column, such as drops, the report adds them up.
TRAFFIC: Final = ("software_packets", "nic_packets", "bypass_packets")
DROPS: Final = ("dropped_packets",)
MOVES: Final = ("loads", "evictions")
WAITING: Final = ("waited_ns",)
CACHE: Final = ("residents", "lowest_resident_metric")

BINS: Final = 512
FIRST_WIDTH_NS: Final = 1 << 17  # 131 µs: a trace of 67 ms fills all bins

CellT = TypeVar("CellT")


class _Bins(ABC, Generic[CellT]):
    """Rows of cells, one row per bin; what a subclass does when two rows become one is its own."""

    __slots__ = ("_blank", "_last", "_limit_ns", "_rows", "_shift", "names")

    def __init__(self, names: tuple[str, ...], blank: CellT, bins: int, width_ns: int) -> None:
        assert bins % 2 == 0, "bins merge pairwise"
        assert width_ns & (width_ns - 1) == 0, "a bin's number is a shift of the time"
        self.names = names
        self._blank = blank
        self._shift = width_ns.bit_length() - 1
        self._rows = [[blank] * len(names) for _ in range(bins)]
        self._limit_ns = bins << self._shift
        self._last = -1  # highest bin in use

    @property
    def width_ns(self) -> int:
        """How long a bin is at present."""
        return 1 << self._shift

    def coarsen(self, width_ns: int) -> None:
        """Merge bins until they are ``width_ns`` wide, a width that another series has reached."""
        while self.width_ns < width_ns:
            self._double()

    def column(self, name: str, length: int) -> npt.NDArray[np.float64]:
        """The bins of one column from the start, ``length`` of them."""
        place = self.names.index(name)
        cells = [row[place] for row in self._rows[: self._last + 1]]
        return self._filled(cells, length)

    @property
    def used(self) -> int:
        """How many bins there are up to the last one in use."""
        return self._last + 1

    def _row(self, time_ns: int) -> list[CellT]:
        while time_ns >= self._limit_ns:
            self._double()
        place = time_ns >> self._shift
        if place > self._last:  # noqa: PLR1730 - max() costs three times as much
            self._last = place
        return self._rows[place]

    def _double(self) -> None:
        rows, half = self._rows, len(self._rows) // 2
        merged = [
            [self._merged(left, right) for left, right in zip(*pair, strict=True)]
            for pair in zip(rows[::2], rows[1::2], strict=True)
        ]
        self._rows = merged + [[self._blank] * len(self.names) for _ in range(half)]
        self._shift += 1
        self._limit_ns <<= 1
        self._last >>= 1  # -1 stays -1

    @staticmethod
    @abstractmethod
    def _merged(left: CellT, right: CellT) -> CellT:
        """What one cell holds for two neighbours, ``left`` being the earlier."""

    @staticmethod
    @abstractmethod
    def _filled(cells: list[CellT], length: int) -> npt.NDArray[np.float64]:
        """``cells`` as an array, carried on to ``length``."""


class SumSeries(_Bins[int]):
    """Counts over time: packets, bytes, loads, time waited. One writer."""

    __slots__ = ()

    def __init__(self, *names: str, bins: int = BINS, width_ns: int = FIRST_WIDTH_NS) -> None:
        super().__init__(names, 0, bins, width_ns)

    def add(self, time_ns: int, *amounts: int) -> None:
        """Add to every column, in the order of the names, at ``time_ns``."""
        row = self._row(time_ns)
        place = 0
        for amount in amounts:
            row[place] += amount
            place += 1  # noqa: SIM113 - enumerate costs a tuple each

    def add_span(self, from_ns: int, until_ns: int) -> None:
        """Add the span's length to the first column, each bin its part of it."""
        while from_ns < until_ns:
            row = self._row(until_ns - 1)
            begin_ns = max(from_ns, until_ns - 1 >> self._shift << self._shift)
            row[0] += until_ns - begin_ns
            until_ns = begin_ns

    def total(self, name: str) -> int:
        """The sum over all time, exact."""
        place = self.names.index(name)
        return sum(row[place] for row in self._rows)

    @staticmethod
    def _merged(left: int, right: int) -> int:
        return left + right

    @staticmethod
    def _filled(cells: list[int], length: int) -> npt.NDArray[np.float64]:
        values = np.zeros(length)
        values[: len(cells)] = cells
        return values


class LastSeries(_Bins[float | None]):
    """Levels over time: each bin holds what was set last in it. One writer."""

    __slots__ = ()

    def __init__(self, *names: str, bins: int = BINS, width_ns: int = FIRST_WIDTH_NS) -> None:
        super().__init__(names, None, bins, width_ns)

    def set(self, time_ns: int, *levels: float | None) -> None:
        """Set every column, in the order of the names, as of ``time_ns``."""
        self._row(time_ns)[:] = levels

    def forget(self, place: int) -> None:
        """Blank one column: from now on it tells of something else."""
        for row in self._rows:
            row[place] = None

    @staticmethod
    def _merged(left: float | None, right: float | None) -> float | None:
        return left if right is None else right

    @staticmethod
    def _filled(cells: list[float | None], length: int) -> npt.NDArray[np.float64]:
        """A level stands until another is set; NaN before the first."""
        values = np.full(length, np.nan)
        level = np.nan
        for place, cell in enumerate(cells):
            level = level if cell is None else cell
            values[place] = level
        values[len(cells) :] = level
        return values
