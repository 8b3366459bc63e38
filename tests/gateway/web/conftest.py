"""The page on a real socket, with something small behind it that answers."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
import trio

from saactors.gateway.web.app import Ask
from saactors.gateway.web.options import WebOptions
from saactors.gateway.web.serve import serve_web


@dataclass
class Reply:
    """What came back over HTTP."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    @property
    def json(self) -> Any:
        """The body as what it stands for."""
        return json.loads(self.body)


@dataclass
class Served:
    """A page that is being served."""

    url: str
    stop: Callable[[], None]

    def get(self, path: str, method: str = "GET", **headers: str) -> Reply:
        """One request; underscores in names of headers stand for hyphens."""
        place = urlsplit(self.url)
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=10)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.putrequest(method, path, skip_host="Host" in named)
            for name, value in named.items():
                connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            told = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, told, answer.read())
        finally:
            connection.close()


@contextmanager
def served_by(ask: Ask, options: WebOptions) -> Iterator[Served]:
    """A page in a thread of its own, as its gateway's process would serve it."""
    stop, started = trio.Event(), threading.Event()
    told: dict[str, Any] = {}

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            told["token"] = trio.lowlevel.current_trio_token()
            told["url"] = await nursery.start(serve_web, ask, options, stop)
            started.set()

    def run() -> None:
        try:
            trio.run(main)
        except BaseException as problem:  # noqa: BLE001 # shown by the test's own thread
            told["problem"] = problem
        finally:
            started.set()

    def end() -> None:
        if thread.is_alive():
            told["token"].run_sync_soon(stop.set)
        thread.join(10)
        assert not thread.is_alive(), "the server does not stop"

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    started.wait(20)
    if "problem" in told:
        raise told["problem"]
    try:
        yield Served(told["url"], end)
    finally:
        end()


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    """Serve what answers, on a free port of loopback unless told otherwise."""
    with ExitStack() as open_ones:

        def start(ask: Ask, **options: Any) -> Served:
            chosen = WebOptions(**({"port": 0} | options))
            return open_ones.enter_context(served_by(ask, chosen))

        yield start
