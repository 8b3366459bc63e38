"""Trio shuffles the tasks that are runnable at one instant; a seed makes that repeatable.

Trio keeps this private on purpose (its order is not part of its interface), so the two names are
touched in this one function and ``tests/runtime/test_scheduler.py`` guards them: a trio release
that renames them fails there. Importing hypothesis with pytest-trio sets the same flag, with the
same meaning.
"""

from __future__ import annotations

from trio._core import _run


def seed_scheduler(seed: int) -> None:
    """Make every later ``trio.run`` of this process schedule by ``seed``.

    Decisions never depend on this order (law 7); it makes waits and traces repeatable to the byte.
    """
    # setattr, because trio declares the flag Final: it is its test tools' to change, and ours here.
    setattr(_run, "_ALLOW_DETERMINISTIC_SCHEDULING", True)  # noqa: B010
    _run._r.seed(seed)  # noqa: SLF001 - private, see the module docstring
