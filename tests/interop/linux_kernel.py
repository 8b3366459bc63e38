"""Interoperation with the Linux kernel's ESP, live: User-Mode Linux, an ordinary program.

    .venv/bin/python tests/interop/linux_kernel.py --rows OUT.json

Every suite, form and numbering goes both ways; see ``kernel_live`` for what is sent and counted.
Prints a table and ends with status 0 if all of it is right, 1 if not, and 77 where the kernel
cannot be run. Nothing here needs root.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from kernel_cases import cases
from kernel_commands import case_commands, network_commands
from kernel_guest import KERNEL, MODULES, Guest, batch, kernel_guest
from kernel_live import Range
from peer_script import main
from rows import Row, added

_PACKAGES: Final = "user-mode-linux iproute2"


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
    sys.exit(main(__doc__, "THE LINUX KERNEL", why_not, run))
