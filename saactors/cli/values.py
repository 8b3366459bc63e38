"""Values on the command line that have a unit."""

from __future__ import annotations

import click

from saactors.observe.units import parse_duration_ns


class Duration(click.ParamType[int]):
    """A time such as 1.5s, 20ms, 3us or 100ns, as nanoseconds; of ``least_ns`` or more."""

    name = "time"

    def __init__(self, least_ns: int = 0) -> None:
        self._least_ns = least_ns

    def convert(
        self, value: str | int, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Nanoseconds."""
        if isinstance(value, int):
            return value
        try:
            duration_ns = parse_duration_ns(value)
        except ValueError as problem:
            self.fail(str(problem), param, ctx)
        if duration_ns < self._least_ns:
            self.fail(f"found {value!r}, expected {self._least_ns} ns or more", param, ctx)
        return duration_ns
