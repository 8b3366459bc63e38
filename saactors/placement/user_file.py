"""A rule of one's own: ``FILE.py:NAME``, where NAME is a ``Policy`` or what ``policy_entry`` makes.

The file is an ordinary module that is found by its path. It is read anew when it has changed, so a
long-lived process never runs what is not in the file any more. Its module's name ends in a hash of
its content: Numba keeps compiled code on disk, beside the file and beside ours, and imports that
name when it comes back to it. So the name must not depend on where the file stands, and two files
must not have the same one (``saactors.model.compiled`` has it in its fingerprint).
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib.abc import SourceLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from traceback import extract_tb
from types import ModuleType
from typing import Any, Final

import numpy as np
from numba import boolean, int64, typeof
from numba.core.errors import NumbaError

from saactors.errors import ParameterError
from saactors.model.packets import PACKET
from saactors.placement.entry import RuleEntry, policy_entry
from saactors.placement.policy import Policy
from saactors.placement.rule import CacheArbiter

FORM: Final = "FILE.py:NAME"


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A file as it was when it was read."""

    stamp: tuple[int, int]  # time of its last change in ns, size in bytes
    module: ModuleType
    digest: str  # of its content
    entries: dict[str, RuleEntry] = field(default_factory=dict)


# In Numba's messages: what leads up to the point, where it is, and a table spelt out as arrays.
_NUMBAS_OWN: Final = ("Failed in", "During:", "File ", "<source", "No implementation", "- ", "[")
_PLACE: Final = re.compile(r'File "(.+)", line (\d+):')
_ARRAYS: Final = re.compile(r"\((?:unaligned )?array\(.*\)\)")

_TYPE_OF: Final[Any] = typeof  # untyped, as Numba is
_LOADED: Final[dict[Path, _Loaded]] = {}


def is_in_file(name: str) -> bool:
    """Whether a rule's name is that of a file rather than of the table."""
    return name.endswith(".py") or ".py:" in name


def beside(name: str, folder: Path) -> str:
    """The same rule, if in a file, as seen from where its path is not relative to ``folder``."""
    file, attribute = _parts(name)
    return f"{folder / file}:{attribute}" if is_in_file(name) else name


def seen_from(name: str, folder: Path) -> str:
    """The reverse: the same rule with its path, if in a file, relative to ``folder``."""
    file, attribute = _parts(name)
    return f"{os.path.relpath(file, folder)}:{attribute}" if is_in_file(name) else name


def file_digest(name: str) -> str:
    """A hash of the file that the rule ``name`` stands in; empty for a rule of the table.

    Raises:
        ParameterError: the file cannot be used.
    """
    return _load(name, _parts(name)[0]).digest if is_in_file(name) else ""


def entry_in_file(name: str) -> RuleEntry:
    """The entry of the rule ``FILE.py:NAME``; the same one until the file changes.

    Raises:
        ParameterError: no such file, no such name in it, no rule by that name, or an exception
            while the file was imported.
    """
    file, attribute = _parts(name)
    loaded = _load(name, file)
    if attribute not in loaded.entries:
        loaded.entries[attribute] = _entry(name, file, attribute, loaded.module)
    return loaded.entries[attribute]


def uncompilable(name: str, problem: NumbaError) -> ParameterError:
    """What to raise where Numba cannot compile the functions of the rule ``name``."""
    return ParameterError("rule", name, f"functions that Numba can compile; {in_short(problem)}")


def check_compilable(name: str, entry: RuleEntry, arbiter: CacheArbiter) -> None:
    """Compile what the arbiter of the rule ``name`` calls, before there is traffic.

    Raises:
        ParameterError: Numba cannot.
    """
    nobody = np.empty(0, np.int32)
    try:
        arbiter.decide(np.zeros(0, PACKET), 0, 0)
        arbiter.review(nobody, np.empty(0), 0, 0)
        answer: Any = entry.functions.answer
        answer.compile((_TYPE_OF(arbiter.state), int64, int64, boolean))
    except NumbaError as problem:
        raise uncompilable(name, problem) from problem


def in_short(problem: BaseException) -> str:
    """An exception as one line; of Numba's many lines those that say what and where."""
    lines = [line.strip() for line in str(problem).splitlines()]
    if not isinstance(problem, NumbaError):
        return f"{type(problem).__name__}: {' '.join(lines)}".removesuffix(": ")
    told = [line for line in lines if line and not line.startswith(_NUMBAS_OWN)]
    place = next(filter(None, map(_PLACE.fullmatch, lines)), None)
    where = f" ({Path(place[1]).name}, line {place[2]})" if place else ""
    return f"{_ARRAYS.sub('', told[0]) if told else type(problem).__name__}{where}"


def _parts(name: str) -> tuple[str, str]:
    """File and attribute; the latter is empty where none is named."""
    file, _, attribute = name.rpartition(":")
    return (file, attribute) if file.endswith(".py") else (name, "")


def _load(name: str, file: str) -> _Loaded:
    path = Path(file).resolve()
    try:
        status = path.stat()
        stamp = status.st_mtime_ns, status.st_size
        if path in _LOADED and _LOADED[path].stamp == stamp:
            return _LOADED[path]
        content = path.read_bytes()
    except (OSError, ValueError) as problem:  # ValueError: a path with a null character
        reason = os.strerror(problem.errno or 0) if isinstance(problem, OSError) else str(problem)
        raise ParameterError("rule", name, f"a file that can be read: {file}: {reason}") from None
    digest = hashlib.blake2b(content, digest_size=8).hexdigest()
    module = _imported(name, path, content, f"saactors_rule_{path.stem}_{digest}")
    _LOADED[path] = _Loaded(stamp, module, digest)
    return _LOADED[path]


class _AsRead(SourceLoader):
    """Runs the text that was read, never byte code kept from an earlier one."""

    def __init__(self, path: Path, content: bytes) -> None:
        self._path = path
        self._content = content

    def get_filename(self, _fullname: str) -> str:
        """Where the text stands."""
        return str(self._path)

    def get_data(self, _path: str | bytes) -> bytes:
        """The text."""
        return self._content


def _imported(name: str, path: Path, content: bytes, module_name: str) -> ModuleType:
    spec = spec_from_loader(module_name, _AsRead(path, content))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[module_name] = module  # Numba and dataclasses look there
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as problem:  # noqa: BLE001 - the file may raise anything
        del sys.modules[module_name]
        if isinstance(problem, SyntaxError):
            line, told = problem.lineno, f"SyntaxError: {problem.msg}"
        else:
            lines = [f.lineno for f in extract_tb(problem.__traceback__) if f.filename == str(path)]
            line, told = (lines[-1] if lines else None), in_short(problem)
        where = path.name if line is None else f"{path.name}, line {line}"
        raise ParameterError(
            "rule", name, f"a file that can be imported; {where}: {told}"
        ) from None
    return module


def _entry(name: str, file: str, attribute: str, module: ModuleType) -> RuleEntry:
    found = getattr(module, attribute, None)
    if isinstance(found, RuleEntry):
        return found
    if isinstance(found, Policy):
        _check_compiled(name, found)
        summary = (module.__doc__ or "A rule without a description.").strip().split("\n\n")[0]
        return policy_entry(attribute, summary, file, found)
    known = [key for key, value in vars(module).items() if isinstance(value, Policy | RuleEntry)]
    there = f"the rules in {file} are {', '.join(known)}" if known else f"{file} has none"
    what = "a Policy, or what policy_entry returns"
    if attribute and hasattr(module, attribute):
        raise ParameterError(
            "rule", name, f"{what}; {attribute} is of type {type(found).__name__}, and {there}"
        )
    close = get_close_matches(attribute, known, n=1)
    meant = f"; did you mean {close[0]}?" if close else ""
    raise ParameterError("rule", name, f"{FORM}, NAME being {what}; {there}{meant}")


def _check_compiled(name: str, policy: Policy) -> None:
    usual = Policy()._asdict()
    for part, function in policy._asdict().items():
        if not hasattr(function, "py_func"):
            found = getattr(function, "__name__", repr(function))
            expected = f"compiled functions; {part} is {found}, put @compiled above its def"
            raise ParameterError("rule", name, expected)
        takes, due = (f.py_func.__code__.co_argcount for f in (function, usual[part]))
        if takes != due:
            names = ", ".join(n.strip("_") for n in usual[part].py_func.__code__.co_varnames[:due])
            expected = f"{part}({names}); {function.py_func.__name__} takes {takes} arguments"
            raise ParameterError("rule", name, expected)
