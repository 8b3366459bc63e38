"""Runs every peer's script and makes one table of what they report.

    .venv/bin/python tests/interop/interop.py [--only PEER] [--write docs/interop.md] [--no-skips]

Status 0 if every row of every peer is right. A peer that cannot be run here is told loudly and is
no failure, except with ``--no-skips``. Nothing is written unless all peers were run and are right.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Final

from peer_script import SKIPPED
from rows import Row, markdown, read_rows, table

PEERS: Final = ("strongswan", "linux_kernel", "dpdk", "tshark", "scapy_peer")
PATIENCE_S: Final = 300
_CLEANING_S: Final = 30
_FOLDER: Final = Path(__file__).parent
_INTRODUCTION: Final = _FOLDER / "introduction.md"
_SUMMARY: Final = ("peer", "suites", "rows", "sent", "accepted", "bad", "refused")


def main() -> int:
    """Run the peers asked for; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--only", choices=PEERS, action="append", help="run this peer")
    parser.add_argument("--write", type=Path, help="the page to write, if all is right")
    parser.add_argument("--no-skips", action="store_true", help="a peer that is missing is wrong")
    wanted = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    statuses, rows = {}, []
    with tempfile.TemporaryDirectory(prefix="saactors-interop-") as folder:
        for peer in wanted.only or PEERS:
            print(f"{peer} …", file=sys.stderr, flush=True)
            file = Path(folder) / f"{peer}.json"
            statuses[peer] = _run(peer, file)
            rows += read_rows(file) if file.exists() else []
    print(f"{markdown(rows)}\n{table(_SUMMARY, _summary(rows))}", end="")
    for row in rows:
        if not row.is_right:
            print("WRONG:", *row.cells(), file=sys.stderr)
    skipped = [peer for peer, status in statuses.items() if status == SKIPPED]
    failed = [peer for peer, status in statuses.items() if status not in {0, SKIPPED}]
    failed += skipped if wanted.no_skips else []
    if failed:
        print(f"FAILED: {', '.join(failed)}", file=sys.stderr)
    elif wanted.write and not skipped and not wanted.only:
        wanted.write.write_text(page(rows), encoding="utf-8")
    return 1 if failed else 0


def page(rows: Sequence[Row]) -> str:
    """The document: what was done, a summary, and every row."""
    return f"{_INTRODUCTION.read_text()}\n{table(_SUMMARY, _summary(rows))}\n{markdown(rows)}"


def _run(peer: str, rows: Path) -> int:
    """Run a peer's script, whose table is not shown; its status, or 1 if it takes too long."""
    words = [sys.executable, str(_FOLDER / f"{peer}.py"), "--rows", str(rows)]
    with subprocess.Popen(
        words, stdout=subprocess.DEVNULL, start_new_session=True
    ) as process:  # Ctrl-C is for us, who pass it on once
        try:
            return process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            print(f"{peer}: not done after {PATIENCE_S} s", file=sys.stderr)
            return 1
        finally:
            # It ends what it has started; nothing to do if it has ended itself.
            process.terminate()
            try:
                process.wait(_CLEANING_S)
            except subprocess.TimeoutExpired:
                process.kill()


def _summary(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    lines = []
    for peer, group in groupby(rows, key=lambda row: row.peer):
        its = list(group)
        counts = (
            len({row.suite for row in its}), len(its), sum(row.sent for row in its),
            sum(row.accepted for row in its), sum(row.bad for row in its),
            sum(row.refused for row in its),
        )  # fmt: skip
        lines.append((peer, *map(str, counts)))
    return lines


if __name__ == "__main__":
    sys.exit(main())
