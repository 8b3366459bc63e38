"""A key file that grows while charon rekeys, as strongSwan's plugin ``save-keys`` writes it.

Debian does not ship that plugin. So this reads charon's log, to which ``chd = 4`` writes the keys,
and appends a line for each SA: Wireshark's table ``esp_sa``, with the names for AES-GCM that the
plugin uses. Like the plugin's, the file only ever grows.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import interop_path  # noqa: F401  # it is there for the next ones
from charon_log import negotiated

from saactors.esp.association import Association
from saactors.esp.sa_formats.wireshark import format_key_table

_POLL_S: Final = 0.01
_NOW_NAME: Final = '"AES-GCM with 16 octet ICV [RFC4106]",'
_PLUGINS_NAME: Final = '"AES-GCM [RFC4106]",'
_NOW_INTEGRITY: Final = '"NULL",""'
_PLUGINS_INTEGRITY: Final = '"ANY 128 bit authentication [no checking]","0x"'


class KeyFile:
    """Follows a log; ``update`` appends what is new in it."""

    def __init__(self, log: Path, file: Path) -> None:
        self._log, self._file = log, file
        self._seen_bytes = 0
        self._written: set[tuple[str, int]] = set()
        self.sas: list[tuple[str, Association]] = []
        """All so far, with the names of their tunnels."""
        file.touch(mode=0o600)

    def update(self) -> None:
        """Look for SAs that the file has not."""
        if self._log.stat().st_size == self._seen_bytes:
            return
        octets = self._log.read_bytes()
        self._seen_bytes = len(octets)
        # A line that is not whole yet will be at the next look.
        whole = octets[: octets.rfind(b"\n") + 1].decode(errors="replace")
        for name, sa in negotiated(whole):
            place = (str(sa.destination), sa.spi)
            if place not in self._written:
                self._written.add(place)
                self.sas.append((name, sa))
                with self._file.open("a") as output:
                    output.write(line_of(sa))


def line_of(sa: Association) -> str:
    """The plugin's line for an SA."""
    line = "".join(
        text for text in format_key_table([sa]).splitlines(keepends=True) if text[0] != "#"
    )
    if _NOW_NAME in line:
        line = line.replace(_NOW_NAME, _PLUGINS_NAME).replace(_NOW_INTEGRITY, _PLUGINS_INTEGRITY)
    return line


@contextmanager
def key_file(log: Path, file: Path) -> Iterator[KeyFile]:
    """Have the key file follow the log until the block ends."""
    keys, over = KeyFile(log, file), threading.Event()

    def follow() -> None:
        while not over.wait(_POLL_S):
            keys.update()

    keys.update()
    thread = threading.Thread(target=follow)
    thread.start()
    try:
        yield keys
    finally:
        over.set()
        thread.join()
