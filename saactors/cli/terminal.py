"""The terminal as a screen of its own: keys without Enter, pictures without flicker.

Whatever ends the program, or stops it for a while (Ctrl-Z), finds the terminal as it was. The
screen is the alternate one, so what was there comes back too.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import termios
import tty
from collections.abc import Iterable
from types import FrameType
from typing import Any, Final, Self

_ENTER: Final = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"  # alternate screen, no cursor, no wrapping
_LEAVE: Final = "\x1b[?7h\x1b[?25h\x1b[0m\x1b[?1049l"
_TOP: Final = "\x1b[H"
_PLAIN: Final = "\x1b[0m"
_ERASE: Final = "\x1b[K"
_BELOW: Final = "\x1b[J"
_STYLES: Final = {"title": "\x1b[1m", "heading": "\x1b[7m", "dim": "\x1b[2m", "warning": "\x1b[1m"}
_WARNING: Final = "\x1b[1;33m"
_READ_BYTES: Final = 4096


class Terminated(BaseException):
    """SIGTERM or SIGINT arrived; not an Exception, for nothing should catch it on its way."""


class Terminal:
    """A context manager that takes the terminal of standard input and output."""

    def __init__(self) -> None:
        self._in = sys.stdin.fileno()
        self._colours = "NO_COLOR" not in os.environ
        self._former_mode: list[Any] = []
        self._former_handlers: dict[signal.Signals, Any] = {}
        self._wakes, self._wake = socket.socketpair()  # a signal ends a wait

    def __enter__(self) -> Self:
        for end in (self._wakes, self._wake):
            end.setblocking(False)
        self._former_wakeup = signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        handlers = {
            signal.SIGTERM: self._terminate,
            signal.SIGINT: self._terminate,
            signal.SIGTSTP: self._stop,
            signal.SIGCONT: lambda _number, _frame: self._take(),  # whoever stopped us
            signal.SIGWINCH: lambda _number, _frame: None,
        }
        self._former_mode = termios.tcgetattr(self._in)
        for number, handler in handlers.items():
            self._former_handlers[number] = signal.signal(number, handler)
        self._take()
        return self

    def __exit__(self, *_: object) -> None:
        self._give_back()
        for number, handler in self._former_handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._former_wakeup)
        self._wakes.close()
        self._wake.close()

    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        try:
            columns, rows = os.get_terminal_size(sys.stdout.fileno())
        except OSError:
            columns, rows = 0, 0
        return columns or 80, rows or 24

    def show(self, lines: Iterable[tuple[str, str]]) -> None:
        """Show text and style of each line, from the top, and nothing below."""
        width, _ = self.size()
        picture = [_TOP]
        for place, (text, style) in enumerate(lines):
            start = _WARNING if style == "warning" and self._colours else _STYLES.get(style, "")
            # Behind a full line the cursor is still on its last character: nothing to erase there.
            end = _PLAIN if len(text) >= width else _PLAIN + _ERASE
            picture += ["\r\n" if place else "", start, text, end]
        _write("".join([*picture, _BELOW]))

    def wait(self, timeout_s: float) -> bytes:
        """What was typed; nothing after the time, or when the size has changed or we were stopped.

        Raises:
            EOFError: the terminal has gone.
        """
        ready, _, _ = select.select([self._in, self._wakes], [], [], max(0.0, timeout_s))
        if self._wakes in ready:
            self._wakes.recv(_READ_BYTES)
        if self._in not in ready:
            return b""
        typed = os.read(self._in, _READ_BYTES)
        if not typed:
            raise EOFError
        return typed

    def _take(self) -> None:
        tty.setcbreak(self._in)
        _write(_ENTER)

    def _give_back(self) -> None:
        _write(_LEAVE)
        termios.tcsetattr(self._in, termios.TCSADRAIN, self._former_mode)

    def _terminate(self, _number: int, _frame: FrameType | None) -> None:
        raise Terminated

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        """Stop as everybody does, with the terminal given back meanwhile."""
        self._give_back()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        # From here on somebody has continued us.
        signal.signal(number, self._stop)
        self._take()


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
