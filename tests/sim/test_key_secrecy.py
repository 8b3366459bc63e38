"""Law 10: keys never appear in events, results, reports, logs, exceptions or reprs."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from saactors.errors import OutputError
from saactors.esp.keys import derive_keys
from saactors.replay.build import build_replay
from saactors.replay.options import ReplayOptions
from saactors.replay.run import replay
from saactors.scenario.load import load_scenario

SEED, SAS = 77, 12

SCENARIO = """
seed = 77
[[sas]]
name = "given"
spi = 4096
suite = "aes-gcm-128"
source = "192.0.2.1"
destination = "198.51.100.1"
key = "{key}"
[[policies]]
action = "protect"
source = "10.1.0.0/32"
sa = "given"
[[policies]]
action = "protect"
sa_per = "flow"
template = {{ suite = "aes-gcm-128", source = "192.0.2.1", destination = "198.51.100.1" }}
[card]
slots_max = 3
[rule]
threshold = 2.0
"""


def given_key() -> bytes:
    """Key and salt of the SA that the scenario gives."""
    return bytes(derive_keys(SEED + 1, 0, 1)[0, :20])


def secrets() -> list[bytes]:
    """The keys of the run, without salts: of the given SA, and of those that the seed makes."""
    return [given_key()[:16], *(bytes(row[:16]) for row in derive_keys(SEED, 0, SAS))]


def shows_a_key(content: bytes) -> bool:
    """Whether half a key stands in there in any form; says no more, so as to print none."""
    text = content.decode("latin-1")
    hexadecimal = re.sub(r"[^0-9a-f]", "", text.lower())
    numbers = f" {re.sub(r'[^0-9]+', ' ', text)} "
    for key in secrets():
        half = key[:8]
        forms = (
            half in content,
            half.hex() in hexadecimal,
            repr(half)[2:-1] in text,
            f" {' '.join(map(str, half))} " in numbers,
            base64.b64encode(key)[:10].decode() in text,
        )
        if any(forms):
            return True
    return False


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    """A scenario file with a key in it."""
    path = tmp_path / "scenario.toml"
    path.write_text(SCENARIO.format(key="0x" + given_key().hex()))
    return path


@pytest.fixture
def capture(
    tmp_path: Path, traffic: Callable[..., Any], write_traffic: Callable[..., Path]
) -> Path:
    """Traffic of which some belongs to the given SA."""
    return write_traffic(tmp_path / "traffic.pcap", traffic(6, 400))


@pytest.mark.parametrize(
    "written",
    [
        lambda key: key,
        lambda key: f"key: {key.hex(':')}".encode(),
        lambda key: key.hex().upper().encode(),
        lambda key: repr(key).encode(),
        lambda key: repr(list(key)).encode(),
        base64.b64encode,
    ],
)
def test_a_key_would_be_found(written: Callable[[bytes], bytes]) -> None:
    """In whatever form it were written, and nowhere else: so the tests below can fail."""
    assert shows_a_key(b"some text " + written(secrets()[3]) + b" and more")
    assert not shows_a_key(b"some text 00112233445566778899 [1, 2, 3, 4, 5, 6, 7, 8] and more")


def test_no_output_of_the_command_shows_a_key(
    tmp_path: Path, scenario: Path, capture: Path
) -> None:
    """Events, JSON, page, log and summary; the table of keys, asked for by name, has them."""
    table = tmp_path / "esp_sa"
    outputs = ["--events", tmp_path / "events", "--report", tmp_path / "page.html"]
    command = [sys.executable, "-m", "saactors"]
    replayed = subprocess.run(
        [*command, "replay", capture, "--scenario", scenario, "--verify", "--json", *outputs,
         "--write-keys", table, "--log-level", "debug", "--log-format", "json"],
        capture_output=True,
        check=True,
    )  # fmt: skip
    shown = subprocess.run(
        [*command, "events", tmp_path / "events"], capture_output=True, check=True
    )
    assert b'"failed": 0' in replayed.stdout
    assert b"load_issued" in replayed.stderr
    assert b"sa_added" in shown.stdout
    for content in (
        replayed.stdout,
        replayed.stderr,
        shown.stdout,
        (tmp_path / "events").read_bytes(),
        (tmp_path / "page.html").read_bytes(),
    ):
        assert len(content) > 1000
        assert not shows_a_key(content)
    assert shows_a_key(table.read_bytes())


def test_no_object_of_a_run_shows_a_key(scenario: Path, capture: Path) -> None:
    """Nor its string, before the run and after it, down to what objects hold."""
    options = ReplayOptions(capture=capture, scenario=load_scenario(scenario), seed=SEED)
    with ExitStack() as files:
        built = build_replay(options, files, None, [], ())
        things = list(held_by(built))
        assert {"SaTable", "Sealer", "GivenSa"} <= {type(thing).__name__ for thing in things}
        for thing in things:
            assert not shows_a_key(f"{thing!r} {thing}".encode())
    events: list[Any] = []
    result = replay(options, listeners=[events.append])
    assert not shows_a_key(repr([options, result, events]).encode())


def held_by(thing: object, depth: int = 5) -> Iterable[object]:
    """The thing, if it is of a class of ours, and what of that kind it holds."""
    if isinstance(thing, tuple | list):
        for item in thing:
            yield from held_by(item, depth)
    elif type(thing).__module__.startswith(("saactors", "nicmodel")):
        yield thing
        names = [*getattr(thing, "__dict__", ()), *getattr(thing, "__slots__", ())]
        for name in names if depth else ():
            yield from held_by(getattr(thing, name, None), depth - 1)


def test_no_exception_shows_a_key(scenario: Path, capture: Path) -> None:
    """Not even a traceback that prints every local variable, as some loggers do."""
    options = ReplayOptions(
        capture=capture, scenario=load_scenario(scenario), seed=SEED, write_esp="/dev/full"
    )
    with pytest.raises(OutputError) as caught:
        replay(options)
    printed = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    text = "".join(printed.format())
    assert "built" in text
    assert not shows_a_key(text.encode())
