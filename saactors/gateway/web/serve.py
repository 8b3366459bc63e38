"""Serves the application on trio, inside the gateway's own nursery.

Readers are strangers to the data path: one that stops reading is cut off by the kernel
(``TCP_USER_TIMEOUT``), one that sends nothing by the server, and a request that fails is logged and
answered with status 500.
"""

from __future__ import annotations

import logging
import socket
from typing import Final

import trio
from hypercorn.config import Config
from hypercorn.trio import serve

from saactors.errors import ParameterError
from saactors.gateway.web.app import Ask, web_application
from saactors.gateway.web.options import WebOptions

_UNREAD_MAX_MS: Final = 4_000  # in milliseconds, as the option is; also bounds the stop
_SILENT_MAX: Final = 60  # s without a request on an open connection
_GRACE: Final = 1.0  # s that answers under way have when the gateway stops
_BACKLOG: Final = 64


async def serve_web(
    ask: Ask,
    options: WebOptions,
    stop: trio.Event,
    *,
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until ``stop`` is set; starts (``nursery.start``) with the URL of the page.

    Raises:
        ParameterError: the address and port cannot be listened on.
    """
    listener = _listener(options)
    host, port = listener.getsockname()[:2]
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.errorlog = config.accesslog = None
    config.errorlog = logging.getLogger("saactors.gateway.web")
    config.include_server_header = False
    config.graceful_timeout = _GRACE
    config.read_timeout = _SILENT_MAX
    config.backlog = _BACKLOG
    async with trio.open_nursery() as nursery:
        application = web_application(ask, options)
        await nursery.start(_serve_until, application, config, stop)
        task_status.started(f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/")


async def _serve_until(
    application: object,
    config: Config,
    stop: trio.Event,
    *,
    task_status: trio.TaskStatus[list[str]] = trio.TASK_STATUS_IGNORED,
) -> None:
    await serve(
        application,  # type: ignore[arg-type] # hypercorn has types of its own for ASGI's
        config,
        mode="asgi",
        shutdown_trigger=stop.wait,
        task_status=task_status,
    )


def _listener(options: WebOptions) -> socket.socket:
    """A listening socket whose connections inherit its time limit."""
    family = socket.AF_INET6 if options.ip.version == 6 else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREAD_MAX_MS)
        listener.setblocking(False)
        listener.bind((str(options.ip), options.port))
        listener.listen(_BACKLOG)
    except OSError as problem:
        listener.close()
        found = f"{options.address}, port {options.port}: {problem.strerror or problem}"
        expected = "an address of this machine and a port that nobody listens on"
        raise ParameterError("web.address and web.port", found, expected) from problem
    return listener
