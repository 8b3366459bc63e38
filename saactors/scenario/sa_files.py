"""Files of SAs: read as text, and written so that only their owner reads them.

The formats themselves are in ``saactors.esp.sa_formats``.
"""

from __future__ import annotations

import os
from pathlib import Path

from saactors.errors import KeyTableError, OutputError
from saactors.esp.sa_formats.wireshark import KeyTable, parse_key_table


def read_key_table(path: str | os.PathLike[str]) -> KeyTable:
    """Read Wireshark's esp_sa; raises KeyTableError, which names the line and never quotes it."""
    return parse_key_table(read_sa_text(path), os.fspath(path))


def read_sa_text(path: str | os.PathLike[str]) -> str:
    """The text of a file; raises KeyTableError if there is none."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        problem = f"cannot be read as a key table: {reason}"
        raise KeyTableError(os.fspath(path), 0, problem) from None


def write_sa_file(path: str | os.PathLike[str], text: str) -> None:
    """Write keys, readable by their owner alone (mode 0600); raises OutputError."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(descriptor, 0o600)  # also where the file was there already
            file.write(text)
    except OSError as error:
        raise OutputError(os.fspath(path), f"cannot be written: {error.strerror}") from error
