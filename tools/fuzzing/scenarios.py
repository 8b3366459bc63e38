"""Scenarios: any file is a scenario, of which everything can be asked, or one ``ScenarioError``."""

from __future__ import annotations

import atexit
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from fuzzing.target import assert_no_key
from saactors.errors import ScenarioError
from saactors.model.selector import selector_columns
from saactors.placement.table import RULES
from saactors.scenario import (
    card_profile,
    fault_plan,
    host_profile,
    load_scenario,
    spd_entries,
    templates,
)
from saactors.scenario.tables import GivenSa, Policy, Replay, Scenario

_MODELS: Final = (Scenario, Replay, Policy, GivenSa)
_WORDS: Final = (
    "any tcp udp icmp in out protect bypass discard flow host-pair subnet tunnel transport",
    "aes-gcm-128 chacha20-poly1305 192.0.2.1 198.51.100.2 2001:db8::1 10.0.0.0/8 0-1023",
)
TOKENS: Final = tuple(
    token.encode()
    for token in (
        *(name for model in _MODELS for name in model.model_fields),
        *RULES,
        *" ".join(_WORDS).split(),
        *("[[policies]]\n", "[[sas]]\n", "[card]\n", "[rule]\n", "[card.faults]\n", ' = "', '"\n'),
    )
)

_KEY: Final = "0123456789abcdef" * 2 + "01234567"  # obviously made up
_SCENARIO: Final = """seed = 7
[replay]
burst = 64
software_workers = 2
[[policies]]
action = "bypass"
protocol = "udp"
destination_ports = 53
[[policies]]
action = "protect"
source = "192.168.0.0/16"
destination = "10.1.0.0/16"
sa = "one"
[[policies]]
action = "protect"
sa_per = "host-pair"
[policies.template]
suite = "chacha20-poly1305"
source = "192.0.2.1"
destination = "198.51.100.2"
udp_encapsulation = true
[[sas]]
name = "one"
spi = 4097
suite = "aes-gcm-128"
source = "192.0.2.1"
destination = "198.51.100.2"
"""


@cache
def _file() -> Path:
    """Where inputs stand while they are read: a file of this process."""
    folder = TemporaryDirectory(prefix="saactors-fuzz-")
    atexit.register(folder.cleanup)
    return Path(folder.name) / "scenario.toml"


def check(data: bytes) -> None:
    """Load a scenario; if it is one, ask for all that it stands for."""
    if b".py" in data or b"\\" in data:
        return  # a rule of one's own is a program, which is run: not one that a fuzzer made up
    _file().write_bytes(data)
    try:
        scenario = load_scenario(_file())
    except ScenarioError as error:
        assert error.problem  # noqa: PT017 - either outcome is a good one
        assert_no_key(str(error))
        return
    card_profile(scenario)
    host_profile(scenario)
    fault_plan(scenario)
    columns = selector_columns(spd_entries(scenario))
    assert (columns["target"] < max(1, len(scenario.sas), len(templates(scenario)))).all()
    assert _KEY not in repr(scenario), "a repr that shows a key"


def seeds() -> Iterable[bytes]:
    """A scenario with every table, each of its tables, and TOML of every kind."""
    tables = _SCENARIO.split("\n[")
    yield _SCENARIO.encode()
    yield (_SCENARIO + f'key = "0x{_KEY}"\n').encode()
    for table in tables:
        yield ("[" * (not table.startswith("seed")) + table + "\n").encode()
    for rule in RULES:
        yield f'{_SCENARIO}[rule]\nname = "{rule}"\n'.encode()
    yield b'[card]\nprofile = "netdevsim"\n[card.faults]\nload_lost = 0.5\n'
    yield b"a = 1979-05-27T07:32:00Z\nb = [1, 2.5e3, inf, true, {c.d = '''x'''}]\n"
    yield b"a = " + b"[" * 2000
    yield b"a = " + b"9" * 4000 + b"\n"
    yield b"seed = 0x7f\nseed = 1_000\n# twice\n"
