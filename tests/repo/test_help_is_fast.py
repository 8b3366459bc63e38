"""``--help`` answers at once, because it imports next to nothing."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

# Each takes a tenth of a second or more to import, Numba several.
SLOW = {
    "cryptography",
    "msgpack",
    "nicmodel",
    "numba",
    "numpy",
    "plotly",
    "pydantic",
    "rich",
    "structlog",
    "trio",
}


def imported_by(argument: str) -> set[str]:
    """Top-level packages that a command imports, by Python's own account of it."""
    command = [sys.executable, "-X", "importtime", "-m", "saactors", argument]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    listed = re.findall(r"^import time: .*\|\s*([\w.]+)$", finished.stderr, re.MULTILINE)
    return {module.partition(".")[0] for module in listed}


@pytest.mark.parametrize("argument", ["--help", "-h", "--version"])
def test_help_imports_nothing_slow(argument: str) -> None:
    """A set, not a stopwatch: a busy machine changes times, not imports."""
    found = imported_by(argument)
    assert "click" in found
    assert found & SLOW == set()
