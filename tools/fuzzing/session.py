"""One target's run: a process that libFuzzer takes over, its limits, and what it told.

The corpus, ``tests/corpus/TARGET``, is read and never written by a run; what a run finds new stands
in a folder of its own, and ``distil`` makes a corpus of both.
"""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fuzzing.target import INPUT_BYTES_MAX, name_of

TOOLS: Final = Path(__file__).parents[1]
CORPUS: Final = TOOLS.parent / "tests" / "corpus"
CORPUS_BYTES_MAX: Final = 28 << 10
"""Of a target's corpus in the tree: it is for going where others have been, not for keeping all."""

MEMORY_MIB_MAX: Final = 2048
INPUT_SECONDS_MAX: Final = 10  # for one input; the usual one takes a thousandth of a second
START_SECONDS_MAX: Final = 120  # for imports, and for the inputs there are

_COVERAGE: Final = re.compile(r"^#\d+\s.*?cov: (\d+) ft: (\d+)", re.MULTILINE)
_INPUTS: Final = re.compile(r"^stat::number_of_executed_units: (\d+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Run:
    """What became of a run. ``crashes`` are the inputs that failed: at most one, for it ends."""

    target: str
    inputs: int
    coverage: int  # edges of the package's code, as libFuzzer counts them
    features: int  # edges told apart by how often
    found: tuple[Path, ...]  # new inputs, that went where none had been
    crashes: tuple[Path, ...]
    log: str
    has_failed: bool


def run(target: str, seconds: int, seed: int, folder: Path) -> Run:
    """Fuzz a target for so long; whatever it writes goes to ``folder``, which is empty."""
    found, seeds, crashes = (folder / name for name in ("found", "seeds", "crashes"))
    words = folder / "words"
    for each in (found, seeds, crashes):
        each.mkdir(parents=True)
    problem = _python(["-m", "fuzzing.seeds", target, str(seeds), str(words)])
    if problem:
        return Run(target, 0, 0, 0, (), (), problem, has_failed=True)
    flags = [
        f"-max_total_time={seconds}",
        f"-seed={seed}",
        *([f"-dict={words}"] if words.stat().st_size else []),
        f"-artifact_prefix={crashes}/",
        "-print_final_stats=1",
    ]
    folders = [found, seeds, *([CORPUS / target] if (CORPUS / target).is_dir() else [])]
    status, log = _worker(target, flags, folders, folder, seconds + START_SECONDS_MAX)
    (folder / "log").write_text(log)
    inputs = _INPUTS.search(log)
    coverage = _COVERAGE.findall(log)
    edges, features = coverage[-1] if coverage else (0, 0)
    return Run(
        target,
        int(inputs[1]) if inputs else 0,
        int(edges),
        int(features),
        _files(found),
        _files(crashes),
        log,
        has_failed=status != 0,
    )


def distil(target: str, folder: Path) -> int:
    """Make a corpus of the old one, the seeds and what a run has found; returns its size in files.

    libFuzzer picks inputs that together go where all of them go, the smallest first; of those the
    smallest that fit into ``CORPUS_BYTES_MAX`` stay.
    """
    picked = folder / "picked"
    picked.mkdir()
    corpus = CORPUS / target
    corpus.mkdir(parents=True, exist_ok=True)
    folders = [picked, folder / "found", folder / "seeds", corpus]
    status, log = _worker(target, ["-merge=1"], folders, folder, 20 * START_SECONDS_MAX)
    if status:
        raise RuntimeError(f"{target}: libFuzzer could not merge:\n{log[-2000:]}")
    for path in _files(corpus):
        path.unlink()
    room = CORPUS_BYTES_MAX
    for content in sorted((path.read_bytes() for path in _files(picked)), key=_size):
        room -= len(content)
        if room >= 0:
            (corpus / name_of(content)).write_bytes(content)
    return len(_files(corpus))


def _worker(
    target: str, flags: Sequence[str], folders: Iterable[Path], scratch: Path, seconds: int
) -> tuple[int, str]:
    """Exit status and output of a worker; 1 if it took longer than that and was ended."""
    # To merge, libFuzzer starts its own program again by its name and with its flags only.
    program = scratch / "worker"
    program.write_text(
        f'#!/bin/sh\nexec "{sys.executable}" -m fuzzing.worker "$0" "{target}" "$@"\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    limits = [
        f"-max_len={INPUT_BYTES_MAX}",
        f"-rss_limit_mb={MEMORY_MIB_MAX}",
        f"-timeout={INPUT_SECONDS_MAX}",
    ]
    command = [str(program), *limits, *flags, *map(str, folders)]
    try:
        done = subprocess.run(
            command,
            cwd=scratch,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as expired:
        output = (expired.output or b"").decode(errors="replace")
        return 1, output + f"\nended: it took more than {seconds} seconds\n"
    lines = done.stdout.decode(errors="replace").splitlines()
    kept = (line for line in lines if not line.startswith("INFO: Instrumenting"))
    return done.returncode, "\n".join(kept)


def _python(arguments: Sequence[str]) -> str:
    """Run a module; returns what went wrong, or nothing."""
    done = subprocess.run(
        [sys.executable, *arguments],
        env=_environment(),
        capture_output=True,
        check=False,
        text=True,
    )
    return done.stderr if done.returncode else ""


def _environment() -> dict[str, str]:
    """As ours; modules of tools/ can be imported, and functions are not compiled."""
    return {**os.environ, "PYTHONPATH": str(TOOLS), "NUMBA_DISABLE_JIT": "1"}


def _files(folder: Path) -> tuple[Path, ...]:
    return tuple(sorted(path for path in folder.iterdir() if path.is_file()))


def _size(content: bytes) -> tuple[int, bytes]:
    return len(content), content
