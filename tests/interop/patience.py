"""Waiting for what another program does: bounded, and as short as it may be."""

from __future__ import annotations

import time
from collections.abc import Callable

POLL_S = 0.005
PATIENCE_S = 20.0


def wait_until(is_so: Callable[[], bool], expected: str, *, patience_s: float = PATIENCE_S) -> None:
    """Ask again and again; raises RuntimeError, which says what was expected, in the end."""
    end_s = time.monotonic() + patience_s
    while not is_so():
        if time.monotonic() > end_s:
            raise RuntimeError(f"waited {patience_s:g} s for nothing; expected {expected}")
        time.sleep(POLL_S)
