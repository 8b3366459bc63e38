"""The files of a replay: none is written over another, and all can be written, or nothing starts.

The capture is mapped into memory while it is read, so writing over it would end the process.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeAlias

from saactors.errors import OutputError, ParameterError
from saactors.replay.options import ReplayOptions

Files: TypeAlias = Mapping[str, str | Path]  # by the name of the option

_INPUTS: Final = ("capture", "keys")
OUTPUTS: Final = ("write_esp", "write_keys", "write_plain", "events", "report")


def check_files(options: ReplayOptions) -> None:
    """Look at every file that the options name, and change none.

    Raises:
        ParameterError: an output is the capture, the key table or another output.
        OutputError: an output cannot be written.
    """
    inputs, outputs = (
        {name: path for name in names if (path := getattr(options, name)) is not None}
        for names in (_INPUTS, OUTPUTS)
    )
    refuse_overwriting(inputs, outputs)
    for path in outputs.values():
        check_writable(str(path))


def outputs_of(options: ReplayOptions) -> dict[str, str]:
    """What a replay writes: what it is → the file."""
    return {
        name.removeprefix("write_"): str(getattr(options, name))
        for name in OUTPUTS
        if getattr(options, name) is not None
    }


def refuse_overwriting(inputs: Files, outputs: Files) -> None:
    """Raises ParameterError for an output that is one of the inputs, or another output."""
    taken = dict(inputs)
    for name, path in outputs.items():
        for other, other_path in taken.items():
            if _is_same_file(str(path), str(other_path)):
                whose = "CAPTURE" if other == "capture" else f"--{other.replace('_', '-')}"
                raise ParameterError(name, str(path), f"another file than the one of {whose}")
        taken[name] = path


def _is_same_file(path: str, other: str) -> bool:
    """Devices and pipes take whatever comes, from however many."""
    found, found_other = _status(path), _status(other)
    if found is None or found_other is None:
        return os.path.realpath(path) == os.path.realpath(other)
    return stat.S_ISREG(found.st_mode) and os.path.samestat(found, found_other)


def _status(path: str) -> os.stat_result | None:
    try:
        return os.fstat(sys.stdin.fileno()) if path == "-" else Path(path).stat()
    except (OSError, ValueError, AttributeError):  # no such file, a NUL in its name, no stdin
        return None


def check_writable(path: str) -> None:
    """Open for writing and close again; a file that was not there is not there afterwards."""
    there = Path(path).exists()
    if there and not Path(path).is_file() and not Path(path).is_dir():
        return  # opening a pipe would wait for its reader
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
        if not there:
            Path(path).resolve().unlink()
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        raise OutputError(path, f"cannot be written: {reason}") from None
