"""Sequence numbers that outlive the process: no (key, IV) pair twice, across crashes too (law 2).

A gateway that comes back may be given a key that it has used before: by its own file, by a key
file that it follows. It must not send a number twice under it. So numbers are reserved on disk in
blocks before any of a block is sent, and whoever comes back goes on behind the last block; what the
crash has left unused of it is lost, a block in 2³² at most. After an orderly end nothing is lost.

A key is remembered by its fingerprint, keyed with a secret of this state: the file tells nobody
whether two gateways share a key. SQLite keeps the file whole whatever happens.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from saactors.errors import OutputError
from saactors.esp.association import SEQUENCE_MAX, Association

BLOCK: Final = 1 << 20
"""Numbers reserved at once: a second at a million packets a second, a 4096th of 32 bits."""

_FILE: Final = "sequences.sqlite3"
_TABLES: Final = """
create table if not exists secret (value blob not null);
create table if not exists reserved (fingerprint blob primary key, next text not null)
    without rowid;
"""


class ReservedSequences:
    """The numbers that keys may still send. ``folder`` is made, for its owner alone, if need be.

    Raises:
        OutputError: the folder or the file in it cannot be used.
    """

    def __init__(self, folder: str) -> None:
        self._path = Path(folder) / _FILE
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._path.touch(mode=0o600)
            self._file = sqlite3.connect(self._path, isolation_level=None)
            self._file.execute("pragma locking_mode = exclusive")
            self._file.execute("pragma synchronous = full")
            self._file.executescript(_TABLES)
            self._secret = self._read_secret()
        except (OSError, sqlite3.Error) as problem:
            found = getattr(problem, "strerror", None) or str(problem)
            expected = "a folder that this process alone may write; set state in [gateway]"
            raise OutputError(str(self._path), f"{found}; expected {expected}") from None

    def fingerprint(self, association: Association) -> bytes:
        """What an SA's keys are remembered by."""
        keys = hashlib.blake2b(key=self._secret, digest_size=16)
        for key in (association.key, association.integrity_key):
            keys.update(len(key).to_bytes(1, "big") + key)
        return keys.digest()

    def reserve(self, wanted: Iterable[tuple[bytes, int, int]]) -> list[tuple[int, int]]:
        """The first number that each may send, and the last for now.

        ``wanted`` are fingerprints, the least number and the greatest that the SA may use; the
        first is higher than the least where numbers have been sent before.
        """
        granted = []
        with self._file:
            self._file.execute("begin")
            for fingerprint, least, most in wanted:
                known = self._file.execute(
                    "select next from reserved where fingerprint = ?", (fingerprint,)
                ).fetchone()
                first = max(least, int(known[0])) if known else least
                last = min(first + BLOCK - 1, most)
                self._write(fingerprint, last + 1)
                granted.append((first, last))
        return granted

    def extend(self, fingerprint: bytes, last: int, most: int) -> int:
        """The next block behind ``last``; returns the new last."""
        further = min(last + BLOCK, most)
        with self._file:
            self._write(fingerprint, further + 1)
        return further

    def release(self, unused: Iterable[tuple[bytes, int]]) -> None:
        """An orderly end: give back what was reserved from these numbers on."""
        with self._file:
            self._file.execute("begin")
            for fingerprint, following in unused:
                self._write(fingerprint, following)

    def close(self) -> None:
        """Let another process use the file."""
        self._file.close()

    def _write(self, fingerprint: bytes, following: int) -> None:
        assert 0 < following <= SEQUENCE_MAX + 1
        self._file.execute(
            "insert or replace into reserved values (?, ?)", (fingerprint, str(following))
        )

    def _read_secret(self) -> bytes:
        known = self._file.execute("select value from secret").fetchone()
        if known:
            return bytes(known[0])
        secret = secrets.token_bytes(32)
        self._file.execute("insert into secret values (?)", (secret,))
        return secret
