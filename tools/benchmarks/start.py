"""How long a command takes to answer, beside an interpreter that does nothing."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.figures import Aim, Column, Section
from benchmarks.rounds import Effort

STARTS_PER_ROUND: Final = 3
AIM_S: Final = 0.3
COMMANDS: Final = {
    "python -c pass": ("-c", "pass"),
    "saactors --help": ("-m", "saactors", "--help"),
    "saactors replay --help": ("-m", "saactors", "replay", "--help"),
}

COLUMNS: Final = (
    Column("command", "command"),
    Column("wall_s", "wall s", ".3f"),
    Column("cpu_s", "CPU s", ".3f"),
    Column("times", "times python", ".1f"),
)


def measure(effort: Effort, _folder: Path) -> Section:
    """Start every command in turn, several times."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in COMMANDS}
    for arguments in COMMANDS.values():
        start(arguments)
    for _ in range(effort.rounds * STARTS_PER_ROUND):
        for name, arguments in COMMANDS.items():
            taken[name].append(start(arguments))
    walls = {name: median(wall for wall, _ in times) for name, times in taken.items()}
    cpus = {name: median(cpu for _, cpu in times) for name, times in taken.items()}
    python = cpus["python -c pass"]
    return Section(
        "Start",
        "Wall and CPU time of a process, its file pages warm.",
        COLUMNS,
        tuple((name, walls[name], cpus[name], cpus[name] / python) for name in COMMANDS),
        (Aim("saactors --help", walls["saactors --help"], AIM_S, "s", at_most=True),),
    )


def start(arguments: tuple[str, ...]) -> tuple[float, float]:
    """Wall and CPU seconds of an interpreter with these arguments."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    wall_s = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall_s, cpu_s
