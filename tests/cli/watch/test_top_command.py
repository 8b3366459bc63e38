"""``saactors top`` on a terminal and off it; whatever ends it, the terminal is as it was."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, TypeAlias

import pytest

Run: TypeAlias = Callable[..., Any]


class OnTerminal:
    """The command on a terminal of its own, of 80 columns and 20 rows."""

    def __init__(self, path: str) -> None:
        self.shown = ""
        self._ours, self._theirs = pty.openpty()
        self.resize(80, 20)
        self.mode = termios.tcgetattr(self._theirs)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "saactors", "top", "--socket", path, "--interval", "100ms"],
            stdin=self._theirs, stdout=self._theirs, stderr=subprocess.PIPE,
            env=os.environ | {"TERM": "xterm"}, start_new_session=True,
        )  # fmt: skip

    def resize(self, columns: int, rows: int) -> None:
        """Another size, as a window that is dragged."""
        fcntl.ioctl(self._theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._ours, keys.encode())

    def until(self, pattern: str) -> str:
        """Read until something is shown since the last call, and give the picture around it."""
        deadline_s = time.monotonic() + 20
        while re.search(pattern, self.shown, re.DOTALL) is None:
            assert time.monotonic() < deadline_s, self.shown[-2000:]
            self._read(0.1)
        shown, self.shown = self.shown, ""
        return shown

    def end(self) -> str:
        """Wait for its end; then its mode is that of before. What it showed last."""
        while self.process.poll() is None:
            self._read(0.1)
        self._read(0)
        assert termios.tcgetattr(self._theirs) == self.mode
        assert self.shown.endswith("\x1b[?1049l")
        assert "\x1b[?25h" in self.shown
        return self.shown

    def is_raw(self) -> bool:
        """Whether keys come without Enter."""
        return not termios.tcgetattr(self._theirs)[3] & termios.ICANON

    def close(self) -> None:
        """Give everything back."""
        self.process.kill()
        self.process.wait()
        assert self.process.stderr is not None
        self.process.stderr.close()
        for end in (self._ours, self._theirs):
            os.close(end)

    def _read(self, timeout_s: float) -> None:
        while select.select([self._ours], [], [], timeout_s)[0]:
            with suppress(UnicodeDecodeError):
                self.shown += os.read(self._ours, 1 << 16).decode(errors="replace")
            timeout_s = 0


@pytest.fixture
def screen(gateway: Any) -> Iterator[OnTerminal]:
    """The command, started."""
    screen = OnTerminal(gateway.path)
    try:
        yield screen
    finally:
        screen.close()


def test_it_is_live_and_listens_to_keys(screen: OnTerminal, gateway: Any) -> None:
    """Sorting and filtering are the gateway's, by the rows that there are."""
    shown = screen.until("keeper → arbiter")
    assert shown.startswith("\x1b[?1049h")
    assert "0x00001000" in shown
    screen.until("nic 1000/s 8.00 Mb/s")
    screen.type("i")
    screen.until("by SPI ↑")
    screen.type("r\x1b[6~")
    screen.until("SAs 10–18 of 200  by SPI ↓")
    screen.type("/branch-19\r")
    screen.until("SAs 1–9 of 11  .*branch-198")
    assert gateway.asked[-1][1]["search"] == "branch-19"
    screen.type("w")
    screen.until("no SA  by SPI ↓  where nic")
    screen.type("q")
    screen.end()
    assert screen.process.returncode == 0


def test_it_follows_the_window_s_size(screen: OnTerminal) -> None:
    """At once, not at the next reading."""
    screen.until("keeper → arbiter")
    screen.resize(40, 10)
    screen.process.send_signal(signal.SIGWINCH)  # the kernel tells a session that has a terminal
    shown = screen.until("arbiter → nic  8/8  5 waits")
    assert "SAs 1–5 of 200" in shown


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_gives_the_terminal_back(
    screen: OnTerminal, number: signal.Signals
) -> None:
    """Without a word."""
    screen.until("keeper → arbiter")
    assert screen.is_raw()
    screen.process.send_signal(number)
    screen.end()
    assert screen.process.returncode == 0


def test_a_gateway_that_goes_away_is_told_of_below_what_was_there(
    screen: OnTerminal, gateway: Any
) -> None:
    """Status 1, one line, and the terminal as it was."""
    screen.until("keeper → arbiter")
    gateway.stop()
    screen.end()
    assert screen.process.returncode == 1
    assert screen.process.stderr is not None
    assert screen.process.stderr.read().decode().startswith(f"saactors: gateway at {gateway.path}")


def test_it_can_be_stopped_for_a_while(screen: OnTerminal) -> None:
    """With Ctrl-Z: meanwhile the terminal is the shell's."""
    screen.until("keeper → arbiter")
    # A session without a shell has an orphaned process group, which Ctrl-Z does not stop; the
    # terminal is given back and taken again all the same.
    screen.process.send_signal(signal.SIGTSTP)
    screen.until("\x1b\\[\\?1049l.*\x1b\\[\\?1049h.*keeper → arbiter")
    assert screen.is_raw()
    screen.type("q")
    screen.end()


def test_once_prints_one_table(run: Run, gateway: Any) -> None:
    """As it does wherever there is no terminal; sorted and filtered as asked."""
    ran = run(
        "top", "--socket", gateway.path, "--once", "--sort", "spi", "--search", "branch-1",
        "--where", "software", "--limit", 3,
    )  # fmt: skip
    assert (ran.status, ran.err) == (0, "")
    assert "SAs 1–3 of 110  by SPI ↑  where software  /branch-1\n" in ran.out
    assert re.findall("branch-[0-9]+", ran.out.split("\n", 6)[-1]) == [
        "branch-10", "branch-11", "branch-12",
    ]  # fmt: skip
    assert "\x1b" not in ran.out
    assert run("top", "--socket", gateway.path).out.startswith("edge-1  card 8/8  rule metric")


def test_no_gateway_is_told_of_before_the_terminal_is_touched(run: Run) -> None:
    """Status 1 and what to do."""
    ran = run("top", "--socket", "/nowhere/control.sock")
    assert (ran.status, ran.out) == (1, "")
    assert "start it with 'saactors run'" in ran.err
