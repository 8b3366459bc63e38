"""The loop of ``saactors top``: a reading each interval, a picture whenever something changed."""

from __future__ import annotations

import time
from typing import Final

from saactors.cli.terminal import Terminal, Terminated
from saactors.cli.top_keys import QUIT, KeyReader, changed, within
from saactors.cli.top_screen import Reading, View, draw, rows_of
from saactors.cli.top_tables import Answer
from saactors.gateway.control.client import ControlClient

ROWS_MAX: Final = 1000  # what the gateway gives at once


def run_screen(gateway: ControlClient, view: View, interval_s: float) -> None:
    """Until q, a signal, or the end of the terminal.

    Raises:
        ControlError: the gateway has ended; the terminal is as it was.
    """
    try:
        with Terminal() as terminal:
            Screen(gateway, terminal, view, interval_s).run()
    except (Terminated, EOFError):
        return


class Screen:
    """What is shown now, and what it is made of."""

    def __init__(
        self, gateway: ControlClient, terminal: Terminal, view: View, interval_s: float
    ) -> None:
        self._gateway = gateway
        self._terminal = terminal
        self._view = view
        self._interval_s = interval_s
        self._keys = KeyReader()
        self._status: Answer = gateway.call("status")
        self._former: Answer | None = None
        self._page: Answer = {}
        self._rows = 1

    def run(self) -> None:
        """Until q is typed."""
        due_s = time.monotonic() + self._interval_s
        while True:
            self._show()
            typed = self._terminal.wait(due_s - time.monotonic())
            for key in self._keys.keys(typed):
                if key == QUIT and not self._view.typing:
                    return
                self._view = changed(self._view, key, self._rows, self._page["matched"])
            if time.monotonic() >= due_s:
                self._former, self._status = self._status, self._gateway.call("status")
                due_s = time.monotonic() + self._interval_s

    def _show(self) -> None:
        """Ask for the SAs that there is room for, and show them."""
        width, height = self._terminal.size()
        self._rows = rows_of(height, len(self._status["edges"]))
        self._page = self._ask()
        if self._view.offset and not self._page["rows"]:  # there are fewer SAs than there were
            self._view = within(self._view, self._rows, self._page["matched"])
            self._page = self._ask()
        reading = Reading(self._status, self._former, self._page)
        lines = draw(reading, self._view, width, height)
        self._terminal.show((line.text, line.style) for line in lines)

    def _ask(self) -> Answer:
        return self._gateway.call("sa.list", self._view.arguments(min(self._rows, ROWS_MAX)))
