"""Sleeps of microseconds in a trio program, by timers that are waited for like sockets.

Trio waits with ``epoll``, whose timeouts Python rounds up to whole milliseconds. A card that loads
an SA in 50 µs would so take twenty times as long. A timer with a descriptor (timerfd_create(2)) is
as exact as the kernel's high-resolution timers are. Linux only; elsewhere sleeps stay coarse.
"""

from __future__ import annotations

import ctypes
import os
from typing import Final

import trio

COARSE_NS: Final = 1_000_000  # from here on trio's own sleep is exact enough

_CLOCK_MONOTONIC: Final = 1
_NON_BLOCKING: Final = os.O_NONBLOCK | os.O_CLOEXEC  # TFD_NONBLOCK and TFD_CLOEXEC are these
_NS_PER_S: Final = 1_000_000_000
_KEPT_MAX: Final = 64  # timers kept for the next sleeper


class _Setting(ctypes.Structure):
    """struct itimerspec: interval, then first expiry; seconds and nanoseconds each."""

    _fields_ = (
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("value_s", ctypes.c_long),
        ("value_ns", ctypes.c_long),
    )


class ShortSleeps:
    """Timers, made when they are needed and used again."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._free: list[int] = []
        self.available = hasattr(self._libc, "timerfd_create")

    async def sleep_ns(self, span_ns: int) -> None:
        """Sleep for so long, and not noticeably longer."""
        if span_ns >= COARSE_NS or not self.available:
            await trio.sleep(span_ns / _NS_PER_S)
            return
        timer = self._free.pop() if self._free else self._made()
        if timer < 0:  # no descriptors left
            await trio.sleep(span_ns / _NS_PER_S)
            return
        try:
            setting = _Setting(0, 0, 0, max(span_ns, 1))
            self._libc.timerfd_settime(timer, 0, ctypes.byref(setting), None)
            await trio.lowlevel.wait_readable(timer)
            os.read(timer, 8)
        except BaseException:  # cancelled: the timer may yet expire, so it is not used again
            os.close(timer)
            raise
        if len(self._free) < _KEPT_MAX:
            self._free.append(timer)
        else:
            os.close(timer)

    def _made(self) -> int:
        return int(self._libc.timerfd_create(_CLOCK_MONOTONIC, _NON_BLOCKING))

    def __del__(self) -> None:
        while self._free:
            os.close(self._free.pop())
