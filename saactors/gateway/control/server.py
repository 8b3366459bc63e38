"""The control socket's server: who may ask, how much, how fast; what is asked goes to the gateway.

The data path never waits for a client: commands run between bursts, events wait in the bounded
buffers of attachments, and a client that does not read is cut off. Everything has a bound:

    clients                    CLIENTS_MAX; a further one is told and closed
    one request                REQUEST_BYTES_MAX, whole within FRAME_S
    one answer                 REPLY_BYTES_MAX, read within SLOW_CLIENT_S
    streams of one client      STREAMS_MAX
    events in one push         PUSH_EVENTS_MAX

Who keeps to no bound is cut off, and told so where no frame is half sent.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from typing import Final

import structlog
import trio

from saactors.errors import ControlError
from saactors.gateway.control.connection import Connection
from saactors.gateway.control.session import Gateway, Session, defect_of
from saactors.gateway.control.socket_file import SocketFile, peer_of

CLIENTS_MAX: Final = 32  # people, scripts and pages of one machine
FRAME_S: Final = 5.0
SLOW_CLIENT_S: Final = 5.0
ROOT: Final = 0
_CLOSED: Final = frozenset({errno.EBADF, errno.EINVAL, errno.ENOTSOCK})
_PAUSE_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class ControlLimits:
    """The bounds of a server."""

    clients_max: int = CLIENTS_MAX
    frame_s: float = FRAME_S
    slow_client_s: float = SLOW_CLIENT_S


async def run_control(
    gateway: Gateway,
    file: SocketFile,
    limits: ControlLimits = ControlLimits(),
    *,
    owner: int | None = None,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until cancelled; then ``file`` is closed and clients with streams are told.

    ``owner`` is the user, besides root, who may ask; the process's own if None.
    """
    owner = os.geteuid() if owner is None else owner
    log = structlog.get_logger()
    clients = 0
    file.listening.setblocking(False)
    listening = trio.socket.from_stdlib_socket(file.listening)

    async def serve(connection: Connection) -> None:
        nonlocal clients
        clients += 1
        try:
            await Session(gateway, connection).run()
        except ControlError as problem:
            log.warning("control_client_cut_off", reason=str(problem))
            connection.tell_at_once(problem)
        except Exception as problem:  # noqa: BLE001 - a defect here must not end the traffic
            log.error("control_client_failed", error=defect_of(problem))  # noqa: TRY400 - no traceback: it may quote a key
        finally:
            clients -= 1
            connection.close()

    try:
        async with trio.open_nursery() as nursery:
            task_status.started()
            while True:
                try:
                    accepted, _ = await listening.accept()
                except OSError as problem:
                    if problem.errno in _CLOSED:
                        raise
                    # No descriptors or memory left, or whoever came has left: others will come.
                    log.warning("control_client_not_accepted", reason=problem.strerror)
                    await trio.sleep(_PAUSE_S)
                    continue
                connection = Connection(accepted, limits.frame_s, limits.slow_client_s)
                refusal = _refusal(peer_of(accepted).user, owner, clients, limits.clients_max)
                if refusal is None:
                    nursery.start_soon(serve, connection)
                    continue
                log.warning("control_client_refused", reason=str(refusal))
                connection.tell_at_once(refusal)
                connection.close()
    finally:
        file.close()


def _refusal(user: int, owner: int, clients: int, clients_max: int) -> ControlError | None:
    """Why a client may not ask; None if it may."""
    if user not in {ROOT, owner}:
        return ControlError(
            "control socket", f"user {user}", f"root or user {owner}", "ask as the gateway's owner"
        )
    if clients >= clients_max:
        return ControlError(
            "control socket",
            f"{clients} clients",
            f"at most {clients_max}",
            "end one of them, then ask again",
        )
    return None
