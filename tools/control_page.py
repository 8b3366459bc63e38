"""docs/control.md, made from the table of commands: ``python tools/control_page.py`` writes it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Literal, Union, get_args, get_origin

from pydantic import BaseModel

from saactors.gateway.control.answers import Answer
from saactors.gateway.control.arguments import Arguments
from saactors.gateway.control.schema import COMMANDS, Command, description

DOCUMENT = Path(__file__).parents[1] / "docs" / "control.md"
INTRODUCTION = """# Control of a running gateway

`saactors run` answers on a Unix socket (`[gateway] control` in its file); `saactors ctl` asks:

    saactors ctl status
    saactors ctl sa list --sort metric
    saactors ctl explain 0x1000
    saactors ctl rule set metric threshold=500 --to /run/saactors/a.sock --to /run/saactors/b.sock

`--socket PATH` says where; else the variable `SAACTORS_SOCKET`, else `/run/saactors/control.sock`.
`--json` prints an answer as it is below. The status is 0, 1 for what was refused or could not be
asked, 2 for a command line that is wrong. `saactors completion bash` prints what makes a shell
complete commands, and SPIs of the running gateway. Keys come from a file or from standard input
(`--key-file FILE|-`), never from a command line, which everybody on the machine can read.

This page is made from `saactors/gateway/control/` by `python tools/control_page.py`.

## Frames

A frame is 4 octets, most significant first, with the length of its body, then the body: one map in
[msgpack](https://msgpack.org).

| frame | body |
| --- | --- |
| request | `{"v": 1, "id": n, "command": "sa.show", "arguments": {"spi": 4096}}` |
| reply | `{"v": 1, "id": n, "answer": {…}}` |
| refusal | `{"v": 1, "id": n, "error": {"what": …, "found": …, "expected": …, "mend": …}}` |
| push | `{"v": 1, "id": n, "events": [[kind, time_ns, …], …], "events_lost": total so far}` |
| end | `{"v": 1, "id": n, "end": why}` |

The `id` is the client's choice, from 1; a refusal with `id` 0 is about the connection, which is
then closed. A connection's requests are answered one after the other. After the reply to `attach`
or `trace.add` come pushes until the end, and other requests may go on beside them. In a row the
kind is an index in the `kinds` that the reply has given. `v` is the version: another one is refused
by name. Arguments that a command does not have are refused, and so are values of another type;
nothing that may be a key is ever quoted. Answers hold no keys.

| bound | value |
| --- | --- |
| who may ask | root and the gateway's owner; the socket's mode is 0600 |
| clients at once | {clients} |
| request | {request} MiB, whole within {frame_s:g} s |
| reply | {reply} MiB, read within {slow_s:g} s |
| streams of a client | {streams} |

Who keeps to no bound is told and cut off. A reader of events that is too slow for them loses
events, which are counted; traffic waits for nobody who listens.
"""


def main() -> None:
    """Write the document."""
    DOCUMENT.write_text(document(), encoding="utf-8")
    print(f"{DOCUMENT.name}: {len(COMMANDS)} commands")


def document() -> str:
    """The text of docs/control.md."""
    from saactors.gateway.control import frames, server, session  # noqa: PLC0415 # figures only

    introduction = INTRODUCTION
    for name, value in {
        "{clients}": server.CLIENTS_MAX,
        "{request}": frames.REQUEST_BYTES_MAX >> 20,
        "{frame_s:g}": f"{server.FRAME_S:g}",
        "{reply}": frames.REPLY_BYTES_MAX >> 20,
        "{slow_s:g}": f"{server.SLOW_CLIENT_S:g}",
        "{streams}": session.STREAMS_MAX,
    }.items():
        introduction = introduction.replace(name, str(value))
    inner: dict[str, type[Answer]] = {}
    parts = [introduction, "\n## Commands that only ask\n"]
    parts += [section(each, inner) for each in COMMANDS.values() if not each.changes]
    parts.append("\n## Commands that change something\n")
    parts += [section(each, inner) for each in COMMANDS.values() if each.changes]
    parts.append("\n## Tables inside answers\n")
    for name, model in inner.items():
        parts.append(f"\n### {name}\n\n{model.__doc__}\n\n" + "".join(answer_rows(model, {})))
    return "".join(parts)


def section(command: Command, inner: dict[str, type[Answer]]) -> str:
    """What a command takes and gives; models inside its answer are noted in ``inner``."""
    asked = json.dumps(dict(command.example), ensure_ascii=False)
    text = f"\n### {command.name}\n\n{command.summary}"
    text += f" `saactors ctl {command.line}`\n" if command.line else "\n"
    rows = list(argument_rows(command.arguments))
    if rows:
        text += "\n| argument | expected | if left out |\n| --- | --- | --- |\n" + "".join(rows)
        text += f"\nExample: `{asked}`\n"
    else:
        text += "\nNo arguments.\n"
    return text + "\n" + "".join(answer_rows(command.answer, inner))


def argument_rows(model: type[Arguments], prefix: str = "") -> Iterator[str]:
    """A row for each argument, with those inside of it."""
    for name, field in model.model_fields.items():
        default = "–" if field.is_required() else told(field.get_default(call_default_factory=True))
        inside = model_in(field.annotation)
        yield f"| `{prefix}{name}` | {description(model, name)} | {default} |\n".replace("…|", "…")
        if inside is not None and issubclass(inside, Arguments):
            many = get_origin(field.annotation) is tuple
            yield from argument_rows(inside, f"{prefix}{name}{'[]' if many else ''}.")


def answer_rows(model: type[Answer], inner: dict[str, type[Answer]]) -> Iterator[str]:
    """The table of an answer's fields."""
    yield "| answer | type | |\n| --- | --- | --- |\n"
    for name, field in model.model_fields.items():
        yield f"| `{name}` | {typed(field.annotation, inner)} | {field.description or ''} |\n"


def typed(hint: object, inner: dict[str, type[Answer]]) -> str:
    """A type in words."""
    origin, parts = get_origin(hint), get_args(hint)
    if model_of(hint):
        if hint.__name__ not in inner:
            inner[hint.__name__] = hint
            for field in hint.model_fields.values():
                typed(field.annotation, inner)
        return f"[{hint.__name__}](#{hint.__name__.lower()})"
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in parts)
    if origin in {Union, UnionType}:
        kinds = [typed(part, inner) for part in parts if part is not NoneType]
        return " or ".join([*kinds, *(["nothing"] if NoneType in parts else [])])
    if origin in {list, tuple}:
        return "array of " + ", ".join(typed(part, inner) for part in parts)
    if origin is dict:
        return "map from names to " + ("whole numbers" if parts[1] is int else "plain values")
    return {int: "whole number", float: "number", str: "text", bool: "true or false"}[hint]


def model_in(hint: object) -> type[BaseModel] | None:
    """The model in a hint, if there is one."""
    candidates = (hint, *get_args(hint))
    return next((each for each in candidates if model_of(each)), None)


def model_of(hint: object) -> bool:
    """Whether a hint is a model."""
    return isinstance(hint, type) and issubclass(hint, BaseModel)


def told(value: object) -> str:
    """A default in words."""
    if value is None:
        return "nothing"
    if isinstance(value, BaseModel) or value in ((), {}):
        return "empty"
    if value == (0, 65_535):
        return "`any`"
    return f"`{json.dumps(value)}`"


if __name__ == "__main__":
    main()
