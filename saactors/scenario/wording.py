"""How a scenario's problems are worded: where, what was found, what was expected, how to mend it.

Nothing here quotes what may be a key (law 10): a value that looks like key material, wherever it
stands, is described by its kind and size. People do paste a key one line too high.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import is_dataclass
from difflib import get_close_matches
from typing import Final, NamedTuple

PROBLEMS_MAX: Final = 20  # listed; one slip made 10⁵ times in a file is not worth 10⁵ lines
_TEXT_MAX: Final = 43  # characters quoted; the longest IPv6 prefix
_NUMBER_BITS_MAX: Final = 64
_ADDRESS: Final = re.compile(r"[0-9a-fA-F]{0,4}(:[0-9a-fA-F]{0,4}){2,7}(/[0-9]{1,3})?")
_HEX_RUN: Final = re.compile(r"[0-9a-fA-F]{16}")
_BASE32_RUN: Final = re.compile(r"[0-9A-Za-z+/=]{20}")
_BASE64_RUN: Final = re.compile(r"(?=\S*[a-z])(?=\S*[A-Z])[0-9A-Za-z+/=_-]{20}")  # names: one case
_QUOTED: Final = re.compile(r"\(.*\)|'.*'|\".*\"", re.DOTALL)
_BARE_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")


Location = tuple[int | str, ...]  # keys and indices from the top of the file, as pydantic's "loc"


class Problem(NamedTuple):
    """One thing wrong with a scenario; ``where`` is a dotted key, a line, or empty."""

    where: str
    text: str

    def __str__(self) -> str:
        return f"{self.where}: {self.text}" if self.where else self.text


def wrong(
    where: Location, found: object, expected: str, hint: str = "", *, secret: bool = False
) -> Problem:
    """A value that is not what its key expects; a ``secret`` one is not shown whatever it is."""
    text = kind(found) if secret else shown(found)
    return Problem(dotted(where), f"found {text}, expected {expected}{hint and f'; {hint}'}")


def missing(where: Location, expected: str) -> Problem:
    """A key that its table needs."""
    return Problem(dotted(where), f"missing, expected {expected}")


def unknown_key(where: Location, known: Iterable[str]) -> Problem:
    """A key that its table does not have."""
    names = list(known)
    hint = closest(str(where[-1]), names) or f"the keys here are {listed(names)}"
    return Problem(dotted(where), f"unknown key; {hint}")


def summary(problems: Sequence[Problem]) -> Problem:
    """One problem that lists them all, a line each; at least one is there."""
    if len(problems) == 1:
        return problems[0]
    lines = [f"{len(problems)} problems", *map(str, problems[:PROBLEMS_MAX])]
    if len(problems) > PROBLEMS_MAX:
        lines.append(f"and {len(problems) - PROBLEMS_MAX} more")
    return Problem("", "\n  ".join(lines))


def closest(name: str, known: Iterable[str]) -> str:
    """A question that suggests the known name most like ``name``; empty if none is."""
    matches = get_close_matches(name, list(known), n=1)
    return f"did you mean {matches[0]!r}?" if matches else ""


def listed(names: Iterable[str]) -> str:
    """Names in a row, for the end of a sentence."""
    return ", ".join(names)


def shown(value: object) -> str:
    """What was found: the value itself where it is short and no key, else its kind and size."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value.bit_length() <= _NUMBER_BITS_MAX:
        return str(value)
    if isinstance(value, float):
        return str(value)
    if isinstance(value, str) and _may_be_quoted(value):
        return repr(value)
    return str(value) if is_dataclass(value) else kind(value)


def kind(value: object) -> str:
    """What sort of thing was found, without a trace of its content."""
    if isinstance(value, str):
        return f"text of {len(value)} characters"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int):
        return f"a number of {value.bit_length()} bits"
    if isinstance(value, float):
        return "a number"
    if isinstance(value, list):
        return f"an array of {len(value)}"
    return "a table" if isinstance(value, dict) else "a date or time"


def dotted(where: Location) -> str:
    """A location as people write it: ``policies[2].source``; the first of an array is [0]."""
    text = ""
    for step in where:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{_name(step)}" if text else _name(step)
    return text


def without_keys(message: str) -> str:
    """A message of the TOML parser, which quotes names from the file, less what may be a key."""
    return _QUOTED.sub(
        lambda quoted: quoted[0] if _may_be_quoted(_joined(quoted[0])) else "(hidden)", message
    )


def _name(name: str) -> str:
    if not _may_be_quoted(name):
        return f"(a name of {len(name)} characters)"
    return name if _BARE_NAME.fullmatch(name) else repr(name)


def _may_be_quoted(text: str) -> bool:
    if _ADDRESS.fullmatch(text):
        return True
    return not (
        len(text) > _TEXT_MAX
        or _HEX_RUN.search(_joined(text))
        or _BASE32_RUN.search(text)
        or _BASE64_RUN.search(text)
    )


def _joined(text: str) -> str:
    """The text without whatever people put between groups of digits."""
    return re.sub(r"[^0-9A-Za-z+/=]", "", text)
