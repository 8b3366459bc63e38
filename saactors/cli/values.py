"""Values on the command line that have a unit."""

from __future__ import annotations

import click

from saactors.observe.units import parse_duration_ns


class Duration(click.ParamType[int]):
    """A time such as 1.5s, 20ms, 3us or 100ns, as nanoseconds."""

    name = "time"

    def convert(
        self, value: str | int, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Nanoseconds."""
        if isinstance(value, int):
            return value
        try:
            return parse_duration_ns(value)
        except ValueError as problem:
            self.fail(str(problem), param, ctx)
