"""The control socket as a file: made for its owner alone, taken over from the dead, removed.

Only whoever may connect may steer the gateway, so the file is 0600 from the moment that it is
there, and who connects is asked for once more (``peer_of``). A file that a killed gateway left is
replaced; one that somebody still answers on is not. Two gateways that start at once are kept apart
by a lock on the folder.
"""

from __future__ import annotations

import fcntl
import os
import socket
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from saactors.errors import ControlError

if TYPE_CHECKING:
    import trio

PATH_BYTES_MAX: Final = 107  # sun_path, less the octet that ends it
BACKLOG: Final = 64
_PRIVATE: Final = 0o177  # what the mask takes away: the file is 0600
_CREDENTIALS: Final = struct.Struct("3i")  # pid, uid, gid (unix(7), SO_PEERCRED)


class Peer(NamedTuple):
    """Who is on the other end, as the kernel knows it."""

    process: int
    user: int


class SocketFile:
    """A listening socket and its file. ``close`` removes the file if it is still ours."""

    def __init__(self, path: str) -> None:
        """Bind and listen.

        Raises:
            ControlError: somebody answers there already, or there can be no socket.
        """
        self.path = path
        self.listening = _bound(path)
        self.listening.listen(BACKLOG)
        self._identity = _identity(path)

    def close(self) -> None:
        """Remove the file, unless another has taken its place, and stop listening."""
        if self.listening.fileno() < 0:
            return  # closed already; the file's number may be another's by now
        with suppress(OSError):
            if _identity(self.path) == self._identity:
                Path(self.path).unlink()
        self.listening.close()


def peer_of(connection: socket.socket | trio.socket.SocketType) -> Peer:
    """Who has connected."""
    size = _CREDENTIALS.size
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    process, user, _ = _CREDENTIALS.unpack(credentials)
    return Peer(process, user)


def _bound(path: str) -> socket.socket:
    length = len(os.fsencode(path))
    if not 1 <= length <= PATH_BYTES_MAX:
        raise _no_socket(path, f"a path of {length} octets", f"1 to {PATH_BYTES_MAX}")
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        with _locked(Path(path).parent):
            _make_way(path)
            former = os.umask(_PRIVATE)
            try:
                bound.bind(path)
            finally:
                os.umask(former)
    except OSError as problem:
        bound.close()
        raise _no_socket(path, problem.strerror or str(problem), "a place for a socket") from None
    except BaseException:
        bound.close()
        raise
    return bound


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _make_way(path: str) -> None:
    """Remove what a dead gateway left; raises ControlError for what is not that."""
    try:
        mode = Path(path).lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise _no_socket(path, "a file that is no socket", "nothing there, or a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.setblocking(False)  # a full backlog means that somebody is there
        try:
            asking.connect(path)
        except ConnectionRefusedError:
            Path(path).unlink()
            return
        except FileNotFoundError:
            return
        except BlockingIOError:
            who = "a process"
        else:
            who = f"process {peer_of(asking).process}"
    raise _no_socket(
        path, f"a socket on which {who} answers", "one that nobody uses", "end that process first"
    )


def _no_socket(path: str, found: str, expected: str, mend: str = "") -> ControlError:
    mend = f"{mend}, or choose another path" if mend else "choose another path"
    return ControlError(f"control socket {path}", found, expected, mend)


def _identity(path: str) -> tuple[int, int]:
    found = Path(path).lstat()
    return found.st_dev, found.st_ino
