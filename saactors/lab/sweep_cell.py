"""One piece of a sweep's work, as a worker does it: a cell, or the optimum of a group of cells.

What goes to a worker and what comes back are plain values. Errors of ours come back as a sentence,
because an exception of another process says nothing that its user could act upon.

A worker keeps the trace that it loaded last, for the pieces of one trace come one after the other.
Runs write into the trace's packets, so a process does one piece at a time, whatever its threads.
"""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from nicmodel.profile import CardProfile, HostProfile
from saactors.errors import SaactorsError
from saactors.lab.equipment import card_of, cards_for
from saactors.lab.load import load_trace
from saactors.lab.outcome import best_possible, evaluate
from saactors.lab.study_tables import host_of
from saactors.lab.sweep_plan import Cell, Setting, Source
from saactors.lab.trace import LabTrace, lab_trace
from saactors.placement.user_file import beside

Plain = dict[str, Any]  # JSON values


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a piece: its values, or the sentence that says why there are none."""

    values: Plain | None
    problem: str = ""
    warnings: tuple[str, ...] = ()  # of the trace


_LOADED: Final[dict[Source, tuple[LabTrace, tuple[str, ...]]]] = {}
_ONE_AT_A_TIME: Final = threading.Lock()


def run_cell(cell: Cell) -> Done:
    """The fields of the cell's ``Outcome``, without an optimum."""
    with _ONE_AT_A_TIME:
        try:
            made = _prepared(cell.setting)
            rule = beside(cell.rule, Path(cell.folder))  # wherever the worker was started
            outcome = evaluate(made.trace, rule, cell.parameters, made.card, made.host)
        except SaactorsError as problem:
            return Done(None, str(problem))
    values = asdict(outcome)
    values.update(rule=cell.rule, seed=cell.setting.source.seed, slots_wanted=made.slots_wanted)
    return Done(values, warnings=made.warnings)


def run_optimum(setting: Setting, kind: str) -> Done:
    """The fields of the ``Best`` of that setting."""
    with _ONE_AT_A_TIME:
        try:
            made = _prepared(setting)
            best = best_possible(made.trace, made.card, made.host, kind)
        except SaactorsError as problem:
            return Done(None, str(problem))
    return Done(asdict(best), warnings=made.warnings)


class _Prepared(NamedTuple):
    """A setting in things rather than names."""

    trace: LabTrace
    card: CardProfile  # with its slots
    host: HostProfile
    slots_wanted: str | None  # as they were asked for
    warnings: tuple[str, ...]


def _prepared(setting: Setting) -> _Prepared:
    trace, warnings = _loaded(setting.source)
    card = card_of(setting.profile, setting.card)
    wanted = [] if setting.slots is None else [setting.slots]
    ((asked, card),) = cards_for(wanted, card, trace.columns.sa_count)
    return _Prepared(trace, card, host_of(setting.host), asked, warnings)


def _loaded(source: Source) -> tuple[LabTrace, tuple[str, ...]]:
    """The trace, and what is wrong with it."""
    if source not in _LOADED:
        _LOADED.clear()  # one at a time, for a trace may be large
        told: list[str] = []
        columns = load_trace(
            source.path, sa_per=source.sa_per, seed=source.seed or 0, warn=told.append
        )
        trace = lab_trace(columns, source.burst, source.burst_wait_ns)
        _LOADED[source] = trace, tuple(told)
    return _LOADED[source]
