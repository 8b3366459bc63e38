"""Fuzzes what reads other people's bytes, guided by the code that inputs reach, for a set time.

    .venv/bin/python tools/fuzz.py [TARGET…] --seconds N [--seed N] [--keep DIR] [--save]

N seconds for each target, each in a process of its own with bounded memory. A TARGET may also be a
Python file with ``check`` and ``seeds`` (see ``fuzzing/target.py``). Exit status 1 if an input
failed; it is kept, and the output says where. See ``docs/fuzzing.md``.
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import sys
import tempfile
from pathlib import Path

from fuzzing.session import Run, distil, run
from fuzzing.table import TARGETS
from rich.console import Console
from rich.table import Table

WIDTH = 100
LOG_LINES = 25


def main() -> int:
    """Fuzz the targets asked for, one after the other, and print a table of them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=60, help="for each target (default 60)")
    parser.add_argument("--seed", type=int, default=1, help="of the mutations (default 1)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep what was found, and logs")
    parser.add_argument("--save", action="store_true", help="put what was found into the corpus")
    arguments = parser.parse_args()
    unknown = [each for each in arguments.targets if each not in TARGETS and ".py" not in each]
    if unknown:
        parser.error(f"no target {unknown[0]!r}; there are {', '.join(TARGETS)}")
    if arguments.seconds < 1 or arguments.seed < 1:
        parser.error("--seconds and --seed are at least 1")
    if importlib.util.find_spec("atheris") is None:
        parser.error("needs atheris, which has wheels for CPython 3.11 to 3.13 on 64-bit x86 Linux")
    if arguments.keep is not None and arguments.keep.exists() and any(arguments.keep.iterdir()):
        parser.error(f"{arguments.keep} is not empty")
    targets = [
        each if each in TARGETS else str(Path(each).resolve())
        for each in arguments.targets or TARGETS
    ]
    # Not removed if an input failed: whoever reads of it wants to have it.
    folder = (arguments.keep or Path(tempfile.mkdtemp(prefix="saactors-fuzz-"))).resolve()
    console = Console(width=WIDTH, highlight=False)
    runs = fuzz(targets, arguments.seconds, arguments.seed, folder, console)
    if arguments.save:
        for each in runs:
            if each.target in TARGETS and not each.has_failed:
                size = distil(each.target, folder / each.target)
                console.print(f"{each.target}: a corpus of {size} inputs")
    has_failed = any(each.has_failed for each in runs)
    if not has_failed and arguments.keep is None:
        shutil.rmtree(folder)
    return int(has_failed)


def fuzz(targets: list[str], seconds: int, seed: int, folder: Path, console: Console) -> list[Run]:
    """Run the targets, each with a folder of its own in ``folder``, and print what came of it."""
    runs = []
    for target in targets:
        with console.status(f"{target}: {seconds} s"):
            runs.append(run(target, seconds, seed, folder / Path(target).stem))
    table = Table("target", *("inputs", "edges", "features", "new", "crashes"), box=None)
    for column in table.columns[1:]:
        column.justify = "right"
    for each in runs:
        counts = (each.inputs, each.coverage, each.features, len(each.found), len(each.crashes))
        table.add_row(Path(each.target).stem, *(f"{count:,}" for count in counts))
    console.print(table)
    console.print(f"{sum(each.inputs for each in runs):,} inputs")
    for each in runs:
        if each.has_failed:
            _tell(each, console)
    return runs


def _tell(failed: Run, console: Console) -> None:
    """What went wrong, and where the input is."""
    console.rule(f"{Path(failed.target).stem} failed", align="left")
    lines = [line for line in failed.log.splitlines() if not line.startswith(("#", "INFO:"))]
    console.print("\n".join(lines[-LOG_LINES:]), markup=False)
    for path in failed.crashes:
        console.print(f"the input is {path}", markup=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
