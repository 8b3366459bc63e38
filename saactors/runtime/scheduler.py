"""Trio flips the order of tasks that are runnable at one instant; a seed makes that repeatable.

Trio keeps its random source private on purpose (its order is not part of its interface), so the
name is touched in this one function and ``tests/runtime/test_scheduler.py`` guards it: a trio
release that renames it fails there. Importing hypothesis with pytest-trio makes trio shuffle more
thoroughly, from the same source.
"""

from __future__ import annotations

from trio._core import _run


def seed_scheduler(seed: int) -> None:
    """Make every later ``trio.run`` of this process schedule by ``seed``.

    Decisions never depend on this order (law 7); it makes waits and traces repeatable to the byte.
    """
    _run._r.seed(seed)  # noqa: SLF001 - private, see the module docstring
