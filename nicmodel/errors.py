"""What the model raises when it is given numbers that describe no card.

Both are ``ValueError`` and carry ``field``, ``found`` and ``expected``, so that whoever read the
numbers from a file can say where they stood.
"""

from __future__ import annotations


class ModelError(ValueError):
    """A figure outside its range: the field's name, what was found and what was expected."""

    def __init__(self, field: str, found: object, expected: str) -> None:
        self.field = field
        self.found = found
        self.expected = expected
        super().__init__(f"{field}: found {found!r}, expected {expected}")


class ProfileError(ModelError):
    """A profile that describes no card or no host."""


class FaultPlanError(ModelError):
    """A fault plan that cannot happen."""
