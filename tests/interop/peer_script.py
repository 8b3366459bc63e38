"""What every peer's script does: arguments, whether it can run at all, its table, its status."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from rows import Row, markdown, write_rows

SKIPPED: Final = 77


def main(
    description: str, peer: str, why_not: Callable[[], str], run: Callable[[Path], Sequence[Row]]
) -> int:
    """Run a peer's scenarios and print their table; returns the exit status.

    ``why_not`` says what is missing, or nothing; ``run`` gets an empty folder for its time. Status
    0 if all rows are right, 1 if not, and SKIPPED where the peer cannot be run.
    """
    parser = argparse.ArgumentParser(description=description.split("\n", 1)[0])
    parser.add_argument("--rows", type=Path, help="file for the rows, as JSON")
    wanted = parser.parse_args()
    if reason := why_not():
        print(f"SKIPPED, {peer} IS NOT TESTED: {reason}", file=sys.stderr)
        return SKIPPED
    # So that what was started is ended by SIGTERM, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    start_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="saactors-interop-") as folder:
        rows = run(Path(folder))
    print(markdown(rows), end="")
    wrong = sum(not row.is_right for row in rows)
    print(f"\n{len(rows)} rows, {wrong} of them wrong, in {time.monotonic() - start_s:.1f} s")
    if wanted.rows:
        write_rows(wanted.rows, rows)
    return 1 if wrong or not rows else 0
