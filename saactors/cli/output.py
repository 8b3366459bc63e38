"""Standard output: its width, its reader who may leave early, its disk that may be full."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

import click

from saactors.errors import OutputError

_WIDTH_MAX: Final = 100  # longer lines are hard to read, however wide the terminal


@contextmanager
def standard_output() -> Iterator[None]:
    """Print in here. A reader who leaves, such as ``head``, has seen enough: that is no error.

    Raises:
        OutputError: what was printed cannot be written.
    """
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        _discard_the_rest()
    except OSError as problem:
        _discard_the_rest()
        reason = problem.strerror or str(problem)
        raise OutputError("standard output", f"cannot be written: {reason}") from problem


def _discard_the_rest() -> None:
    """Python flushes once more when it exits; that must not fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def paragraphs_of(texts: Iterable[str], indent: int) -> str:
    """Texts one below the other, wrapped to the terminal, each line indented."""
    width = min(shutil.get_terminal_size().columns, _WIDTH_MAX)
    margin = " " * indent
    return "\n".join(
        click.wrap_text(text, width, initial_indent=margin, subsequent_indent=margin)
        for text in texts
    )
