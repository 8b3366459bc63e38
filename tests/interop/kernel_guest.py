"""The Linux kernel as an ordinary program (User-Mode Linux), and a wire to it.

Its network device is one end of a pair of sockets, whose other end we hold; so there is no device
and no network namespace on the host, and nothing that only root may do. Its root file system is
the host's, to be read only. It ends when this process does: its serial line ends then.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from time import monotonic
from typing import Final

from kernel_guest_agent import READ

KERNEL: Final = Path("/usr/bin/linux.uml")
MODULES: Final = Path("/usr/lib/uml/modules")

_AGENT: Final = Path(__file__).with_name("kernel_guest_agent.py")
_NEEDED: Final = (
    "xfrm_user", "ipv6", "esp4", "esp6", "drbg", "seqiv", "echainiv", "hmac", "sha512_generic",
    "ecb", "cbc", "ctr", "ghash-generic", "gcm", "ccm", "chacha_generic", "poly1305_generic",
    "chacha20poly1305", "authenc", "authencesn",
)  # fmt: skip
_BOOT_PATIENCE_S: Final = 60.0
_PATIENCE_S: Final = 60.0
_LINE_MAX_BYTES: Final = 4096  # of a request, or the guest's serial line loses what is behind
_BUFFER_BYTES: Final = 1 << 20
_CHUNK_BYTES: Final = 65_536


@dataclass
class Guest:
    """A running kernel: ``wire`` takes and gives Ethernet frames."""

    process: subprocess.Popen[bytes]
    wire: socket.socket
    log: Path
    release: str = ""
    _pending: bytes = b""

    def run(self, *words: str) -> tuple[int, str]:
        """Run a program inside; returns its exit status and output."""
        request = json.dumps(words).encode() + b"\n"
        assert len(request) <= _LINE_MAX_BYTES, f"{len(request)} bytes of words"
        self.process.stdin.write(request)
        return self.answer(_PATIENCE_S)

    def read(self, name: str) -> str:
        """A file as the guest sees it, for instance below /proc."""
        return self.run(READ, name)[1]

    def answer(self, patience_s: float) -> tuple[int, str]:
        """Wait for an answer; raises RuntimeError, with the kernel's last words, if none comes."""
        end_s = monotonic() + patience_s
        with DefaultSelector() as selector:
            selector.register(self.process.stdout, EVENT_READ)
            while b"\n" not in self._pending:
                ready = selector.select(max(0.0, end_s - monotonic()))
                octets = os.read(self.process.stdout.fileno(), _CHUNK_BYTES) if ready else b""
                if not octets:
                    what = "ended" if ready else f"gave no answer for {patience_s:g} s"
                    last = self.log.read_text(errors="replace")[-2000:]
                    raise RuntimeError(f"the guest {what}; expected an answer. It said:\n{last}")
                self._pending += octets
        line, _, self._pending = self._pending.partition(b"\n")
        answer = json.loads(line)
        return answer["status"], answer["output"]


@contextmanager
def kernel_guest(folder: Path) -> Iterator[Guest]:
    """Have a kernel running for a while; its files are in ``folder``."""
    # Packets of such sockets come whole, in order, and none is lost: a sender waits for room.
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    log = folder / "kernel.log"
    with ours, its, log.open("wb") as output:
        for each in (ours, its):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
        process = subprocess.Popen(
            _command(folder, its.fileno()),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            bufsize=0,
            pass_fds=[its.fileno()],
            start_new_session=True,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TMPDIR": str(folder)},
        )
        try:
            its.close()
            guest = Guest(process, ours, log)
            guest.release = guest.answer(_BOOT_PATIENCE_S)[1]
            yield guest
        finally:
            # Its processes, some of which are stopped to be traced, heed nothing less; and it has
            # nothing to lose.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            process.stdin.close()
            process.stdout.close()


def _command(folder: Path, wire: int) -> list[str]:
    return [
        str(KERNEL), "mem=160M", "rootfstype=hostfs", "rootflags=/", "ro", "quiet",
        f"uml_dir={folder}/", f"vec0:transport=fd,fd={wire},depth=64",
        "con=null", "con0=null,fd:2", "ssl0=fd:0,fd:1",
        f"init={sys.executable}", "--", "-I", "-S", str(_AGENT), str(_modules()), *_NEEDED,
    ]  # fmt: skip


def _modules() -> Path:
    """The folder of the kernel's modules; there is one for its release."""
    return max(MODULES.iterdir())


def refused(output: str) -> dict[int, str]:
    """Which lines of a batch ``ip`` did not obey, counted from 1, and why."""
    reasons, reason = {}, ""
    for line in output.splitlines():
        if line.startswith("Command failed "):
            reasons[int(line.rpartition(":")[2])] = reason
        else:
            reason = line
    return reasons


def batch(guest: Guest, folder: Path, commands: Sequence[str]) -> dict[int, str]:
    """Have ``ip`` obey commands; those that it refused, by their place, and why."""
    file = folder / f"batch-{len(list(folder.iterdir()))}"
    file.touch(mode=0o600)
    file.write_text("\n".join(commands) + "\n")
    _, output = guest.run("ip", "-force", "-batch", str(file))
    return {line - 1: reason for line, reason in refused(output).items()}
