"""How per-packet functions are compiled.

``compiled`` is ``numba.njit`` with the machine code kept on disk and without reference counting.
The functions here pass the same few arrays to each other for every packet and create none; counting
those references, with one atomic instruction each time, took four fifths of a decision's time
(measured: 13.7 µs for a burst of 256 against 2.3 µs). ``_nrt`` is how Numba says it of its own
sorting and string functions; a function that creates an array cannot use it and says
``@njit(cache=True)``.

Numba keeps code on disk by file, line and qualified name and looks at a file's age, but not at what
its functions call in other files. So the names under which code is kept end in a fingerprint of
that, and code on disk is never out of date. (Functions that say ``@njit(cache=True)`` themselves
have none: after editing what they call, remove ``__pycache__``.)

``specialised`` makes of one text many functions: a template calls functions by names that stand for
others in each copy, as a C++ template does. The compiler sees plain calls and inlines them; passing
functions as arguments instead costs a jump per packet and cannot be kept on disk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any, TypeVar

import numpy as np
from numba import njit

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


def compiled(function: FunctionT, *, counts_references: bool = False) -> FunctionT:
    """Compile on first call, with code on disk and, unless asked for, no reference counting."""
    assert isinstance(function, FunctionType)
    digest = hashlib.blake2b(digest_size=6)
    _add_code(digest, function, set())
    function.__qualname__ += f"_{digest.hexdigest()}"
    # Numba's published types know nothing of _nrt.
    dispatcher: FunctionT = njit(cache=True, _nrt=counts_references, forceinline=True)(function)  # type: ignore[call-overload]
    return dispatcher


def specialised(
    template: FunctionT,
    name: str,
    *,
    counts_references: bool = False,
    **functions: Callable[..., Any],
) -> FunctionT:
    """The plain function ``template`` compiled with its globals of these names bound to others.

    ``name`` and what the functions do tell the copies of one template apart. A template that calls
    functions which create arrays has to count references.
    """
    assert isinstance(template, FunctionType)
    copy = FunctionType(template.__code__, {**template.__globals__, **functions}, name)
    copy.__module__ = template.__module__
    copy.__qualname__ = f"{template.__qualname__}_{name.replace('-', '_')}"
    special: FunctionT = compiled(copy, counts_references=counts_references)  # type: ignore[assignment]  # a FunctionType is a FunctionT
    return special


def _add_code(digest: hashlib.blake2b, function: object, seen: set[int]) -> None:
    """Add the code of a function and of whatever it calls by name."""
    plain = getattr(function, "py_func", function)
    if not isinstance(plain, FunctionType) or id(plain) in seen:
        digest.update(_constant(function))
        return
    seen.add(id(plain))
    code = plain.__code__
    digest.update(plain.__module__.encode())  # code on disk imports it when it comes back
    digest.update(code.co_code)
    digest.update(repr([c for c in code.co_consts if not isinstance(c, CodeType)]).encode())
    for word in code.co_names:
        _add_code(digest, plain.__globals__.get(word), seen)
    for cell in plain.__closure__ or ():
        _add_code(digest, cell.cell_contents, seen)


def _constant(value: object) -> bytes:
    """What the compiler takes a value for that a function knows by name, if it takes it at all."""
    if isinstance(value, np.ndarray):
        return value.tobytes()
    if isinstance(value, tuple):
        return b"".join(map(_constant, value))
    return repr(value).encode() if isinstance(value, int | float | str | np.generic) else b""
