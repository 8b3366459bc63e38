"""The real command under a service manager: it tells when it is ready, alive, reloading, ending."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from saactors.gateway.service_manager import ServiceManager

WATCHDOG_S = 2.0
START_PATIENCE_S = 180.0  # what is not compiled yet is compiled then
PATIENCE_S = 20.0
GATEWAY = """
[gateway]
control = "{folder}/control.sock"
state = "{folder}/state"

[[ports]]
side = "inside"
kind = "tun"
device = "inside"

[[ports]]
side = "outside"
kind = "tun"
device = "outside"
"""
WITH_POLICY = GATEWAY + '\n[[policies]]\naction = "discard"\n'


def why_not() -> str:
    """What this machine lacks for a gateway in a network namespace of its own."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return "it has to be root, and to have unshare, to make a network namespace"
    if not Path("/dev/net/tun").exists():
        return "there is no /dev/net/tun"
    return ""


class Manager:
    """Hears what a service tells it."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self.address = address

    def hear(self, patience_s: float = PATIENCE_S) -> list[str]:
        """The lines of the next message."""
        self._socket.settimeout(patience_s)
        return self._socket.recv(4096).decode().splitlines()

    def wait_for(self, state: str, patience_s: float = PATIENCE_S) -> list[str]:
        """The lines of the next message that begins so, without those before it."""
        end_s = time.monotonic() + patience_s
        while (lines := self.hear(end_s - time.monotonic()))[0] != state:
            assert lines == ["WATCHDOG=1"], f"{state} is next, between signs of life"
        return lines

    def close(self) -> None:
        """Listen no more."""
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    """A service manager whose socket is a file."""
    listening = Manager(str(tmp_path / "notify"))
    yield listening
    listening.close()


@pytest.fixture
def service(tmp_path: Path, manager: Manager) -> Iterator[subprocess.Popen[bytes]]:
    """A gateway that the manager has started; what it logs is in the file ``log``."""
    if reason := why_not():
        pytest.skip(reason)
    (tmp_path / "gateway.toml").write_text(GATEWAY.format(folder=tmp_path))
    told = {
        "NOTIFY_SOCKET": manager.address,
        "WATCHDOG_USEC": str(round(WATCHDOG_S * 1e6)),
    }
    words = ["unshare", "--net", sys.executable, "-m", "saactors", "run", "gateway.toml"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(words, cwd=tmp_path, stderr=log, env={**os.environ, **told})
    yield process
    process.kill()
    process.wait()


@pytest.mark.slow
def test_a_service_manager_hears_all_of_a_gateways_life(
    tmp_path: Path, manager: Manager, service: subprocess.Popen[bytes]
) -> None:
    """Ready; alive, in time; reloading and ready again; stopping; ended with status 0."""
    assert manager.wait_for("READY=1", START_PATIENCE_S) == ["READY=1", f"MAINPID={service.pid}"]

    for _ in range(4):
        assert manager.hear(WATCHDOG_S) == ["WATCHDOG=1"]

    before_us = time.monotonic_ns() // 1000
    (tmp_path / "gateway.toml").write_text(WITH_POLICY.format(folder=tmp_path))
    service.send_signal(signal.SIGHUP)
    _, since = manager.wait_for("RELOADING=1")
    name, _, since_us = since.partition("=")
    assert name == "MONOTONIC_USEC"
    assert before_us <= int(since_us) <= time.monotonic_ns() // 1000
    manager.wait_for("READY=1")
    assert "1 policy" in (tmp_path / "log").read_text()

    service.terminate()
    manager.wait_for("STOPPING=1")
    assert service.wait(PATIENCE_S) == 0


@pytest.mark.slow
def test_a_wrong_file_ends_a_reload_too(
    tmp_path: Path, manager: Manager, service: subprocess.Popen[bytes]
) -> None:
    """A service manager would else wait for the end of the reload, and then kill the gateway."""
    manager.wait_for("READY=1", START_PATIENCE_S)
    (tmp_path / "gateway.toml").write_text("no TOML")
    service.send_signal(signal.SIGHUP)
    manager.wait_for("RELOADING=1")
    manager.wait_for("READY=1")
    assert manager.hear(WATCHDOG_S) == ["WATCHDOG=1"]
    assert "not_reloaded" in (tmp_path / "log").read_text()


def test_an_abstract_address_begins_with_an_at_sign() -> None:
    """That is how the variable writes the zero octet of Linux's abstract names."""
    name = f"saactors-test-{os.getpid()}"
    listening = Manager("\0" + name)
    ServiceManager({"NOTIFY_SOCKET": "@" + name}).stopping()
    assert listening.hear() == ["STOPPING=1"]
    listening.close()


def test_a_manager_that_has_gone_is_a_warning(tmp_path: Path) -> None:
    """Traffic goes on."""
    with structlog.testing.capture_logs() as lines:
        ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "nobody")}).ready()
    assert [line["event"] for line in lines] == ["service_manager_not_told"]


def test_without_a_manager_nothing_is_told() -> None:
    """Started by hand."""
    with structlog.testing.capture_logs() as lines:
        ServiceManager({}).ready()
    assert not lines
