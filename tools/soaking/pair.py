"""Two gateways in namespaces of their own, joined by a wire; and the SAs between them."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from saactors.gateway.control.client import ControlClient

TUNNELS: Final = 8
SLOTS: Final = 4
START_S: Final = 300.0  # compiles on a machine where it has never run
_END_S: Final = 20.0
SUITE: Final = "aes-gcm-128"

_FILE: Final = """[gateway]
name = "{name}"
control = "{folder}/control.sock"
state = "{folder}/state"
[[ports]]
side = "inside"
kind = "tun"
device = "saa0"
mtu = 1400
addresses = [{inside}]
[[ports]]
side = "outside"
kind = "udp"
address = "{outer}"
[card]
profile = "82599"
slots_max = {slots}
[rule]
name = "metric"
threshold = 20.0
period_ns = 100000000
decay = "factor:0.7"
{policies}"""


@dataclass
class Gateway:
    """One of the two; ``side`` is 1 or 2."""

    side: int
    namespace: str
    folder: Path
    process: subprocess.Popen[bytes] = field(init=False)
    control: ControlClient = field(init=False)

    @property
    def outer(self) -> str:
        """Its address on the wire."""
        return f"192.0.2.{self.side}"

    def inner(self, tunnel: int) -> str:
        """Its address at the end of a tunnel."""
        return f"10.{self.side}.{tunnel}.1"

    @property
    def pid(self) -> int:
        """The gateway's process."""
        return self.process.pid

    def ask(self, command: str, **arguments: object) -> dict[str, Any]:
        """Ask over the control socket."""
        return dict(self.control.call(command, arguments))


@contextmanager
def pair(folder: Path) -> Iterator[tuple[Gateway, Gateway]]:
    """Both running and joined; ended and removed afterwards, whatever happens."""
    with ExitStack() as stack:
        gateways = tuple(
            Gateway(side, f"soak{side}-{os.getpid()}", folder / str(side)) for side in (1, 2)
        )
        for gateway in gateways:
            _ip("netns", "add", gateway.namespace)
            stack.callback(_ip, "netns", "del", gateway.namespace, check=False)
            _ip("-n", gateway.namespace, "link", "set", "lo", "up")
        one, other = gateways
        _ip("link", "add", "wire", "netns", one.namespace, "type", "veth",
            "peer", "name", "wire", "netns", other.namespace)  # fmt: skip
        for gateway in gateways:
            _ip("-n", gateway.namespace, "addr", "add", f"{gateway.outer}/24", "dev", "wire")
            _ip("-n", gateway.namespace, "link", "set", "wire", "up")
            _write_file(gateway, other if gateway is one else one)
            stack.enter_context(_running(gateway))
        for gateway in gateways:
            _await_ready(gateway)
        for gateway, peer in ((one, other), (other, one)):
            for tunnel in range(TUNNELS):
                _ip("-n", gateway.namespace, "route", "add", f"{peer.inner(tunnel)}/32",
                    "dev", "saa0", "src", gateway.inner(tunnel))  # fmt: skip
        yield one, other


def in_namespace(gateway: Gateway, words: Sequence[str]) -> list[str]:
    """The words that run a program there."""
    return ["ip", "netns", "exec", gateway.namespace, *words]


def new_key() -> str:
    """A key and its salt."""
    return secrets.token_bytes(20).hex()


def _write_file(gateway: Gateway, peer: Gateway) -> None:
    gateway.folder.mkdir()
    inside = ", ".join(f'"{gateway.inner(tunnel)}/32"' for tunnel in range(TUNNELS))
    policies = "".join(
        f'[[policies]]\naction = "protect"\ndestination = "{peer.inner(tunnel)}/32"\n'
        f'sa = "tunnel-{tunnel}"\n'
        for tunnel in range(TUNNELS)
    )
    text = _FILE.format(
        name=f"soak-{gateway.side}",
        folder=gateway.folder,
        inside=inside,
        outer=gateway.outer,
        slots=SLOTS,
        policies=policies,
    )
    (gateway.folder / "gateway.toml").write_text(text)


@contextmanager
def _running(gateway: Gateway) -> Iterator[None]:
    words = [sys.executable, "-m", "saactors", "run", str(gateway.folder / "gateway.toml")]
    with (gateway.folder / "log").open("wb") as log:
        # ip netns exec becomes the program, so the process id is the gateway's own.
        gateway.process = subprocess.Popen(
            in_namespace(gateway, words), stderr=log, stdin=subprocess.DEVNULL
        )
        try:
            yield
        finally:
            gateway.process.terminate()
            try:
                gateway.process.wait(_END_S)
            except subprocess.TimeoutExpired:
                gateway.process.kill()
                gateway.process.wait()


def _await_ready(gateway: Gateway) -> None:
    path, until_s = gateway.folder / "control.sock", time.monotonic() + START_S
    while time.monotonic() < until_s:
        if gateway.process.poll() is not None:
            log = (gateway.folder / "log").read_text()[-2000:]
            raise SystemExit(f"soak: gateway {gateway.side} ended at once: {log}")
        if path.exists():
            gateway.control = ControlClient(str(path))
            if gateway.ask("status")["ready"]:
                return
        time.sleep(0.2)
    raise SystemExit(f"soak: gateway {gateway.side} was not ready within {START_S:.0f} s")


def _ip(*words: str, check: bool = True) -> None:
    subprocess.run(["ip", *words], check=check, capture_output=not check)
