"""The command on a terminal and off it, and its ways in."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from saactors import __version__
from saactors.cli.main import COMMANDS

Run: TypeAlias = Callable[..., Any]
CHECKOUT = Path(__file__).parent.parent.parent


def on_a_terminal(capture: Path, **environment: str) -> tuple[str, bytes]:
    """What a replay shows on the terminal of its standard error, and its standard output."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "saactors", "replay", str(capture), "--json"],
        stdout=subprocess.PIPE, stderr=theirs,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "80"} | environment,
    ) as running:  # fmt: skip
        os.close(theirs)
        shown = bytearray()
        try:
            while octets := os.read(ours, 4096):
                shown += octets
        except OSError:  # how Linux says that the other end has been closed
            pass
        os.close(ours)
        assert running.stdout is not None
        return shown.decode(), running.stdout.read()


def test_a_progress_bar_runs_on_a_terminal_and_leaves_nothing_behind(office_capture: Path) -> None:
    """On standard error; what standard output gets is the object alone."""
    shown, printed = on_a_terminal(office_capture)
    assert "replaying" in shown
    assert "packets" in shown
    assert shown.rstrip().endswith("\x1b[2K")  # its line is erased in the end
    assert printed.startswith(b"{\n")


def test_a_dumb_terminal_gets_no_bar(office_capture: Path) -> None:
    """It could not erase one."""
    shown, printed = on_a_terminal(office_capture, TERM="dumb")
    assert "replaying" not in shown
    assert "\x1b" not in shown
    assert printed.startswith(b"{\n")


@pytest.mark.slow
def test_help_answers_in_under_three_tenths_of_a_second() -> None:
    """The best of five, of the command and of replay: nothing heavy is imported for it."""
    for arguments in (["--help"], ["replay", "--help"]):
        took = []
        for _ in range(5):
            began = time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", "saactors", *arguments], check=True, capture_output=True
            )
            took.append(time.perf_counter() - began)
        assert min(took) < 0.3


def test_help_imports_nothing_heavy() -> None:
    """Seconds on a cold machine: Numba, NumPy, trio, rich, pydantic, structlog, cryptography."""
    heavy = {"numba", "numpy", "trio", "rich", "pydantic", "structlog", "cryptography", "plotly"}
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "saactors", "replay", "--help"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    imported = {
        line.rpartition("|")[2].strip().partition(".")[0] for line in ran.stderr.split("\n")
    }
    assert "click" in imported
    assert imported & heavy == set()


def test_the_installed_command_is_the_module(run_process: Run) -> None:
    """``saactors`` and ``python -m saactors`` answer alike."""
    script = Path(sys.executable).parent / "saactors"
    installed = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
    module = run_process("--version")
    assert installed.stdout == module.out == f"saactors {__version__}\n"


def test_help_lists_every_command_with_a_line(run: Run) -> None:
    """And without a command help is shown as an error: there is nothing to do."""
    ran = run("--help")
    assert ran.status == 0
    for name, (_, line) in COMMANDS.items():
        assert f"  {name:10}  {line}\n" in ran.out
        assert run(name, "--help").status == 0
    alone = run()
    assert (alone.status, alone.out, alone.err) == (2, "", ran.out)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("rpelay", "did you mean 'replay'?"),
        ("event", "did you mean 'events'?"),
        ("xyz", "expected one of run, replay, events, compare, size, tune, sweep, synth, sas, "),
        (CHECKOUT / "pyproject.toml", "to replay that file: saactors replay "),
    ],
)
def test_an_unknown_command_gets_a_suggestion(run: Run, name: object, expected: str) -> None:
    """Two lines and status 2."""
    ran = run(name)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith(f"saactors: no such command: {str(name)!r}; {expected}")
    assert ran.err.endswith("\nTry 'saactors --help'.\n")


def test_rules_are_listed_with_parameters_and_sources(run: Run) -> None:
    """Each parameter with its default, its unit and the reason for it."""
    printed = run("rules").out
    for expected in ("metric\n", "never\n", "first-come\n", "Source: US 7,124,293, claims 1 to 10",
                     "  decay = factor:0.9  [", "  threshold = from the cost analysis  [metric]\n",
                     "load cost ÷ saving: there a load pays for itself"):  # fmt: skip
        assert expected in printed


def test_profiles_are_listed_and_shown_with_their_sources(run: Run) -> None:
    """All in short, one in full, and an unknown one with those there are."""
    listed = run("profiles").out
    for name in ("82599 ", "netdevsim ", "nfp ", "connectx6 "):
        assert f"{name}" in listed
    shown = run("profiles", "netdevsim").out
    assert "  slots_max = 33 SAs\n" in shown
    assert "  load_blocks_engine = no\n" in shown
    assert "  software_packet_ns = 1,685 ns/packet\n" in shown
    assert "Linux packet-offload cover letter v10" in " ".join(shown.split())
    ran = run("profiles", "nope")
    assert (ran.status, ran.out) == (2, "")
    assert "found 'nope', expected one of 82599, netdevsim, nfp, connectx6" in ran.err
