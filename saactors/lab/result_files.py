"""Results as files: CSV and Parquet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl

from saactors.errors import OutputError


def write_csv(frame: pl.DataFrame, path: str | Path) -> None:
    """Write a frame as CSV with a line of names; raises ``OutputError``."""
    _write(path, frame.write_csv)


def write_parquet(frame: pl.DataFrame, path: str | Path) -> None:
    """Write a frame as Parquet; raises ``OutputError``."""
    _write(path, frame.write_parquet)


def _write(path: str | Path, write: Callable[..., object]) -> None:
    try:
        write(path)
    except (OSError, pl.exceptions.PolarsError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        raise OutputError(str(path), f"cannot be written: {reason}") from problem
