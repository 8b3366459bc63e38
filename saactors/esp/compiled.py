"""How the compiled functions of this package are made.

``compiled`` is ``numba.njit`` with the machine code kept on disk and without reference counting.
A slice of an array that goes to another function costs two atomic operations otherwise; nothing
here creates an array, so nothing needs counting, and laying a packet out takes 57 ns instead of
170. ``_nrt`` is how Numba says it of its own sorting and string functions; code that creates an
array does not compile with it.

A change in a function that others call does not invalidate *their* code on disk: after editing,
remove ``__pycache__``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numba import njit

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


def compiled(function: FunctionT) -> FunctionT:
    """Compile on first call, with code on disk and without reference counting."""
    # Numba's published types know nothing of _nrt.
    dispatcher: FunctionT = njit(cache=True, _nrt=False)(function)  # type: ignore[call-overload]
    return dispatcher


@compiled
def signed(number: np.integer[Any] | int) -> int:
    """A number from an array, as Numba's signed 64-bit integer.

    All arithmetic on lengths and offsets is done in these: Numba makes a float of a signed and an
    unsigned number, and NumPy keeps to eight bits what began as a byte.
    """
    return np.int64(number)  # type: ignore[return-value]  # an int to all who call it
