"""Makes `docs/lab.ipynb` from `tools/lab_notebook.md`, so that a change of it reads as text.

    python tools/make_notebook.py

The source is Markdown, with links as they hold in `docs/`. A fence of ``python NAME`` is a code
cell of that name, and what stands before it the cell of words that leads to it. Names are the
cells' ids: they stay what they are when cells come and go. Outputs are left to whoever runs it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[1]
SOURCE = CHECKOUT / "tools" / "lab_notebook.md"
NOTEBOOK = CHECKOUT / "docs" / "lab.ipynb"

CODE_CELL = re.compile(r"^```python ([a-z-]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def main() -> None:
    """Write the notebook."""
    NOTEBOOK.write_text(notebook_text(SOURCE.read_text(encoding="utf-8")), encoding="utf-8")


def notebook_text(source: str) -> str:
    """The notebook, laid out as Jupyter does it, so that saving it there changes little."""
    notebook = {
        "cells": list(cells(source)),
        "metadata": METADATA,
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def cells(source: str) -> Iterator[dict[str, Any]]:
    """Words and code in turn, in the notebook format's version 4.5."""
    *parts, last = CODE_CELL.split(source)
    for words, name, code in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        yield from words_cell(f"before-{name}", words)
        yield {
            "cell_type": "code",
            "execution_count": None,
            "id": name,
            "metadata": {},
            "outputs": [],
            "source": lines(code),
        }
    yield from words_cell("end", last)


def words_cell(name: str, words: str) -> Iterator[dict[str, Any]]:
    """The words between two pieces of code, if there are any."""
    if words.strip():
        yield {"cell_type": "markdown", "id": name, "metadata": {}, "source": lines(words)}


def lines(text: str) -> list[str]:
    """As the format has them: each with its newline, but for the last one."""
    return text.strip().splitlines(keepends=True)


if __name__ == "__main__":
    main()
