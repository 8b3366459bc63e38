"""A rule as compiled functions: what the halves of a rule call, and the lab as well.

The halves (``saactors.placement.rule``) are what actors hold; their methods call these functions
over the arrays in ``state``. The lab compiles one loop around the same functions and runs a whole
trace through it (law 8). ``keeper`` and ``arbiter`` below are the two halves' ``state``: tuples of
arrays, long enough for every SA that is named.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from saactors.model.compiled import compiled


class RuleFunctions(NamedTuple):
    """Compiled functions of one rule; ``commands`` is a record array of ``COMMAND`` to write to."""

    receive: Callable[..., None]
    """(keeper, first, stop, tick): SAs ``first`` to ``stop`` have just been received."""
    observe: Callable[..., None]
    """(keeper, packets, tick): count a burst; writes ``packets["metric"]``."""
    cached: Callable[..., None]
    """(keeper, sa, tick): the SA has entered the card's cache."""
    decide: Callable[..., tuple[int, int, int]]
    """(arbiter, packets, commands, tick, now_ns): counts (commands, refused, card full)."""
    review: Callable[..., tuple[int, int, int]]
    """(keeper, arbiter, sa_count, commands, tick, now_ns): the same, once per period."""
    answer: Callable[..., None]
    """(arbiter, sa, tick, loaded): the card has answered a load."""
    inherit: Callable[..., None]
    """(arbiter, sa, predecessor, now_ns): rekeying has put ``sa`` in the other's place."""


class Unmeasured(NamedTuple):
    """The state of a keeper that keeps nothing; Numba wants a tuple that holds something."""

    nothing: Any


NOTHING_KEPT = Unmeasured(np.zeros(1, np.uint8))


@compiled
def receive_nothing(_keeper: Any, _first: int, _stop: int, _tick: int) -> None:  # noqa: ANN401 - any keeper's state
    """A new SA starts with nothing."""


@compiled
def observe_nothing(_keeper: Any, _packets: Any, _tick: int) -> None:  # noqa: ANN401 - any keeper's state
    """A packet earns nothing."""


@compiled
def cache_nothing(_keeper: Any, _sa: int, _tick: int) -> None:  # noqa: ANN401 - any keeper's state
    """A load earns nothing."""


@compiled
def inherit_nothing(_arbiter: Any, _sa: int, _predecessor: int, _now_ns: int) -> None:  # noqa: ANN401 - any arbiter's state
    """A rekeyed SA starts as any other."""


@compiled
def review_nothing(
    _keeper: Any,  # noqa: ANN401 - any keeper's state
    _arbiter: Any,  # noqa: ANN401 - any arbiter's state
    _sa_count: int,
    _commands: Any,  # noqa: ANN401 - a record array
    _tick: int,
    _now_ns: int,
) -> tuple[int, int, int]:
    """A rule that decides on arrival has nothing to review."""
    return 0, 0, 0
