"""Our gateway as a process in a namespace, asked and ended as its users do it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import interop_path  # noqa: F401  # it is there for the next ones
from gateway_file import TUN_DEVICE, control_path
from namespaces import Namespace
from patience import wait_until
from tunnels import THEIRS, Tunnel, host_prefix

SAACTORS: Final = (sys.executable, "-m", "saactors")
_START_PATIENCE_S: Final = 120.0  # what is not compiled yet is compiled then
_END_PATIENCE_S: Final = 20.0
_CONTROL_PATIENCE_S: Final = 20.0


@dataclass
class Gateway:
    """A running gateway; ``exit_status`` is there when it has ended."""

    namespace: Namespace
    control: Path
    output: Path
    exit_status: int | None = field(default=None)

    def ask(self, *words: str) -> dict[str, Any]:
        """What ``saactors ctl`` answers; raises RuntimeError with what it says instead."""
        command = [*SAACTORS, "ctl", "--socket", str(self.control), *words, "--json"]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_CONTROL_PATIENCE_S, check=False
        )
        if done.returncode:
            raise RuntimeError(f"saactors ctl {' '.join(words)}: {done.stdout}{done.stderr}")
        return json.loads(done.stdout)


@contextmanager
def gateway(
    namespace: Namespace, folder: Path, document: str, tunnels: Sequence[Tunnel]
) -> Iterator[Gateway]:
    """Have it running for a while, with routes through its TUN device to the inner addresses."""
    file, output = folder / "gateway.toml", folder / "gateway-output"
    file.touch(mode=0o600)
    file.write_text(document)
    control = control_path(folder)
    words = [*SAACTORS, "run", str(file)]
    with namespace.program(words, output=output) as process:
        running = Gateway(namespace, control, output)

        def is_up() -> bool:
            if process.poll() is not None:
                raise RuntimeError(f"the gateway ended at once: {output.read_text()[-3000:]}")
            try:
                return control.exists() and running.ask("status")["ready"]
            except RuntimeError:  # nobody answers yet
                return False

        wait_until(is_up, "the gateway to be ready", patience_s=_START_PATIENCE_S)
        for tunnel in tunnels:
            there = host_prefix(tunnel.inner(THEIRS))
            namespace.ip("route", "add", there, "dev", TUN_DEVICE)
        yield running
        process.terminate()
        running.exit_status = process.wait(_END_PATIENCE_S)
