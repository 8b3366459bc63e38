"""A whole study: every cell that is not finished yet is run, and all of them become one frame.

    frame = sweep("study.toml")            # a Polars frame, also in study.sweep/results.parquet

Whoever runs it again runs only what is missing: every finished cell and optimum is a file of its
own (``sweep_store``) from the moment at which it came back. So a killed worker costs the cell that
it was at, and a killed scheduler or a killed sweep what was under way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import polars as pl

from saactors.errors import ParameterError, RunError
from saactors.lab.frames import frame_of
from saactors.lab.outcome import Best, Outcome
from saactors.lab.result_files import write_parquet
from saactors.lab.study_file import load_study
from saactors.lab.sweep_cell import run_cell, run_optimum
from saactors.lab.sweep_plan import Cell, Setting, cells_of
from saactors.lab.sweep_store import CELLS, OPTIMA, Store
from saactors.lab.sweep_workers import Piece, crew

RESULTS: Final = "results.parquet"
NO_OPTIMUM: Final = "none"

KeptT = TypeVar("KeptT", Outcome, Best)

Advance = Callable[[str], None]
"""Told of each piece that is finished."""


class Failure(NamedTuple):
    """A cell or an optimum that could not be had."""

    label: str
    problem: str


def sweep(
    study: str | Path,
    output: str | Path | None = None,
    *,
    workers: int | None = None,
    dask: str | None = None,
) -> pl.DataFrame:
    """Run what is missing of a study file, and return all its results, a row per cell.

    ``output`` is the folder for them, beside the study file if left out. ``workers`` processes do
    the work (None: one per core; 0: this process does), or the cluster whose scheduler is at
    ``dask``. A script that has processes made needs the guard ``if __name__ == "__main__"``.

    Raises:
        ScenarioError: the file does not describe a study.
        ParameterError: less than 0 workers.
        OutputError: the folder cannot be written to.
        RunError: no scheduler at that address, or it has gone away, or some cells could not be
            had; the others are in the results' file.
    """
    run = StudyRun(study, output)
    run.complete(workers, dask)
    frame = run.write()
    if run.failures:
        raise RunError(run.failure_line())
    return frame


class StudyRun:
    """A study with what is finished of it, and what is not.

    Raises:
        ScenarioError: the file does not describe a study.
        OutputError: the folder cannot be written to.
    """

    def __init__(self, path: str | Path, output: str | Path | None = None) -> None:
        self.study = load_study(path)
        self.folder = Path(output) if output is not None else Path(path).with_suffix(".sweep")
        self.cells = cells_of(self.study, Path(path).parent)
        self.failures: list[Failure] = []
        self.warnings: dict[str, None] = {}  # of traces that could be read in part; each once
        self._store = Store(self.folder)
        self._kind = self.study.optimum
        self._settings: dict[str, Setting] = {}
        if self._kind != NO_OPTIMUM:
            self._settings = {self._optimum_of(cell): cell.setting for cell in self.cells}
        self._outcomes: dict[str, Outcome] = {}
        self._optima: dict[str, Best] = {}
        for cell in self.cells:
            _take(self._outcomes, Outcome, cell.name, self._store.read(CELLS, cell.name))
        for name in self._settings:
            _take(self._optima, Best, name, self._store.read(OPTIMA, name))

    @property
    def finished(self) -> int:
        """Cells that are kept."""
        return len(self._outcomes)

    @property
    def missing(self) -> int:
        """Pieces of work that are left: cells and optima."""
        return len(self.cells) + len(self._settings) - len(self._outcomes) - len(self._optima)

    def complete(
        self,
        workers: int | None = None,
        dask: str | None = None,
        advance: Advance = lambda _what: None,
    ) -> None:
        """Have the rest done, and keep each piece as it comes back; see ``sweep``."""
        if workers is not None and workers < 0:
            raise ParameterError("workers", workers, "0 or more")
        pieces = list(self._pieces())
        if not pieces:
            return
        labels = {cell.name: cell.label for cell in self.cells}
        for name, setting in self._settings.items():
            labels[name] = Cell(setting=setting, rule="optimum").label
        with crew(workers, dask) as run:
            for name, done in run(pieces):
                if done.values is None:
                    self.failures.append(Failure(labels[name], done.problem))
                else:
                    self._keep(name, done.values)
                self.warnings.update(dict.fromkeys(done.warnings))
                advance(labels[name])

    def write(self) -> pl.DataFrame:
        """Write ``results.parquet`` and return what is in it; raises ``OutputError``."""
        frame = self.frame()
        write_parquet(frame, self.folder / RESULTS)
        return frame

    def frame(self) -> pl.DataFrame:
        """A row per finished cell: its outcome, its parameters and the figures that vary."""
        rows = [cell for cell in self.cells if cell.name in self._outcomes]
        outcomes = [
            replace(
                self._outcomes[cell.name],
                trace=cell.setting.source.name,
                profile=cell.setting.profile,
                optimum=self._optima.get(self._optimum_of(cell)),
            )
            for cell in rows
        ]
        figures = [{**cell.setting.card, **cell.setting.host} for cell in rows]
        parameters = [dict(outcome.parameters) for outcome in outcomes]
        return (
            frame_of(outcomes)
            .drop("parameters")
            .with_columns(*_columns(figures), *_columns(parameters))
        )

    def failure_line(self) -> str:
        """What could not be had, in one line."""
        first = self.failures[0]
        several = len(self.failures) > 1
        some = f"{len(self.failures)} pieces of the study failed, first " if several else ""
        return f"{some}{first.label}: {first.problem}"

    def _pieces(self) -> Iterator[Piece]:
        """What is missing; an optimum, which takes long, before the cells that share it."""
        asked = set(self._optima)
        for cell in self.cells:
            optimum = self._optimum_of(cell)
            if optimum in self._settings and optimum not in asked:
                asked.add(optimum)
                yield Piece(optimum, run_optimum, (cell.setting, self._kind))
            if cell.name not in self._outcomes:
                yield Piece(cell.name, run_cell, (cell,))

    def _optimum_of(self, cell: Cell) -> str:
        return cell.setting.optimum_name(self._kind)

    def _keep(self, name: str, values: dict[str, Any]) -> None:
        """Write down what came back, before anything else."""
        if name in self._settings:
            self._store.write(OPTIMA, name, values)
            _take(self._optima, Best, name, values)
        else:
            self._store.write(CELLS, name, values)
            _take(self._outcomes, Outcome, name, values)


def _take(
    into: dict[str, KeptT], shape: type[KeptT], name: str, values: Mapping[str, Any] | None
) -> None:
    """Put it where it belongs, unless it is of another time's shape."""
    if values is not None and values.keys() == {field.name for field in fields(shape)}:
        into[name] = shape(**values)


def _columns(rows: Sequence[Mapping[str, object]]) -> Iterator[pl.Series]:
    """A column for each name in any row."""
    for name in dict.fromkeys(name for row in rows for name in row):
        yield _column(name, [row.get(name) for row in rows])


def _column(name: str, values: Sequence[object]) -> pl.Series:
    """A column of numbers if all are some (or infinite, which JSON has as text), else of text."""
    found = [float("inf") if value == "inf" else value for value in values]
    kinds = {type(value) for value in found if value is not None}
    if kinds <= {int}:
        return pl.Series(name, found, pl.Int64)
    if kinds <= {int, float}:
        return pl.Series(name, found, pl.Float64, strict=False)
    return pl.Series(name, [None if value is None else str(value) for value in found], pl.String)
