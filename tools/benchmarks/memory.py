"""Resident memory per idle SA: the difference between two runs that differ in nothing but SAs.

Each run is a process of its own (``idle_sas``) and reads captures with equally many packets. What
is compared is anonymous resident memory (``RssAnon``), because the mapped capture is not ours, at
the moment when every SA has sent its packet and everything the run knows is still held.

Without cryptography an SA costs what the agent knows of it. With it, an SA that has just sent may
hold a keyed primitive as well, as a bounded number of SAs may: so there the base is a run in which
that bound is reached, and what further SAs cost is what an SA costs that has none (any more).
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.figures import Aim, Cell, Column, Section
from benchmarks.rounds import Effort
from benchmarks.traffic import uniform_flows, write_capture

TOOLS: Final = Path(__file__).parent.parent
AIM_BYTES: Final = 400
FEW: Final = 10
MANY: Final = 100_000
MOST: Final = 1_000_000
FULL_CACHE: Final = 300_000  # more SAs than keyed primitives are kept

COLUMNS: Final = (
    Column("crypto", "crypto"),
    Column("sas", "SAs", ",d"),
    Column("base_sas", "base SAs", ",d"),
    Column("resident_bytes", "resident bytes", ",d"),
    Column("base_resident_bytes", "base", ",d"),
    Column("bytes_per_sa", "bytes per SA", ",.0f"),
)


def measure(effort: Effort, folder: Path) -> Section:
    """Compare runs with few and many SAs."""
    most = MOST if effort.share == 1 else 2 * FULL_CACHE
    comparisons = (("none", FEW, MANY), ("none", FEW, most), ("real", FULL_CACHE, most))
    rows = [compare(folder, *comparison) for comparison in comparisons]
    return Section(
        "Memory per idle SA",
        "One packet per SA in the larger run, as many packets in the base run. Difference of "
        "anonymous resident memory (RssAnon), a process each, measured once.",
        COLUMNS,
        tuple(rows),
        tuple(
            Aim(
                f"idle SA of {row[1]:,}, crypto {row[0]}",
                float(row[-1]),
                AIM_BYTES,
                "bytes",
                at_most=True,
                spec=",.0f",
            )
            for row in rows
        ),
    )


def compare(folder: Path, crypto: str, few: int, many: int) -> tuple[Cell, ...]:
    """A row: both runs and what an SA makes of the difference."""
    base, larger = (resident_bytes(folder, crypto, sas, many) for sas in (few, many))
    return crypto, many, few, larger, base, (larger - base) / (many - few)


def resident_bytes(folder: Path, crypto: str, sas: int, packets: int) -> int:
    """Anonymous resident memory of a run with that many SAs."""
    path = write_capture(
        folder / "idle.pcap", np.full(packets, 64), uniform_flows(packets, sas), spacing_ns=1000
    )
    command = [sys.executable, "-m", "benchmarks.idle_sas", str(path), crypto]
    told = subprocess.run(command, cwd=TOOLS, capture_output=True, check=True, text=True)
    seen = json.loads(told.stdout)
    assert seen["sas"] == sas, f"the run had {seen['sas']} SAs, expected {sas}"
    return int(seen["resident_bytes"])
