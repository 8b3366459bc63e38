"""One client's socket on the server's side: whole frames in and out, each within its time."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

import trio

from saactors.errors import ControlError
from saactors.gateway.control.frames import (
    CONNECTION,
    REPLY_BYTES_MAX,
    REQUEST_BYTES_MAX,
    FrameDecoder,
    encode_frame,
    refusal,
)

_RECEIVED_BYTES: Final = 1 << 16


class Connection:
    """Receives requests and sends replies; several tasks may send."""

    def __init__(
        self, stream: trio.socket.SocketType, frame_s: float, slow_client_s: float
    ) -> None:
        self._socket = stream
        self._frame_s = frame_s
        self._slow_client_s = slow_client_s
        self._decoder = FrameDecoder(REQUEST_BYTES_MAX)
        self._sending = trio.Lock()
        self._is_half_sent = False

    async def receive(self) -> dict[str, Any] | None:
        """The next message; None when the client has left. Waits for ever between frames.

        Raises:
            ControlError: what came is no frame, or a frame was not whole in time.
        """
        deadline = math.inf
        while (message := self._decoder.poll_message()) is None:
            if self._decoder.is_within_frame and deadline == math.inf:
                deadline = trio.current_time() + self._frame_s
            octets: bytes | None = None
            with trio.CancelScope(deadline=deadline):
                octets = await self._received()
            if octets is None:
                raise ControlError(
                    "frame",
                    f"a part of one after {self._frame_s:g} s",
                    "the whole",
                    "send each frame at once",
                )
            if not octets:
                return None
            self._decoder.handle_octets(octets)
        return message

    async def send(self, frame: bytes) -> None:
        """Send a frame.

        Raises:
            ControlError: the client did not read it in time.
            trio.BrokenResourceError: the client has left.
        """
        with trio.CancelScope() as patience:
            async with self._sending:
                # What another task sends meanwhile has a time of its own.
                patience.deadline = trio.current_time() + self._slow_client_s
                await self._send_all(memoryview(frame))
        if patience.cancelled_caught:
            raise ControlError(
                "control client",
                f"nothing read for {self._slow_client_s:g} s",
                "one that reads",
                "read what was asked for, or ask for less",
            )

    async def _send_all(self, frame: memoryview) -> None:
        try:
            while frame:
                frame = frame[await self._socket.send(frame) :]
                self._is_half_sent = bool(frame)
        except OSError as problem:
            raise trio.BrokenResourceError from problem

    async def _received(self) -> bytes:
        try:
            return await self._socket.recv(_RECEIVED_BYTES)
        except ConnectionError:
            return b""

    def tell_at_once(self, problem: ControlError) -> None:
        """Say why the connection is about to be closed, if that is possible without waiting."""
        self.send_at_once(refusal(CONNECTION, problem))

    def send_at_once(self, message: Mapping[str, Any]) -> None:
        """Send a short last message if the socket has room and no frame is half sent."""
        if self._is_half_sent:
            return
        with suppress(OSError):  # no room, or nobody there
            os.write(self._socket.fileno(), encode_frame(message, REPLY_BYTES_MAX))

    def close(self) -> None:
        """Close the socket; what was sent can still be read."""
        self._socket.close()
