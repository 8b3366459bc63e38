"""Measures what saactors costs, each figure as a ratio to something measured in the same run.

    .venv/bin/python tools/bench.py [SECTION…] [--json FILE] [--quick]

Everything is run once before it is measured, so nothing here contains compilation. See
``docs/benchmarks.md`` for what each figure means; ``benchmarks/rounds.py`` for how it is timed.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Final

from benchmarks import capture, esp, events, gateway, lab, memory, pipeline, rule, sparse, start
from benchmarks.figures import Section
from benchmarks.rounds import FULL, QUICK, Effort
from rich.console import Console

SECTIONS: Final[Mapping[str, Callable[[Effort, Path], Section]]] = MappingProxyType(
    {
        "capture": capture.measure,
        "pipeline": pipeline.measure,
        "sparse": sparse.measure,
        "memory": memory.measure,
        "esp": esp.measure,
        "rule": rule.measure,
        "lab": lab.measure,
        "events": events.measure,
        "gateway": gateway.measure,
        "start": start.measure,
    }
)
PACKAGES: Final = (
    "saactors",
    "cryptography",
    "numba",
    "numpy",
    "trio",
    "dpkt",
    "scapy",
    "cypcap",
    "libcachesim",
)
WIDTH: Final = 100


def main() -> None:
    """Measure the sections asked for, print them, and write them as JSON if asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here, too")
    parser.add_argument("--quick", action="store_true", help="less traffic and fewer rounds")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.sections) - set(SECTIONS))
    if unknown:
        parser.error(f"no section {unknown[0]!r}; there are {', '.join(SECTIONS)}")
    with ExitStack() as files:
        try:  # now, not after minutes of measuring
            output = files.enter_context(arguments.json.open("w")) if arguments.json else None
        except OSError as problem:
            parser.error(f"{arguments.json} cannot be written: {problem.strerror}")
        figures = measure(arguments.sections or SECTIONS, QUICK if arguments.quick else FULL)
        if output:
            json.dump(figures, output, indent=2)
            output.write("\n")


def measure(names: Iterable[str], effort: Effort) -> dict[str, object]:
    """Measure these sections, printing each; returns all figures as one JSON object."""
    console = Console(width=WIDTH, highlight=False)
    about = describe_run(effort)
    for name, value in about.items():
        console.print(f"{name}: {value}", markup=False)
    console.print()
    sections: dict[str, object] = {}
    for name in names:
        status = console.status(f"{name}: warming up, then {effort.rounds} rounds")
        with tempfile.TemporaryDirectory(prefix="saactors-bench-") as folder, status:
            section = SECTIONS[name](effort, Path(folder))
        section.show(console)
        sections[name] = section.to_json_object()
    return {"run": about, "sections": sections}


def describe_run(effort: Effort) -> dict[str, str]:
    """When, where and how."""
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{processor()}, {platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "packages": packages,
        "measured": f"after one unmeasured round (compilation), medians of {effort.rounds} rounds, "
        "CPU time unless a column says wall",
    }


def processor() -> str:
    """The processor's name and how many of it there are, as Linux tells them."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} x {names[0]}" if names else platform.machine()


if __name__ == "__main__":
    main()
