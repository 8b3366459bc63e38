"""Two gateways in namespaces of their own, joined by a wire; and the SAs between them."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final

from saactors.errors import ControlError
from saactors.gateway.control.client import ControlClient

TUNNELS: Final = 8
SLOTS: Final = 4
START_S: Final = 300.0  # compiles on a machine where it has never run
ANSWER_S: Final = 120.0  # a rule that was never run is compiled first
_END_S: Final = 20.0
_PAIRS: Final = count()
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
{policies}{web}"""


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

    def launch(self) -> None:
        """Start the process."""
        words = [sys.executable, "-m", "saactors", "run", str(self.folder / "gateway.toml")]
        with (self.folder / "log").open("ab") as log:
            # ip netns exec becomes the program, so the process id is the gateway's own.
            self.process = subprocess.Popen(
                in_namespace(self, words), stderr=log, stdin=subprocess.DEVNULL
            )

    def start(self) -> None:
        """Start it again, and wait until it is ready."""
        self.control.close()
        self.launch()
        self.await_ready()

    def end(self) -> None:
        """End the process, whatever it is doing."""
        if hasattr(self, "control"):
            self.control.close()
        self.process.terminate()
        try:
            self.process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def await_ready(self) -> None:
        """Wait until it answers, and lead what is for the other side into its tunnels."""
        path, until_s = self.folder / "control.sock", time.monotonic() + START_S
        while time.monotonic() < until_s:
            if self.process.poll() is not None:
                log = (self.folder / "log").read_text()[-2000:]
                raise RuntimeError(f"gateway {self.side} ended at once: {log}")
            with suppress(ControlError):  # nobody answers yet
                self.control = ControlClient(str(path), ANSWER_S)
                if self.ask("status")["ready"]:
                    break
                self.control.close()
            time.sleep(0.2)
        else:
            raise RuntimeError(f"gateway {self.side} was not ready within {START_S:.0f} s")
        for tunnel in range(TUNNELS):
            peer = f"10.{3 - self.side}.{tunnel}.1/32"
            _ip("-n", self.namespace, "route", "replace", peer,
                "dev", "saa0", "src", self.inner(tunnel))  # fmt: skip

    def ask(self, command: str, **arguments: object) -> dict[str, Any]:
        """Ask over the control socket."""
        return dict(self.control.call(command, arguments))


@contextmanager
def pair(folder: Path, web_port: int | None = None) -> Iterator[tuple[Gateway, Gateway]]:
    """Both running and joined; ended and removed afterwards, whatever happens.

    With a ``web_port`` (0: any that is free) both have a page on the loopback interface.
    """
    folder.mkdir(exist_ok=True)
    with ExitStack() as stack:
        name = f"{os.getpid()}-{next(_PAIRS)}"  # of this process there may be several
        gateways = tuple(Gateway(side, f"saa{side}-{name}", folder / str(side)) for side in (1, 2))
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
            _write_file(gateway, other if gateway is one else one, web_port)
            gateway.launch()
            stack.callback(gateway.end)
        for gateway in gateways:
            gateway.await_ready()
        yield one, other


def in_namespace(gateway: Gateway, words: Sequence[str]) -> list[str]:
    """The words that run a program there."""
    return ["ip", "netns", "exec", gateway.namespace, *words]


def new_key() -> str:
    """A key and its salt."""
    return secrets.token_bytes(20).hex()


def _write_file(gateway: Gateway, peer: Gateway, web_port: int | None) -> None:
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
        web="" if web_port is None else f"[web]\nport = {web_port}\n",
    )
    (gateway.folder / "gateway.toml").write_text(text)


def _ip(*words: str, check: bool = True) -> None:
    subprocess.run(["ip", *words], check=check, capture_output=not check)
