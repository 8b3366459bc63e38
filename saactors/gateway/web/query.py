"""The query of a URL as a command's arguments: text becomes what the command's model takes.

Only types are settled here; whether a value is allowed says the command itself, in its own words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, get_args

from saactors.errors import ControlError
from saactors.gateway.control.schema import command_named, read_arguments


def typed_arguments(command: str, query: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The arguments in ``query`` (names with texts), as plain values of the right type.

    Raises:
        ControlError: no such command or argument, one that is given twice, a value out of range.
    """
    fields = command_named(command).arguments.model_fields
    arguments: dict[str, Any] = {}
    for name, text in query:
        if name in arguments:
            raise ControlError(f"{command}: {name}", "two values", "one", "leave one out")
        hint = fields[name].annotation if name in fields else None
        arguments[name] = _typed(text, {hint, *get_args(hint)})
    read_arguments(command, arguments)  # complains; the gateway takes plain values
    return arguments


def _typed(text: str, kinds: set[Any]) -> object:
    """Text as the first of these kinds that it can be; as it is where it can be none."""
    if bool in kinds and text in {"true", "false"}:
        return text == "true"
    if int in kinds and re.fullmatch(r"-?[0-9]{1,20}", text):
        return int(text)
    return text
