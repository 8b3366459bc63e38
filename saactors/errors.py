"""Every exception that saactors raises on purpose; the type says whose fault it was.

    SaactorsError
    ├── UserError              something the user gave us cannot be used; exit status 2
    │   ├── CaptureError       a file or stream that is no capture, or of a kind we do not read
    │   ├── ScenarioError      a scenario file that does not describe a run
    │   ├── KeyTableError      a key table (Wireshark's esp_sa) that cannot be read
    │   ├── EventLogError      a file that is no event log, or of a kind we do not read
    │   └── ParameterError     a rule, card or option value outside its range
    └── RunError               the run itself could not go on; exit status 1
        ├── OutputError        a file that we were asked to write could not be written
        └── ControlError       a running gateway refused what it was asked, or cannot be asked

Expected outcomes (a full cache, a replayed packet, a refused load) are values, never exceptions,
and a broken invariant of ours is an ``AssertionError``.

A message names what was found, what was expected and how to mend it. It never carries key bytes.
"""

from __future__ import annotations


class SaactorsError(Exception):
    """The root: catch it to catch whatever saactors raises on purpose."""

    exit_status = 1


class UserError(SaactorsError):
    """What the user gave cannot be used as it is."""

    exit_status = 2


class CaptureError(UserError):
    """A capture that cannot be read.

    Fields: ``path`` (as the user named it), ``problem`` (what was found and what was expected).
    """

    def __init__(self, path: str, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(f"{path}: {problem}")


class ScenarioError(UserError):
    """A scenario that does not describe a run.

    Fields: ``path``, ``where`` (a line or a dotted key), ``problem``.
    """

    def __init__(self, path: str, where: str, problem: str) -> None:
        self.path = path
        self.where = where
        self.problem = problem
        super().__init__(f"{path}: {where}: {problem}" if where else f"{path}: {problem}")


class KeyTableError(UserError):
    """A key table line that cannot be read; it is named by number, never quoted (it holds a key).

    Fields: ``path``, ``line`` (from 1; 0 for the file as a whole), ``problem``.
    """

    def __init__(self, path: str, line: int, problem: str) -> None:
        self.path = path
        self.line = line
        self.problem = problem
        super().__init__(f"{path}:{line}: {problem}" if line else f"{path}: {problem}")


class EventLogError(UserError):
    """An event log that cannot be read.

    Fields: ``path`` (as the user named it), ``problem`` (what was found and what was expected).
    """

    def __init__(self, path: str, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(f"{path}: {problem}")


class ParameterError(UserError):
    """A parameter outside its range.

    Fields: ``name``, ``found``, ``expected``.
    """

    def __init__(self, name: str, found: object, expected: str) -> None:
        self.name = name
        self.found = found
        self.expected = expected
        super().__init__(f"{name}: found {found!r}, expected {expected}")


class RunError(SaactorsError):
    """The run could not go on."""


class OutputError(RunError):
    """A file that we were asked to write could not be written.

    Fields: ``path``, ``problem``.
    """

    def __init__(self, path: str, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(f"{path}: {problem}")


class ControlError(RunError):
    """A running gateway refused what it was asked, or cannot be asked.

    Fields: ``what`` it is about, ``found``, ``expected``, ``mend`` (what to do about it); each but
    ``what`` may be empty. They travel in frames of the control socket (docs/control.md).
    """

    def __init__(self, what: str, found: str = "", expected: str = "", mend: str = "") -> None:
        self.what = what
        self.found = found
        self.expected = expected
        self.mend = mend
        stated = [f"found {found}"] if found else []
        stated += [f"expected {expected}"] if expected else []
        told = f"{what}: {', '.join(stated)}" if stated else what
        super().__init__(f"{told}; {mend}" if mend else told)
