"""What ``saactors ctl`` takes: SPIs, SAs, rules, each completed from the gateway that runs.

Whoever presses Tab gets what a gateway answers within ``COMPLETION_S``, or nothing; never an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from saactors.errors import SaactorsError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMPLETION_S: Final = 1.0
COMPLETIONS_MAX: Final = 200  # no shell shows more
SPI_MIN: Final = 256  # 0 to 255 are reserved, RFC 4303 §2.1


class Spi(click.ParamType[int]):
    """An SPI: hexadecimal as 0x1000, or decimal."""

    name = "spi"

    def convert(
        self, value: str | int, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """The number."""
        try:
            spi = value if isinstance(value, int) else int(value, 0)
        except ValueError:
            spi = 0
        if not SPI_MIN <= spi < 1 << 32:
            expected = f"an SPI from {SPI_MIN} to {(1 << 32) - 1} such as 0x1000 or 4096"
            self.fail(f"found {value!r}, expected {expected}", param, ctx)
        return spi

    def shell_complete(
        self, ctx: click.Context, _param: click.Parameter, incomplete: str
    ) -> list[CompletionItem[str]]:
        """SPIs of the running gateway, with the SAs' ends."""
        digits = incomplete.lower().removeprefix("0x")
        wanted = {"limit": COMPLETIONS_MAX, **({"search": digits} if digits else {})}
        found = []
        for row in _asked(ctx, "sa.list", wanted).get("rows", ()):
            # As the tables have it, or without the zeros in front.
            forms = (f"{row['spi']:#010x}", f"{row['spi']:#x}", str(row["spi"]))
            form = next((each for each in forms if each.startswith(incomplete.lower())), None)
            if form is not None:
                found.append(_item(form, f"{row['direction']} {row['destination'] or ''}"))
        return found


class Sa(Spi):
    """An SA by its SPI, hexadecimal or decimal, or by its name."""

    name = "spi|name"

    def convert(  # type: ignore[override] # a name is text
        self, value: str | int, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | str:
        """The number or the name."""
        if isinstance(value, str) and not value[:1].isdigit():
            return value
        return super().convert(value, param, ctx)


class Rule(click.ParamType[str]):
    """A rule by its name; FILE.py:NAME is one of one's own, as the gateway sees the file."""

    name = "rule"

    def shell_complete(
        self, ctx: click.Context, _param: click.Parameter, incomplete: str
    ) -> list[CompletionItem[str]]:
        """Rules of the running gateway."""
        names = _asked(ctx, "rule.show", {}).get("rules", ())
        return [_item(name) for name in names if name.startswith(incomplete)]


class Setting(click.ParamType[tuple[str, Any]]):
    """A parameter of a rule as NAME=VALUE; what looks like a number is one."""

    name = "name=value"

    def convert(
        self,
        value: str | tuple[str, Any],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> tuple[str, Any]:
        """The name and the value."""
        if isinstance(value, tuple):
            return value
        name, sign, text = value.partition("=")
        if not (name and sign and text):
            self.fail(f"found {value!r}, expected NAME=VALUE such as threshold=500", param, ctx)
        return name.strip().replace("-", "_"), plain_value(text.strip())

    def shell_complete(
        self, ctx: click.Context, _param: click.Parameter, incomplete: str
    ) -> list[CompletionItem[str]]:
        """The parameters in use, if they are the named rule's."""
        answer = _asked(ctx, "rule.show", {})
        if answer.get("name") != ctx.params.get("name"):
            return []
        written = (f"{name}={value}" for name, value in answer["parameters"].items())
        return [_item(each) for each in written if each.startswith(incomplete)]


def plain_value(text: str) -> bool | int | float | str:
    """Text as TOML would have it: true, false, a number, else text."""
    if text in {"true", "false"}:
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _item(value: str, told: str = "") -> CompletionItem[str]:
    from click.shell_completion import CompletionItem  # noqa: PLC0415

    return CompletionItem(value, help=told or None)


def _asked(ctx: click.Context, command: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The answer of the gateway that the command line so far names; {} if there is none."""
    from saactors.gateway.control.client import ControlClient, socket_path  # noqa: PLC0415

    place: click.Context | None = ctx
    path = None
    while place is not None and not path:
        path = place.params.get("socket") or next(iter(place.params.get("to") or ()), None)
        place = place.parent
    try:
        with ControlClient(path or socket_path(), answer_s=COMPLETION_S) as client:
            return client.call(command, arguments)
    except (SaactorsError, OSError):
        return {}
