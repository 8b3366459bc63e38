"""A gateway as a process: starts, says that it is ready, drains on SIGTERM, re-reads on SIGHUP.

What runs side by side: the actors, the control socket, the page, the key file's follower, the
housekeeping, systemd's watchdog, and the signals. The actors end last on a drain: receiving stops,
what is inside goes its way, and only what is still there when ``drain_timeout_s`` is over is left.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog
import trio

from saactors.errors import ParameterError, SaactorsError
from saactors.gateway.build import plan_of
from saactors.gateway.commands import answer
from saactors.gateway.control.server import run_control
from saactors.gateway.control.socket_file import SocketFile
from saactors.gateway.gateway import Gateway
from saactors.gateway.log_news import log_told
from saactors.gateway.rekeying import follow_keys
from saactors.gateway.reload import reload
from saactors.gateway.service_manager import ServiceManager
from saactors.gateway.status import packet_totals
from saactors.gateway.warm_up import warm_up
from saactors.gateway.web.options import WebOptions
from saactors.gateway.web.serve import serve_web
from saactors.scenario.gateway_tables import Web
from saactors.scenario.load import load_gateway
from saactors.topology import run_system

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a gateway ended: packets left inside by a drain, and totals."""

    drained: bool  # False: something was left, or nobody waited
    packets: dict[str, Any]


class Surface:
    """What control socket and page are given: commands by name, and attachments."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self.open_attachment = gateway.open_attachment
        self.open_trace = gateway.open_trace

    async def call(self, command: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Answer a command; raises ``SaactorsError`` for what the asker can mend."""
        return await answer(self._gateway, command, arguments)


OnReady = Callable[[Gateway, str | None], None]  # the gateway, and where its page is


def run_gateway(path: str, on_ready: OnReady) -> Ended:
    """Run the gateway that a file describes until a signal ends it.

    Raises:
        UserError: the file, or something that it names, cannot be used; nothing runs then.
        OutputError: a file or a socket cannot be made.
    """
    file = load_gateway(path)
    web = None if file.web is None else _web_options(file.web)
    if file.sas and Path(path).stat().st_mode & 0o077:
        structlog.get_logger().warning("keys_readable_by_others", file=path, mend="chmod 600 it")
    warm_up(plan_of(file))
    with ExitStack() as files:
        gateway = Gateway(file, files)
        files.enter_context(log_told(gateway.parts.system.emitters["log"], gateway.parts.clock))
        socket = SocketFile(file.gateway.control)
        files.callback(socket.close)
        try:
            return trio.run(_run, gateway, path, socket, web, on_ready)
        except BaseExceptionGroup as problems:
            raise _first(problems) from None


async def _run(
    gateway: Gateway,
    path: str,
    socket: SocketFile,
    web: WebOptions | None,
    on_ready: OnReady,
) -> Ended:
    """Run everything until the actors have ended."""
    service = ServiceManager()
    surface, page = Surface(gateway), None
    async with trio.open_nursery() as nursery:
        actors = Running(gateway, service)
        nursery.start_soon(_follow_signals, actors, path)
        await nursery.start(run_control, surface, socket)
        await nursery.start(actors.run)
        if web is not None:
            page = await nursery.start(serve_web, surface.call, web, actors.ended)
        if gateway.parts.file.follow_keys is not None:
            nursery.start_soon(follow_keys, gateway, gateway.parts.file.follow_keys)
        nursery.start_soon(gateway.keep_house)
        nursery.start_soon(service.watch, gateway)
        service.ready()
        on_ready(gateway, page)
        await actors.ended.wait()
        gateway.parts.sas.release_all()
        nursery.cancel_scope.cancel()
    return Ended(actors.drained, packet_totals(gateway.parts))


class Running:
    """The actors, and their end: in order, after a while, or at once."""

    def __init__(self, gateway: Gateway, service: ServiceManager) -> None:
        self.ended = trio.Event()
        self.drained = self.draining = False
        self.gateway = gateway
        self.service = service
        self._scope = trio.CancelScope()

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run the actors until they have ended."""
        try:
            with self._scope:
                task_status.started()
                await run_system(self.gateway.parts.system)
                self.drained = True
        finally:
            self.ended.set()

    async def drain(self) -> None:
        """Receive nothing more, and give what is inside the file's time to leave."""
        gateway = self.gateway
        gateway.draining = True
        self.service.stopping()
        within_s = gateway.parts.file.gateway.drain_timeout_s
        structlog.get_logger().info("draining", timeout_s=within_s)
        gateway.parts.system.receiving.cancel()
        with trio.move_on_after(within_s):
            await self.ended.wait()
        self.stop()

    def stop(self) -> None:
        """End at once."""
        self._scope.cancel()


async def _reload(actors: Running, path: str) -> None:
    """Apply what can be applied of the file, and name what cannot."""
    log = structlog.get_logger()
    actors.service.reloading()
    try:
        told = await reload(actors.gateway, path)
    except SaactorsError as problem:
        log.warning("not_reloaded", problem=str(problem))
    else:
        log.info("reloaded", applied=told.applied, not_applied=told.not_applied)
    actors.service.ready()


def _web_options(web: Web) -> WebOptions:
    """The page's options, with the token from its file.

    Raises:
        ParameterError: the token cannot be read, or is none; an address beyond loopback without.
    """
    token = None
    if web.token_file is not None:
        try:
            token = Path(web.token_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as problem:
            found = getattr(problem, "strerror", None) or "no text"
            expected = "a readable file with a token of at least 16 characters"
            raise ParameterError("web.token_file", found, expected) from None
    return WebOptions(web.address, web.port, token)


async def _follow_signals(actors: Running, path: str) -> None:
    log = structlog.get_logger()
    async with trio.open_nursery() as nursery:
        with trio.open_signal_receiver(*_SIGNALS) as received:
            async for number in received:
                if number == signal.SIGHUP:
                    await _reload(actors, path)
                elif actors.draining:
                    log.warning("stopped_at_once", signal=signal.Signals(number).name)
                    actors.stop()
                else:
                    actors.draining = True
                    nursery.start_soon(actors.drain)


def _first(problems: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error of ours among what was raised, or all of it if none is ours."""
    ours = problems.subgroup(SaactorsError)
    found: BaseException = ours or problems
    while ours is not None and isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
