"""Network namespaces that a script makes and removes, and processes that it starts and ends."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

PATIENCE_S = 5.0


@dataclass(frozen=True)
class Namespace:
    """One network namespace, by name."""

    name: str

    def ip(self, *words: str) -> None:
        """Run ``ip`` for this namespace."""
        command(["ip", "-n", self.name, *words])

    def run(
        self, words: Sequence[str], *, check: bool = True, timeout_s: float = 60.0
    ) -> subprocess.CompletedProcess[str]:
        """Run a program inside and wait for it."""
        return command(["ip", "netns", "exec", self.name, *words], check=check, timeout_s=timeout_s)

    @contextmanager
    def program(
        self,
        words: Sequence[str],
        *,
        output: Path | None = None,
        environment: dict[str, str] | None = None,
        pipe: bool = False,
    ) -> Iterator[subprocess.Popen[str]]:
        """Have a program running inside for a while; its own process group is ended afterwards."""
        target: IO[str] | int = output.open("w") if output else subprocess.DEVNULL
        process = subprocess.Popen(
            ["ip", "netns", "exec", self.name, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if pipe else target,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
            env={**os.environ, **(environment or {})},
        )
        try:
            yield process
        finally:
            end(process)
            if not isinstance(target, int):
                target.close()


@contextmanager
def namespace(name: str) -> Iterator[Namespace]:
    """A namespace whose name has this process's id; loopback is up, IPv6 needs no waiting."""
    own = Namespace(f"{name}{os.getpid()}")
    command(["ip", "netns", "add", own.name])
    try:
        own.ip("link", "set", "lo", "up")
        for scope in ("all", "default"):
            setting = Path(f"/proc/sys/net/ipv6/conf/{scope}/accept_dad")
            own.run(["sh", "-c", f"[ ! -e {setting} ] || echo 0 > {setting}"])
        yield own
    finally:
        command(["ip", "netns", "del", own.name], check=False)


def command(
    words: Sequence[str], *, check: bool = True, timeout_s: float = 60.0
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; where it fails, what it printed is in the exception."""
    done = subprocess.run(
        words, capture_output=True, text=True, errors="replace", timeout=timeout_s, check=False
    )
    if check and done.returncode:
        message = (
            f"{' '.join(words)}: status {done.returncode}: {done.stdout[-800:]}{done.stderr[-800:]}"
        )
        raise RuntimeError(message)
    return done


def end(process: subprocess.Popen[str]) -> None:
    """End a process that ``program`` started, with its group."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            break
        os.killpg(process.pid, number)
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            continue
    if process.stdout is not None:
        process.stdout.close()
