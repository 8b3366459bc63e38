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

from kernel_cases import cases
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
    """All cases, one after the other, with one kernel; rows are sums over versions of IP."""
    every = cases()
    with kernel_guest(folder) as guest:
        _obeyed(guest, folder, list(network_commands()))
        _obeyed(guest, folder, [each for case in every for each in case_commands(case)])
        place = Range(guest)
        return added(row for case in every for row in place.rows(case))


def _obeyed(guest: Guest, folder: Path, commands: Sequence[str]) -> None:
    """Have ``ip`` obey every command: this kernel has all that we do."""
    for place, reason in batch(guest, folder, commands).items():
        words = " ".join(commands[place].split()[:8])  # no key among them
        raise RuntimeError(f"the guest refused {words} …: {reason}")


if __name__ == "__main__":
    sys.exit(main())
