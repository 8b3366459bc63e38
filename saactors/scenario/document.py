"""A file in TOML, read with its user in mind: what was found where, and what to mend."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, Final

from saactors.errors import ScenarioError
from saactors.scenario.wording import Problem, without_keys

FILE_BYTES_MAX: Final = 64 << 20  # room for 10⁵ SAs; /dev/zero is no document

_POSITION: Final = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def read_document(path: str, expected: str) -> dict[str, Any]:
    """The file as TOML has it; ``expected`` says what it should be, such as "a scenario".

    Raises:
        ScenarioError: it cannot be read, is larger than ``FILE_BYTES_MAX``, or is no TOML.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ScenarioError(path, "", f"cannot be read: {reason}") from None
    if len(content) > FILE_BYTES_MAX:
        found = f"found more than {FILE_BYTES_MAX >> 20} MiB, expected {expected} in TOML"
        raise ScenarioError(path, "", found)
    document, problem = _parsed(content)
    if problem is not None:
        raise ScenarioError(path, *problem)
    return document


def _parsed(content: bytes) -> tuple[dict[str, Any], Problem | None]:
    try:
        return tomllib.loads(content.decode()), None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return {}, Problem(f"line {line}", "found bytes that are not UTF-8, expected TOML in UTF-8")
    except tomllib.TOMLDecodeError as error:
        return {}, _syntax_problem(str(error))
    except ValueError:  # tomllib lets Python's limit on the digits of an int through
        return {}, Problem("", "found a number of thousands of digits, expected at most 64 bits")
    except RecursionError:
        return {}, Problem(
            "", "found arrays or tables nested too deeply, expected at most a few levels"
        )


def _syntax_problem(message: str) -> Problem:
    """The TOML parser's message, with its position in front."""
    position = _POSITION.search(message)
    where = "end of file"
    if position is not None and position[1]:
        where = f"line {position[1]}, column {position[2]}"
    text = without_keys(_POSITION.sub("", message))
    return Problem(where, f"{text}; mend the TOML there or just before")
