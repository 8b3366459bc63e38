"""Runs the groups of a study by processes and keeps each as soon as it is finished.

A group's file holds its optimum and, by choice, cost and loads. Whoever runs a study again runs
only what is missing: groups, or choices that a group has not seen yet. Names of files are hashes of
all that a result depends on but the code: after a change of a rule, ``forget`` it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import numpy as np

from nicmodel.presets import HOST
from nicmodel.profile import CardProfile
from saactors.lab.equipment import card_of, cards_for
from saactors.lab.load import load_trace
from saactors.lab.optimum import Kind, optimum
from saactors.lab.outcome import savings_ns
from saactors.lab.run import cost_model, run_rule
from saactors.lab.sweep_plan import Setting, Source
from saactors.lab.sweep_store import CELLS, Store
from saactors.lab.trace import LabTrace, lab_trace
from saactors.placement.routing import NIC
from study.plan import Choice, Group
from study.results import OURS, Result

GAP_WANTED: Final = 0.002  # of the achievable saving: the tables show tenths of a per cent

Plain = dict[str, Any]  # JSON values
Tell = Callable[[str], None]


class Kept:
    """The folder of a study's finished groups; git leaves it alone."""

    def __init__(self, folder: Path) -> None:
        self._store = Store(folder)
        (folder / ".gitignore").write_text("*\n")

    def read(self, group: Group) -> Plain:
        """What is finished of a group: empty if nothing is."""
        kept = self._store.read(CELLS, group.setting.optimum_name(Kind.PREFETCH))
        return kept or {"optimum": None, "runs": {}}

    def write(self, group: Group, finished: Plain) -> None:
        """Keep it."""
        self._store.write(CELLS, group.setting.optimum_name(Kind.PREFETCH), finished)

    def forget(self, groups: Iterable[Group], rules: Sequence[str]) -> None:
        """Drop what these rules came to."""
        for group in groups:
            kept = self.read(group)
            runs = {label: run for label, run in kept["runs"].items() if run["rule"] not in rules}
            if len(runs) < len(kept["runs"]):
                self.write(group, {**kept, "runs": runs})

    def result(self, group: Group, choices: Iterable[Choice]) -> Result:
        """A finished group as a row of results, with these choices."""
        kept = self.read(group)
        runs = {choice.label: kept["runs"][choice.label] for choice in choices}
        best, trace = kept["optimum"], kept["trace"]
        never_ns, half_ns = trace["never_ns"], runs[OURS]["half_ns"]
        return Result(
            workload=group.workload.name,
            seed=group.seed,
            point=group.point,
            packets=trace["packets"],
            sas=trace["sas"],
            slots=trace["slots"],
            duration_ns=trace["duration_ns"],
            optimum=100 * best["lower_ns"] / never_ns,
            gap=100 * best["gap"],
            optimum_loads=best["loads"],
            half=None if half_ns is None else 100 * half_ns / trace["duration_ns"],
            costs={label: 100 * run["cost_ns"] / never_ns for label, run in runs.items()},
            loads={label: run["loads"] for label, run in runs.items()},
        )


def complete(
    groups: Sequence[Group], choices: Sequence[Choice], kept: Kept, workers: int, tell: Tell
) -> None:
    """Run what is missing; 0 workers stand for this process."""
    missing = []
    for group in groups:
        found = kept.read(group)
        left = [choice for choice in choices if choice.label not in found["runs"]]
        if left or found["optimum"] is None:
            missing.append((group, found, left))
    tell(f"{len(groups)} groups, {len(groups) - len(missing)} of them finished")
    began = time.monotonic()
    for number, (group, finished) in enumerate(_run(missing, workers), 1):
        kept.write(group, finished)
        elapsed_s = time.monotonic() - began
        tell(f"{number}/{len(missing)}  {elapsed_s:6.0f} s  {group}")


def _run(
    missing: Sequence[tuple[Group, Plain, list[Choice]]], workers: int
) -> Iterator[tuple[Group, Plain]]:
    if not workers:
        for group, found, left in missing:
            yield group, run_group(group.setting, group.point.load_cost, found, left)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures = {
            pool.submit(run_group, group.setting, group.point.load_cost, found, left): group
            for group, found, left in missing
        }
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def run_group(setting: Setting, load_cost: int, found: Plain, left: Sequence[Choice]) -> Plain:
    """What was found, and what was left to do, done."""
    trace = _loaded(setting.source)
    assert setting.slots is not None
    card = card_of(setting.profile, setting.card)
    ((_, card),) = cards_for([setting.slots], card, trace.columns.sa_count)
    cost = cost_model(card, HOST)
    with_sa = trace.packets["sa"] >= 0
    length_bytes = trace.packets["length_bytes"][with_sa]
    never_ns = cost.software_ns(len(length_bytes), int(length_bytes.sum(dtype=np.int64)))
    each_ns = savings_ns(trace, cost)
    finished: Plain = {**found, "runs": dict(found["runs"])}
    for choice in left:
        run = run_rule(trace, choice.rule, choice.parameters(load_cost), card, HOST)
        saved_ns = float(each_ns[trace.packets["route"] == NIC].sum())
        finished["runs"][choice.label] = {
            "rule": choice.rule,
            "cost_ns": never_ns - saved_ns + len(run.loads) * card.load_host_ns,
            "loads": len(run.loads),
            "half_ns": int(np.median(run.loads["time_ns"])) if len(run.loads) else None,
        }
    if finished["optimum"] is None:
        finished["trace"] = {
            "packets": len(trace.packets),
            "sas": trace.columns.sa_count,
            "slots": card.slots_max,
            "duration_ns": trace.columns.duration_ns,
            "never_ns": never_ns,
        }
        finished["optimum"] = _best(trace, card, never_ns)
    return finished


def _best(trace: LabTrace, card: CardProfile, never_ns: float) -> Plain:
    """The optimum's lower bound, its gap, and how many loads its schedule makes."""
    best = optimum(
        trace.placed_ns,
        trace.columns.sa,
        savings_ns(trace, cost_model(card, HOST)),
        card.slots_max,
        card.load_host_ns,
        card.load_latency_ns,
        Kind.PREFETCH,
        gap_wanted=GAP_WANTED,
    )
    return {"lower_ns": best.cost(never_ns).lower_ns, "gap": best.gap, "loads": best.loads}


_LAST: Final[dict[Source, LabTrace]] = {}


def _loaded(source: Source) -> LabTrace:
    """The trace; the last one is kept, for groups of one trace follow each other."""
    if source not in _LAST:
        _LAST.clear()
        columns = load_trace(source.path, sa_per=source.sa_per, seed=source.seed or 0)
        _LAST[source] = lab_trace(columns, source.burst, source.burst_wait_ns)
    return _LAST[source]
