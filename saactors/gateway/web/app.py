"""The routes: the page and its files, answers as JSON, metrics, health.

All that is known comes from one function, ``ask``, which answers the commands of the control
socket (docs/control.md); here only those that change nothing and push nothing are let through. The
application runs in the thread of the data path: it reads its files once, and sends what is large in
pieces, so that packets go on between them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable, Mapping
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import trio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from saactors.errors import ControlError, UserError
from saactors.gateway.control.schema import COMMANDS
from saactors.gateway.web.guard import Guard
from saactors.gateway.web.metrics import HOTTEST_SAS, exposition
from saactors.gateway.web.options import WebOptions
from saactors.gateway.web.query import typed_arguments

Ask = Callable[[str, Mapping[str, object]], Awaitable[dict[str, Any]]]

READABLE: Final = frozenset(
    name for name, command in COMMANDS.items() if not (command.changes or command.pushes)
)
_ANSWER_WITHIN: Final = 10.0  # s; a gateway that takes longer is in trouble, and the asker is told
_PIECE_BYTES: Final = 64 << 10
_STATIC: Final = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "charts.js": "text/javascript; charset=utf-8",
    "lists.js": "text/javascript; charset=utf-8",
    "sas.js": "text/javascript; charset=utf-8",
    "formats.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


def web_application(ask: Ask, options: WebOptions) -> ASGIApp:
    """The ASGI application; every request goes through the ``Guard``."""
    pages = _Pages(ask)
    routes = [
        Route("/", pages.page),
        Route("/static/{name}", pages.static),
        Route("/plotly.js", _Plotly()),
        Route("/api/{command}", pages.api),
        Route("/metrics", pages.metrics),
        Route("/healthz", pages.health),
        Route("/readyz", pages.readiness),
    ]
    return Guard(Starlette(routes=routes), options)


class _Pages:
    """What the routes answer."""

    def __init__(self, ask: Ask) -> None:
        self._ask_gateway = ask
        folder = files(__package__)
        self._page = folder.joinpath("page.html").read_bytes()
        self._static = {name: folder.joinpath(name).read_bytes() for name in _STATIC}

    async def page(self, _request: Request) -> Response:
        return Response(self._page, media_type="text/html")

    async def static(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self._static:
            return PlainTextResponse("there is no such file\n", 404)
        # Asked for again each time: a gateway of another version has another page.
        return Response(self._static[name], headers={"content-type": _STATIC[name]})

    async def api(self, request: Request) -> Response:
        """The answer of a command whose arguments stand in the query."""
        command = request.path_params["command"]
        try:
            if command not in READABLE:
                raise _not_readable(command)
            arguments = typed_arguments(command, request.query_params.multi_items())
            answer = await self._ask(command, arguments)
        except trio.TooSlowError:
            late = ControlError(command, f"no answer within {_ANSWER_WITHIN:g} s")
            return _as_json({"error": _told(late)}, 504)
        except (UserError, ControlError) as problem:
            return _as_json({"error": _told(problem)}, 400)
        return _as_json(answer)

    async def metrics(self, request: Request) -> Response:
        """For Prometheus, in the format that it asks for."""
        # SAs first: totals read later are never less than the sum of their parts.
        hottest = await self._ask("sa.list", {"sort": "packets_per_s", "limit": HOTTEST_SAS})
        status = await self._ask("status", {})
        content, kind = exposition(status, hottest["rows"], request.headers.get("accept", ""))
        return Response(content, headers={"content-type": kind})

    async def health(self, _request: Request) -> Response:
        """Whether the process lives: that it answers is the answer."""
        return PlainTextResponse("ok\n")

    async def readiness(self, _request: Request) -> Response:
        """Whether to send traffic here."""
        try:
            status = await self._ask("status", {})
        except (UserError, ControlError, trio.TooSlowError):
            return PlainTextResponse("no answer from the data path\n", 503)
        if status["draining"]:
            return PlainTextResponse("draining\n", 503)
        if not status["ready"]:
            return PlainTextResponse("starting\n", 503)
        return PlainTextResponse("ready\n")

    async def _ask(self, command: str, arguments: Mapping[str, object]) -> dict[str, Any]:
        """Raises ``trio.TooSlowError`` rather than keep a request for ever."""
        with trio.fail_after(_ANSWER_WITHIN):
            return await self._ask_gateway(command, arguments)


class _Plotly:
    """plotly.js from the installed package: almost 5 MB, so browsers may keep it for a day."""

    def __init__(self) -> None:
        package = find_spec("plotly")  # importing it would take a third of a second
        assert package is not None
        assert package.submodule_search_locations
        folder = Path(package.submodule_search_locations[0])
        self._path = folder / "package_data" / "plotly.min.js"
        state = self._path.stat()
        self._length = state.st_size
        self._headers = {
            "content-type": "text/javascript; charset=utf-8",
            "cache-control": "private, max-age=86400",
            "etag": f'"{state.st_size:x}-{state.st_mtime_ns:x}"',
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if Request(scope).headers.get("if-none-match") == self._headers["etag"]:
            await Response(status_code=304, headers=self._headers)(scope, receive, send)
            return
        headers = self._headers | {"content-length": str(self._length)}
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": 200, "headers": raw})
        # A file of the package, in the page cache after the first reader: a piece takes 10 µs.
        with self._path.open("rb") as script:  # a thread costs more
            while piece := script.read(_PIECE_BYTES):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                await trio.lowlevel.checkpoint()
        await send({"type": "http.response.body", "body": b""})


def _not_readable(command: str) -> ControlError:
    if command in COMMANDS:
        told = f"{command}, which is for the control socket"
        return ControlError("command", told, "one that only reads", f"saactors ctl {command}")
    return ControlError("command", "an unknown one", f"one of {', '.join(sorted(READABLE))}")


def _told(problem: Exception) -> dict[str, str]:
    """An error as the control socket tells it."""
    if isinstance(problem, ControlError):
        parts = (problem.what, problem.found, problem.expected, problem.mend)
    else:
        parts = (str(problem), "", "", "")
    return dict(zip(("what", "found", "expected", "mend"), parts, strict=True))


def _as_json(answer: Mapping[str, Any], status: int = 200) -> Response:
    try:
        text = json.dumps(answer, ensure_ascii=False, allow_nan=False, default=_plain)
    except ValueError:  # JSON has no infinity, and an endless threshold is one
        text = json.dumps(_finite(answer), ensure_ascii=False, allow_nan=False, default=_plain)
    return Response(text, status, media_type="application/json")


def _plain(value: object) -> object:
    """NumPy's scalars as Python's, and views of mappings as maps."""
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"found a {type(value).__name__}, expected plain values")


def _finite(value: Any) -> Any:  # noqa: ANN401 # any plain value
    """The same with null for numbers that JSON cannot write."""
    if isinstance(value, Mapping):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
