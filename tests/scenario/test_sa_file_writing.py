"""Files with keys: their owner's alone, and no device's or pipe's mode is changed for them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from saactors.errors import OutputError
from saactors.scenario.sa_files import write_sa_file


def test_a_file_with_keys_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    """Mode 0600, also where the file was there before and open to all."""
    file = tmp_path / "esp_sa"
    for text in ("a longer text", "text"):
        write_sa_file(file, text)
        assert file.read_text() == text
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        file.chmod(0o644)


def test_what_is_no_regular_file_keeps_its_mode(tmp_path: Path) -> None:
    """A device or pipe is others' too: ``--output /dev/null`` must not close it to them."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    pipe.chmod(0o622)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_sa_file(pipe, "text")
        assert os.read(reader, 10) == b"text"
    finally:
        os.close(reader)
    assert stat.S_IMODE(pipe.stat().st_mode) == 0o622


def test_a_file_with_keys_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    """The path and the reason."""
    with pytest.raises(OutputError, match="cannot be written: Is a directory"):
        write_sa_file(tmp_path, "text")
