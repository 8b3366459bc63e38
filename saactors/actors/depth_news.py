"""What edges tell of their depth: often enough for a picture, not for every message."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from saactors.observe.events import EdgeDepth
from saactors.observe.observer import Emitter
from saactors.runtime.clock import Clock

APART_NS: Final = 1_000_000  # between two tellings of one edge


def depth_teller(edge: str, emit: Emitter, clock: Clock) -> Callable[[int], None]:
    """What is called after each message on ``edge`` with how many are under way."""
    told_ns = -APART_NS

    def tell(queued: int) -> None:
        nonlocal told_ns
        now_ns = clock.now_ns()
        if now_ns - told_ns >= APART_NS:
            told_ns = now_ns
            emit(EdgeDepth(now_ns, edge, queued))

    return tell
