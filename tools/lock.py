"""Pin what the ranges in pyproject.toml allow: writes requirements/run.txt and dev.txt.

    pip install pip-tools && python tools/lock.py

Hashes and versions only: no index, no URL, no path of this machine.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

CHECKOUT = Path(__file__).parent.parent
HEADER = "# Pinned by `make lock` from the ranges in pyproject.toml; do not edit.\n"
BUILD = ("hatchling", "editables")  # so that installing the checkout needs no index either


def main() -> None:
    """Write both files; the second also holds everything of the first, at the same versions."""
    groups = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["dependency-groups"]
    run = CHECKOUT / "requirements" / "run.txt"
    pin(run, BUILD)
    pin(CHECKOUT / "requirements" / "dev.txt", (*BUILD, *groups["dev"], f"-c {run}"))


def pin(target: Path, extra: tuple[str, ...]) -> None:
    """Pin the package's dependencies and ``extra`` into ``target``."""
    with tempfile.NamedTemporaryFile("w", suffix=".in") as wishes:
        wishes.write("\n".join(extra))
        wishes.flush()
        subprocess.run(
            [
                sys.executable,
                *("-m", "piptools", "compile", "--quiet", "--generate-hashes", "--no-header"),
                *("--no-annotate", "--no-strip-extras", "--allow-unsafe", "--no-emit-index-url"),
                *("--no-emit-trusted-host", "--no-emit-find-links"),
                *("--output-file", str(target), str(CHECKOUT / "pyproject.toml"), wishes.name),
            ],
            check=True,
        )
    target.write_text(HEADER + target.read_text())


if __name__ == "__main__":
    main()
