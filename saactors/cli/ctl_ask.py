"""How ``saactors ctl`` asks: one gateway, or many at once, and tells what each has said.

``--socket``, ``--to`` and ``--json`` stand before or behind the command's name, as one likes.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import click

from saactors.cli.output import standard_output
from saactors.errors import ControlError, SaactorsError

if TYPE_CHECKING:
    from saactors.cli.ctl_screen import Part

FAILED: Final = 1  # the exit status where a gateway refused or could not be asked
PATIENCE_S: Final = 120.0
SLOW: Final = frozenset({"sa.import", "rule.set"})  # thousands of SAs; a rule yet to be compiled
AT_ONCE_MAX: Final = 64  # gateways asked at the same time
Answer: TypeAlias = dict[str, Any]
Show: TypeAlias = Callable[[Answer], "Iterable[Part]"]
Decorator: TypeAlias = Callable[[Callable[..., Any]], Callable[..., Any]]

_PATH: Final = click.Path(dir_okay=False)


@dataclass(frozen=True, slots=True)
class Asking:
    """Whom to ask, and how to tell the answer."""

    socket: str | None = None
    to: tuple[str, ...] = ()
    as_json: bool = False

    def ask(self, command: str, arguments: Mapping[str, Any], show: Show) -> None:
        """Ask one gateway and print its answer.

        Raises:
            ControlError: it refused, or cannot be asked.
        """
        if self.to:
            raise click.UsageError("--to is for commands that change something; use --socket PATH")
        self.print_answer(call(self.path, command, arguments), show)

    def tell(
        self, command: str, arguments: Mapping[str, Any], told: Callable[[Answer], str]
    ) -> None:
        """Have something changed, in one gateway or in all of ``--to``; ``told`` says what was."""
        self.tell_by(lambda path: call(path, command, arguments), told)

    def tell_by(self, change: Callable[[str], Answer], told: Callable[[Answer], str]) -> None:
        """The same where ``change`` asks the gateway at a path, perhaps more than once."""
        if not self.to:
            answer = change(self.path)
            with standard_output():
                click.echo(json.dumps(answer, indent=2) if self.as_json else told(answer))
            return
        found = dict(zip(self.to, _all_of(change, self.to), strict=True))
        with standard_output():
            if self.as_json:
                said = {path: _as_object(each) for path, each in found.items()}
                click.echo(json.dumps(said, indent=2))
            for path, each in found.items() if not self.as_json else ():
                click.echo(f"{path}: {told(each) if isinstance(each, dict) else each}")
        if any(isinstance(each, SaactorsError) for each in found.values()):
            click.get_current_context().exit(FAILED)

    def print_answer(self, answer: Answer, show: Show) -> None:
        """Print an answer, for people or as JSON."""
        with standard_output():
            if self.as_json:
                click.echo(json.dumps(answer, indent=2))
                return
            # Imported here, because JSON needs none of it.
            from saactors.cli.ctl_screen import print_parts  # noqa: PLC0415

            try:
                print_parts(show(answer), sys.stdout)
            except KeyError as missing:
                raise ControlError(
                    "answer", f"nothing under {missing}", "what docs/control.md says",
                    "use saactors of the gateway's release, or --json",
                ) from None  # fmt: skip

    @property
    def path(self) -> str:
        """The socket of the one gateway that is asked."""
        from saactors.gateway.control.client import socket_path  # noqa: PLC0415

        return self.socket or socket_path()


def call(path: str, command: str, arguments: Mapping[str, Any]) -> Answer:
    """Ask one gateway; raises ControlError."""
    from saactors.gateway.control.client import ANSWER_S, ControlClient  # noqa: PLC0415

    with ControlClient(path, PATIENCE_S if command in SLOW else ANSWER_S) as client:
        return client.call(command, arguments)


def asks(*, changes: bool = False) -> Decorator:
    """Give a command its ``Asking``, with options that go before those of the group."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def asking(
            socket: str | None,
            as_json: bool,
            to: tuple[str, ...] = (),
            **given: Any,  # noqa: ANN401 - the command's
        ) -> Any:  # noqa: ANN401 - whatever the command returns
            group = click.get_current_context().find_object(Asking) or Asking()
            given["asking"] = Asking(
                socket or group.socket, to or group.to, as_json or group.as_json
            )
            return function(**given)

        return _options(asking, with_to=changes)

    return decorate


def group_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same options for the group; its function stores what they say."""
    return _options(function, with_to=True)


def _options(function: Callable[..., Any], *, with_to: bool) -> Callable[..., Any]:
    function = click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")(
        function
    )
    if with_to:
        function = click.option(
            "--to", multiple=True, type=_PATH, metavar="SOCKET",
            help="Change it in this gateway; repeat it for others.",
        )(function)  # fmt: skip
    return click.option(
        "--socket", type=_PATH, metavar="PATH",
        help="Gateway to ask. [$SAACTORS_SOCKET, else /run/saactors/control.sock]",
    )(function)  # fmt: skip


def given_of(**arguments: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever a command takes
    """Arguments without those that were left out."""
    return {name: value for name, value in arguments.items() if value is not None}


def shown_by(name: str) -> Show:
    """How ``ctl_tables`` shows an answer; imported when there is one, as it needs rich."""

    def show(answer: Answer) -> Iterable[Part]:
        from saactors.cli import ctl_tables  # noqa: PLC0415

        parts: Iterable[Part] = getattr(ctl_tables, name)(answer)
        return parts

    return show


def _all_of(
    change: Callable[[str], Answer], paths: tuple[str, ...]
) -> list[Answer | SaactorsError]:
    """What each gateway said, all asked at once; an error is what one said, too."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    def one(path: str) -> Answer | SaactorsError:
        try:
            return change(path)
        except SaactorsError as problem:
            return problem

    with ThreadPoolExecutor(min(len(paths), AT_ONCE_MAX)) as pool:
        return list(pool.map(one, paths))


def _as_object(said: Answer | SaactorsError) -> Answer:
    if isinstance(said, ControlError):
        fields = {name: getattr(said, name) for name in ("what", "found", "expected", "mend")}
        return {"error": fields}
    return {"error": {"what": str(said)}} if isinstance(said, SaactorsError) else said
