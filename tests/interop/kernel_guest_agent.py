"""The only program in the guest: it loads the kernel's modules and runs commands.

It is started as process 1, with the arguments below, by a kernel that runs as an ordinary program
(``kernel_guest.py``), and imports nothing but the standard library. A line with a list of words
comes from the first serial line, an answer with exit status and output goes back. Where the
serial line ends, so does the guest.

    kernel_guest_agent.py FOLDER_OF_MODULES MODULE...
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
import subprocess
import sys
import tty
from pathlib import Path

READ = "read"  # the word for: answer with the file of this name

_FINIT_MODULE = 313  # of <asm/unistd_64.h>, which libc has no function for
_POWER_OFF = 0x4321FEDC  # of <linux/reboot.h>
_UDP_ENCAP, _UDP_ENCAP_ESPINUDP = 100, 2  # of <linux/udp.h>
_NAT_TRAVERSAL_PORT = 4500  # RFC 3948

_libc = ctypes.CDLL(None, use_errno=True)


def main(folder: Path, modules: list[str]) -> None:
    """Prepare the kernel, then obey until the serial line ends."""
    _check(_libc.mount(b"proc", b"/proc", b"proc", 0, None), "mount /proc")
    known = _dependencies(folder)
    for name in modules:
        _load(folder, name, known)
    sockets = [_ports_of_esp_in_udp(family) for family in (socket.AF_INET, socket.AF_INET6)]
    with Path("/dev/ttyS0").open("r+b", buffering=0) as line:
        tty.setraw(line)
        _answer(line.fileno(), 0, os.uname().release)
        pending = b""
        while octets := os.read(line.fileno(), 4096):
            *requests, pending = (pending + octets).split(b"\n")
            for request in requests:
                _obey(line.fileno(), json.loads(request))
    for each in sockets:
        each.close()


def _obey(line: int, words: list[str]) -> None:
    if words[0] == READ:
        _answer(line, 0, Path(words[1]).read_text())
        return
    done = subprocess.run(
        words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    _answer(line, done.returncode, done.stdout + done.stderr)


def _answer(line: int, status: int, output: str) -> None:
    octets = json.dumps({"status": status, "output": output}).encode() + b"\n"
    while octets:
        octets = octets[os.write(line, octets) :]


def _dependencies(folder: Path) -> dict[str, tuple[str, list[str]]]:
    """Name of a module → its file and those it needs, the last of which comes first."""
    known = {}
    for entry in (folder / "modules.dep").read_text().splitlines():
        file, _, needed = entry.partition(":")
        known[Path(file).stem] = (file, needed.split())
    return known


def _load(folder: Path, name: str, known: dict[str, tuple[str, list[str]]]) -> None:
    """Load a module with all that it needs; what is not there may be built in."""
    file, needed = known.get(name, ("", []))
    for each in (*reversed(needed), *([file] if file else [])):
        with (folder / each).open("rb") as content:
            if _libc.syscall(_FINIT_MODULE, content.fileno(), b"", 0):
                code = ctypes.get_errno()
                if code != 17:  # EEXIST: another one needed it, too
                    print(f"{each}: {os.strerror(code)}", file=sys.stderr)


def _ports_of_esp_in_udp(family: int) -> socket.socket:
    """A socket at whose port the kernel looks for ESP."""
    encapsulated = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6:
        encapsulated.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    encapsulated.setsockopt(socket.IPPROTO_UDP, _UDP_ENCAP, _UDP_ENCAP_ESPINUDP)
    encapsulated.bind(("", _NAT_TRAVERSAL_PORT))
    return encapsulated


def _check(result: int, what: str) -> None:
    if result:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), sys.argv[2:])
    finally:
        sys.stderr.flush()
        _libc.reboot(_POWER_OFF)
