"""Runs the suite and writes what came of it: ``docs/study.md``, its figures and its numbers.

    .venv/bin/python tools/study.py

Finished groups are kept in a folder, so an interrupted study goes on where it was; after a change
of a rule, ``--again RULE`` forgets what is kept of it. See ``study/plan.py`` for the suite.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from study import plan, results, work
from study.document import write_document
from study.plan import ROOT, Workload

from saactors.placement.table import RULES

POINTS: Final = {"base": lambda: (plan.BASE,), "cross": plan.cross, "grid": plan.grid}
NUMBERS: Final = "study.csv"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is missing, then write the document from the results' file."""
    asked = _parser().parse_args(arguments)
    workloads = _present([plan.WORKLOADS[name] for name in asked.workloads or plan.WORKLOADS])
    points = POINTS[asked.points]()
    groups = list(plan.groups(workloads, points, asked.packets, asked.seeds))
    kept = work.Kept(asked.folder)
    kept.forget(groups, asked.again)
    choices = plan.choices(asked.rules)
    work.complete(groups, choices, kept, asked.workers, _tell)
    asked.docs.mkdir(parents=True, exist_ok=True)
    numbers = asked.docs / NUMBERS
    results.write([kept.result(group, choices) for group in groups], numbers)
    write_document(results.read(numbers), asked.docs)
    _tell(f"written: {asked.docs / 'study.md'}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add(
        "workloads",
        nargs="*",
        metavar="WORKLOAD",
        choices=[*plan.WORKLOADS, []],
        help="all of them if none",
    )
    add("--points", choices=POINTS, default="cross", help="grid combines all axes: for a weekend")
    add("--packets", type=int, default=plan.PACKETS, help="of a synthetic trace")
    add("--seeds", type=int, default=plan.BASE_SEEDS, help="at the base point")
    add(
        "--rules",
        nargs="+",
        choices=RULES,
        default=[*RULES],
        metavar="RULE",
        help="not all of them",
    )
    add("--again", nargs="+", choices=RULES, default=[], metavar="RULE", help="run these afresh")
    add("--workers", type=int, default=2, help="processes; 0: this one")
    add("--folder", type=Path, default=ROOT / ".study", help="for what is finished")
    add("--docs", type=Path, default=ROOT / "docs", help="for document, numbers and figures")
    return parser


def _present(workloads: Sequence[Workload]) -> list[Workload]:
    """Those whose capture is there; the others are told of."""
    present = []
    for workload in workloads:
        if workload.path and not (ROOT / workload.path).is_file():
            _tell(f"MISSING, left out: {workload.name} ({workload.path})")
        else:
            present.append(workload)
    return present


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    # Whoever is asked to end ends its processes first, as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    main()
