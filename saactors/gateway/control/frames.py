"""Frames of the control socket, without I/O: octets in, messages out, and back.

    frame      4 octets, most significant first: the length of the body | body, one msgpack map
    request    {"v": 1, "id": n, "command": "sa.list", "arguments": {…}}
    reply      {"v": 1, "id": n, "answer": {…}}
    refusal    {"v": 1, "id": n, "error": {"what", "found", "expected", "mend"}}
    push       {"v": 1, "id": n, "events": [row, …], "events_lost": total so far}
    end        {"v": 1, "id": n, "end": why}

A request's ``id`` is its sender's choice and comes back with whatever answers it; a refusal with
``id`` 0 is about the connection and closes it. The layout of a frame and the keys ``v``, ``id`` and
``error`` stay as they are in every version, so that whoever meets another version can say so.

Both ends bound what they take: a body is read only if its length is allowed, and msgpack's own
limits hold inside it. Whatever the octets are, a decoder gives messages or raises ``ControlError``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgpack

from saactors.errors import ControlError

VERSION: Final = 1
LENGTH_BYTES: Final = 4
REQUEST_BYTES_MAX: Final = 4 << 20  # some 25 000 lines of an SA file; a client splits longer ones
REPLY_BYTES_MAX: Final = 16 << 20  # a thousand SAs are half a megabyte
ID_MAX: Final = (1 << 53) - 1  # what every language's numbers hold exactly
COMMAND_CHARACTERS_MAX: Final = 64
CONNECTION: Final = 0  # the id of what is about the connection and no request
_SHOWN_CHARACTERS_MAX: Final = 40


class FrameDecoder:
    """Turns octets, however they were split, into the messages of one direction.

    Holds at most one body of ``bytes_max`` and what came behind it in the same piece of octets.
    After it has raised it is of no more use: where the next frame begins is not known.
    """

    __slots__ = ("_bytes_max", "_length", "_received")

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._received = bytearray()
        self._length: int | None = None  # of the body, once it is known

    @property
    def is_within_frame(self) -> bool:
        """Whether a frame has begun and not ended."""
        return bool(self._received) or self._length is not None

    def handle_octets(self, octets: bytes | bytearray | memoryview) -> None:
        """Take what was received; ask ``poll_message`` until it has no more."""
        self._received += octets

    def poll_message(self) -> dict[str, Any] | None:
        """The next whole message; None: more octets are needed.

        Raises:
            ControlError: a body that is too long, or that is no msgpack map.
        """
        if self._length is None:
            if len(self._received) < LENGTH_BYTES:
                return None
            self._length = self._allowed(int.from_bytes(self._received[:LENGTH_BYTES], "big"))
            del self._received[:LENGTH_BYTES]
        if len(self._received) < self._length:
            return None
        body = bytes(memoryview(self._received)[: self._length])
        del self._received[: self._length]
        self._length = None
        return _unpacked(body)

    def _allowed(self, length: int) -> int:
        if 1 <= length <= self._bytes_max:
            return length
        raise ControlError(
            "frame",
            f"a length of {length:,} octets",
            f"1 to {self._bytes_max:,}",
            "begin each frame with its length in 4 octets, and ask for less at once",
        )


def encode_frame(message: Mapping[str, Any], bytes_max: int) -> bytes:
    """The frame of a message: plain values, also NumPy's scalars, but no other objects.

    Raises:
        ControlError: the body is longer than ``bytes_max``.
        TypeError, ValueError, OverflowError: a value that msgpack has no form for.
    """
    body: bytes = msgpack.packb(message, default=_plain)
    if len(body) > bytes_max:
        raise ControlError(
            "frame", f"{len(body):,} octets", f"at most {bytes_max:,}", "ask for less at once"
        )
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks; the arguments may hold keys, which no repr shows."""

    id: int
    command: str
    arguments: dict[str, Any]

    def __repr__(self) -> str:
        return f"Request(id={self.id}, command={self.command!r})"


def request_of(message: Mapping[str, Any]) -> Request:
    """A message as a request; its arguments are not looked into.

    Raises:
        ControlError: another version, or something missing or of another type.
    """
    check_version(message)
    number, command = message.get("id"), message.get("command")
    arguments = message.get("arguments", {})
    if type(number) is not int or not 1 <= number <= ID_MAX:
        found = "none" if number is None else _kind(number)
        raise ControlError("id", found, f"a whole number from 1 to {ID_MAX}")
    if not isinstance(command, str) or len(command) > COMMAND_CHARACTERS_MAX:
        found = "none" if command is None else _kind(command)
        raise ControlError("command", found, "a command's name such as 'status'")
    if not isinstance(arguments, dict):
        raise ControlError("arguments", _kind(arguments), "a map from names to values")
    return Request(number, command, arguments)


def id_of(message: Mapping[str, Any]) -> int:
    """The id under which to refuse a message that is no request."""
    number = message.get("id")
    return number if type(number) is int and 1 <= number <= ID_MAX else CONNECTION


def check_version(message: Mapping[str, Any]) -> None:
    """Raise ``ControlError`` for a message of a version other than ours."""
    version = message.get("v")
    if type(version) is int and version == VERSION:
        return
    found = f"version {version}" if type(version) is int else "no version"
    raise ControlError(
        "frame", found, f"version {VERSION}", "use saactors of the same release on both ends"
    )


def reply(request_id: int, answer: Mapping[str, Any]) -> dict[str, Any]:
    """The message that answers a request."""
    return {"v": VERSION, "id": request_id, "answer": answer}


def refusal(request_id: int, error: ControlError) -> dict[str, Any]:
    """The message that refuses a request, or (id 0) goes before the connection is closed."""
    told = {
        "what": error.what,
        "found": error.found,
        "expected": error.expected,
        "mend": error.mend,
    }
    return {"v": VERSION, "id": request_id, "error": told}


def error_of(message: Mapping[str, Any]) -> ControlError:
    """The error that a refusal carries."""
    told = message.get("error")
    parts = told if isinstance(told, dict) else {}
    what, *others = (str(parts.get(name) or "") for name in ("what", "found", "expected", "mend"))
    return ControlError(what or "refused without a reason", *others)


def _unpacked(body: bytes) -> dict[str, Any]:
    expected = "a map in msgpack with text for keys"
    try:
        message = msgpack.unpackb(body)
    except msgpack.ExtraData:
        raise ControlError("frame", "octets behind its map", expected) from None
    # Msgpack's own errors, its stack of nested arrays, text that is no UTF-8, dates out of range.
    except (ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException):
        raise ControlError("frame", f"{len(body):,} octets of something else", expected) from None
    if not isinstance(message, dict):
        raise ControlError("frame", _kind(message), expected)
    return message


def _plain(value: object) -> object:
    """A NumPy scalar as Python's, and a view of a mapping as a map."""
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "item"):  # NumPy is not imported here: clients start without it
        return value.item()
    raise TypeError(f"found a {type(value).__name__}, expected plain values")


def _kind(value: object) -> str:
    """What was found, in words that cannot quote a key."""
    if isinstance(value, str) and len(value) > _SHOWN_CHARACTERS_MAX:
        return f"text of {len(value)} characters"
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "true", False: "false"}[value]
    names = {int: "a number", float: "a number", str: "text", bytes: "octets", list: "an array"}
    return names.get(type(value), "a map" if isinstance(value, dict) else "something else")
