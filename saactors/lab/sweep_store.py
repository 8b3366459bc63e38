"""Where a sweep keeps what is finished: one small file per cell, written whole or not at all.

A file is written under another name and renamed, which POSIX does at once: whoever is killed leaves
complete files and perhaps a stray ``.part``, which nobody reads. Only the process that plans the
sweep writes, so workers need no access to the folder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from saactors.errors import OutputError

CELLS: Final = "cells"
OPTIMA: Final = "optima"


class Store:
    """A sweep's folder; raises ``OutputError`` where it cannot be written to."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        for kind in (CELLS, OPTIMA):
            path = self.folder / kind
            try:
                path.mkdir(parents=True, exist_ok=True)
            except OSError as problem:
                reason = problem.strerror or str(problem)
                raise OutputError(str(path), f"cannot be created: {reason}") from problem

    def read(self, kind: str, name: str) -> dict[str, Any] | None:
        """What is kept under that name; None if nothing is, or nothing that can be read."""
        try:
            values = json.loads(self._path(kind, name).read_bytes())
        except (OSError, ValueError):
            return None
        return values if isinstance(values, dict) else None

    def write(self, kind: str, name: str, values: Mapping[str, Any]) -> None:
        """Keep it, once and for all."""
        path = self._path(kind, name)
        part = path.with_suffix(f".{os.getpid()}.part")
        try:
            with part.open("w", encoding="utf-8") as file:
                json.dump(dict(values), file)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except OSError as problem:
            reason = problem.strerror or str(problem)
            raise OutputError(str(path), f"cannot be written: {reason}") from problem

    def _path(self, kind: str, name: str) -> Path:
        return self.folder / kind / f"{name}.json"
