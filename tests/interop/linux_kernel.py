"""Interoperation with the Linux kernel's ESP, live: User-Mode Linux, an ordinary program.

    .venv/bin/python tests/interop/linux_kernel.py --rows OUT.json

Every suite, form and numbering goes both ways; see ``kernel_live`` for what is sent and counted.
Prints a table and ends with status 0 if all of it is right, 1 if not, and 77 where the kernel
cannot be run. Nothing here needs root.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from kernel_cases import Case, cases
from kernel_commands import case_commands, network_commands
from kernel_guest import KERNEL, MODULES, Guest, batch, kernel_guest
from kernel_live import Range
from rows import Row, added, markdown, write_rows

SKIPPED: Final = 77
_PACKAGES: Final = "user-mode-linux iproute2"


def main() -> int:
    """Run all cases; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rows", type=Path, help="file for the rows, as JSON")
    wanted = parser.parse_args()
    if reason := why_not():
        print(f"SKIPPED, THE LINUX KERNEL IS NOT TESTED: {reason}", file=sys.stderr)
        return SKIPPED
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the guest is ended then too
    start_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="saactors-kernel-") as folder:
        rows = run(Path(folder))
    print(markdown(rows), end="")
    wrong = sum(not row.is_right for row in rows)
    print(f"\n{len(rows)} rows, {wrong} of them wrong, in {time.monotonic() - start_s:.1f} s")
    if wanted.rows:
        write_rows(wanted.rows, rows)
    return 1 if wrong else 0


def why_not() -> str:
    """What is missing for this to run; "" if nothing is."""
    if not KERNEL.exists() or not MODULES.is_dir():
        return f"{KERNEL} not found; apt-get install {_PACKAGES}"
    if shutil.which("ip") is None:
        return f"ip not found; apt-get install {_PACKAGES}"
    return ""


def run(folder: Path) -> list[Row]:
    """All cases, one after the other, with one kernel."""
    every = cases()
    with kernel_guest(folder) as guest:
        for reason in batch(guest, folder, list(network_commands())).values():
            raise RuntimeError(f"the guest's network could not be set up: {reason}")
        lacking = _set_up(guest, folder, every)
        place = Range(guest)
        rows = [row for case in every if case.number not in lacking for row in place.rows(case)]
    return added(rows)


def _set_up(guest: Guest, folder: Path, every: Sequence[Case]) -> set[int]:
    """Give the kernel its SAs; the numbers of cases whose suite it does not have."""
    commands = [(case, command) for case in every for command in case_commands(case)]
    refused = batch(guest, folder, [command for _, command in commands])
    print({(commands[p][0].suite.name, r) for p, r in refused.items()})
    return {commands[place][0].number for place in refused}


if __name__ == "__main__":
    sys.exit(main())
