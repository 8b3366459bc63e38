"""A rule without its compiler: the same functions as plain Python, which notices more.

Compiled code trusts its indices: a rule that writes behind the end of an array destroys whatever
lies there, and one that loops for ever cannot be stopped. So a rule that nobody has seen yet is run
in Python first, where an index is checked and lines can be counted.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, FunctionType
from typing import Any, Final

import numpy as np

from saactors.placement.functions import RuleFunctions
from saactors.placement.policy_arbiter import PolicyArbiter
from saactors.placement.table import Rule

LINES_MAX: Final = 1_000_000
"""Lines of Python for one burst. Of the rules in the table none has needed a tenth of it."""


class EndlessError(RuntimeError):
    """A rule has not come to an end."""

    def __init__(self) -> None:
        super().__init__(f"it does not end: {LINES_MAX:,} lines of Python for one burst")


def interpret(rule: Rule) -> bool:
    """Let the arbiter call the rule's functions uncompiled; False if it has no such functions.

    The rules of the table that are no policies have arbiters of their own.
    """
    arbiter = rule.arbiter
    if not isinstance(arbiter, PolicyArbiter):
        return False
    known: dict[int, Callable[..., Any]] = {}
    functions = arbiter.functions
    arbiter.functions = functions._replace(
        rule=RuleFunctions(*(_plain(function, known) for function in functions.rule)),
        reset=_plain(functions.reset, known),
    )
    return True


def _plain(function: Any, known: dict[int, Callable[..., Any]]) -> Any:  # noqa: ANN401 - whatever a name stands for
    """The function uncompiled, and whatever it calls by name; other values as they are."""
    original = getattr(function, "py_func", None)
    if not isinstance(original, FunctionType):
        return function
    if id(original) not in known:
        names: dict[str, Any] = {}
        copy = FunctionType(
            original.__code__,
            names,
            original.__name__,
            original.__defaults__,
            original.__closure__,
        )
        known[id(original)] = _with_wide_integers(copy)
        names.update({n: _plain(value, known) for n, value in original.__globals__.items()})
    return known[id(original)]


def _with_wide_integers(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same, taking NumPy's integers for Python's: compiled ones do not overflow at 32 bits."""

    def call(*arguments: Any) -> Any:  # noqa: ANN401 - whatever the function takes and returns
        return function(*(int(a) if isinstance(a, np.signedinteger) else a for a in arguments))

    return call


@contextmanager
def counted_lines() -> Iterator[None]:
    """Raise EndlessError in whatever runs in here for more than ``LINES_MAX`` lines."""
    left = LINES_MAX

    def count(_frame: FrameType, _event: str, _argument: object) -> Any:  # noqa: ANN401 - itself
        nonlocal left
        left -= 1
        if left < 0:
            raise EndlessError
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        yield
    finally:
        sys.settrace(before)
