"""Files of SAs in any of the formats: each is read, or refused by an error of a user's.

What has been read is written as a scenario's tables, the format that can say everything, and then
has to be read as the same.
"""

from __future__ import annotations

import atexit
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from fuzzing import dpdk, esp_sa, ip_xfrm, scenarios
from fuzzing.esp_open import ASSOCIATIONS
from fuzzing.target import assert_no_key
from saactors.errors import KeyTableError, ParameterError, ScenarioError
from saactors.esp.sa_formats.dpdk import Direction
from saactors.scenario.sa_files import FORMATS, format_sas, read_sas

_OTHERS = (dpdk, esp_sa, ip_xfrm, scenarios)
_DIRECTIONS: tuple[Direction, ...] = ("in", "out")
TOKENS = scenarios.TOKENS


@cache
def _file() -> Path:
    """Where inputs stand while they are read: a file of this process."""
    folder = TemporaryDirectory(prefix="saactors-fuzz-")
    atexit.register(folder.cleanup)
    return Path(folder.name) / "sas"


def check(data: bytes) -> None:
    """Read SAs, write them in every format, and read what the last one has."""
    if b".py" in data or b"\\" in data:
        return  # see ``scenarios``
    _file().write_bytes(data)
    try:
        sas = read_sas(_file())
    except (KeyTableError, ScenarioError) as error:
        assert_no_key(str(error))
        return
    for kind in FORMATS:
        try:
            format_sas(sas, kind)
        except ParameterError as error:
            assert kind != "toml"
            assert_no_key(str(error))
    for each in sas:  # one at a time: a scenario does not have two of one SPI and destination
        _file().write_text(format_sas([each], "toml"))
        assert read_sas(_file(), "toml") == [each], "read otherwise"


def seeds() -> Iterable[bytes]:
    """SAs of every kind in every format, and what the formats' own targets begin with."""
    for number, each in enumerate(ASSOCIATIONS):
        sas = [(_DIRECTIONS[number % 2], each)]
        for kind in FORMATS:
            try:
                yield format_sas(sas, kind).encode()
            except ParameterError:
                continue  # not every format has every suite
    for module in _OTHERS:
        yield from list(module.seeds())[:6]
    yield b"a = " + b"[" * 2000
    yield b"a = " + b"9" * 4000 + b"\n"
