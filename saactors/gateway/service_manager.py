"""Talking to the service manager that started us (systemd's ``sd_notify`` protocol).

A datagram to the socket that ``NOTIFY_SOCKET`` names: ``READY=1``, ``STOPPING=1``, and, as often as
``WATCHDOG_USEC`` wants, ``WATCHDOG=1`` — but only while packets get through: a gateway whose actors
are stuck is to be restarted. Without the variable nothing is sent. (sd_notify(3), sd_watchdog(3))
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import structlog
import trio

from saactors.errors import ControlError

if TYPE_CHECKING:
    from saactors.gateway.gateway import Gateway

_EARLIER: Final = 2  # told twice within the time that systemd allows


class ServiceManager:
    """Whoever started us, if it wants to be told."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        self._watchdog_s = _watchdog_s(environment)

    def ready(self) -> None:
        """Everything runs."""
        self._tell(f"READY=1\nMAINPID={os.getpid()}")

    def reloading(self) -> None:
        """The configuration is read again; ``ready`` ends that."""
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The end has begun."""
        self._tell("STOPPING=1")

    async def watch(self, gateway: Gateway) -> None:
        """Say again and again that the gateway is alive, as long as it is."""
        if self._watchdog_s is None:
            return
        while True:
            with trio.move_on_after(self._watchdog_s) as late, suppress(ControlError):
                await gateway.instruct(lambda _tick, _now_ns: None)  # refused by one that ends
            if late.cancelled_caught:
                structlog.get_logger().error("watchdog_not_fed", reason="the arbiter is stuck")
            else:
                self._tell("WATCHDOG=1")
            await trio.sleep(self._watchdog_s / _EARLIER)

    def _tell(self, state: str) -> None:
        if not self._address:
            return
        address = self._address
        if address.startswith("@"):  # Linux's abstract namespace
            address = "\0" + address[1:]
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.connect(address)
                sender.sendall(state.encode())
        except OSError as problem:
            structlog.get_logger().warning("service_manager_not_told", reason=problem.strerror)


def _watchdog_s(environment: Mapping[str, str]) -> float | None:
    """How long the service manager waits for a sign of life; None if it does not."""
    wanted = environment.get("WATCHDOG_USEC", "")
    process = environment.get("WATCHDOG_PID", str(os.getpid()))
    if not wanted.isdigit() or int(wanted) == 0 or process != str(os.getpid()):
        return None
    return int(wanted) / 1e6
