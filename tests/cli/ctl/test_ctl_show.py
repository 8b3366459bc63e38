"""What ``saactors ctl`` shows: for people, for pipes, as JSON."""

from __future__ import annotations

import json
import os
import pty
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from saactors.gateway.control.schema import COMMANDS

Run: TypeAlias = Callable[..., Any]

QUESTIONS = {
    "status": ("status", {}),
    "sa.list": ("sa list", {"descending": True, "offset": 0, "limit": 100, "search": "",
                            "sort": "packets_per_s"}),
    "sa.show": ("sa show 0xc0ffee01 --destination 198.51.100.7",
                {"spi": 0xC0FFEE01, "destination": "198.51.100.7"}),
    "explain": ("explain 4096", {"spi": 4096}),
    "rule.show": ("rule show", {}),
    "card.show": ("card show", {}),
    "policy.list": ("policy list", {}),
    "moves": ("moves --limit 5", {"limit": 5}),
    "history": ("history", {}),
}  # fmt: skip


@pytest.mark.parametrize("command", QUESTIONS)
def test_json_is_the_answer_and_nothing_else(
    run: Run, gateway: Any, answers: Mapping[str, Any], command: str
) -> None:
    """Wherever --json stands, and with the arguments that were typed."""
    line, arguments = QUESTIONS[command]
    assert run("ctl", *line.split(), "--json").result == answers[command]
    assert run("ctl", "--json", *line.split()).result == answers[command]
    assert gateway.asked == [(command, arguments)] * 2


def test_every_question_is_asked_here() -> None:
    """A command that changes nothing is in the table above, but for the streams."""
    asking = {name for name, each in COMMANDS.items() if not (each.changes or each.pushes)}
    assert asking == set(QUESTIONS)


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("status", ["edge-1, saactors 9.9\n", "state        ready, up 2 min 5 s, process 4242\n",
                    "  metric, decay factor:0.9, period 1.00 ms, bonus 2.5, threshold 500\n",
                    "card         82599: 1 of 1024 slots used, 0 loading\n",
                    "on the card  20.0 k packets, 27.5 MB (97.7 % of crypto)\n",
                    "\nPorts\n", "tun0  tun   inside", "\nEdges\n", "\nDropped\n",
                    "replayed       15\n", "\nListening\n", "3 by all who listened\n"]),
        ("sa.list", ["2 of 2 SAs\n", "SPI         dir  where             metric",
                     " 13.5 Mb/s  branch",
                     "0xc0ffee01  out  card               812.5     1.23 k",
                     "0x00001000  in   software, pinned       0", "  any  "]),
        ("sa.show", ["0xc0ffee01 branch\n", "192.0.2.1 → 198.51.100.7, ESP in UDP 4500 → 4500\n",
                     "sequence  20,481 (64-bit)\n", "lifetime  hard_packets 1000000000\n"]),
        ("explain", ["where           card, outbound\n", "lowest on card  3, 0x00002000\n",
                     "threshold       500\n", "a packet saves  1.20 µs\n",
                     "to change it    its metric would have to fall below 3\n",
                     "It is on the card since 1.234 s.\n", "Its last moves\n",
                     "1.234 567 890 s  loaded  metric 812.5 ≥ lowest 3 + 500"]),
        ("rule.show", ["metric\n", "decay      factor:0.9\n", "2600 ns / 1200 ns\n",
                       "Rules: metric, never.\n"]),
        ("card.show", ["loads         5, 1 refused, 0 lost\n", "load_blocks_engine  no\n",
                       "0xc0ffee01   812.5      7\n"]),
        ("policy.list", ["protect  10.1.0.0/16", "branch\n", "newest to 192.0.2.9\n"]),
        ("moves", ["Moves, newest first\n", "1.234 567 890 s  0xc0ffee01  loaded"]),
        ("history", ["Packets in every 1.00 s\n", "\n11.0 s        11   100"]),
    ],
)  # fmt: skip
def test_people_read_facts_and_tables(
    run: Run, gateway: Any, monkeypatch: pytest.MonkeyPatch, command: str, expected: list[str]
) -> None:
    """Into a pipe goes plain text, however wide, aligned by spaces."""
    monkeypatch.delenv("COLUMNS", raising=False)
    ran = run("ctl", *QUESTIONS[command][0].split())
    assert (ran.status, ran.err) == (0, "")
    assert gateway.asked[-1][0] == command
    for text in expected:
        assert text in ran.out
    assert "\x1b" not in ran.out
    assert all(line == line.rstrip() for line in ran.out.split("\n"))


def on_a_terminal(line: str, columns: int, **environment: str) -> str:
    """What a command shows on a terminal of that width."""
    ours, theirs = pty.openpty()
    given = {"TERM": "xterm-256color", "COLUMNS": str(columns)}
    with subprocess.Popen(
        [sys.executable, "-m", "saactors", "ctl", *line.split()],
        stdout=theirs, stderr=theirs, stdin=theirs, env=os.environ | given | environment,
    ) as running:  # fmt: skip
        os.close(theirs)
        shown = bytearray()
        try:
            while octets := os.read(ours, 65536):
                shown += octets
        except OSError:  # how Linux says that the other end has been closed
            pass
        os.close(ours)
        assert running.wait(10) == 0
    return shown.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("columns", [50, 80, 120])
def test_a_terminal_gets_what_fits(gateway: Any, columns: int) -> None:
    """In colour; columns that may go give way, and what must stay is folded."""
    shown = re.sub(r"\x1b\[[0-9]*m", "", on_a_terminal("sa list", columns))
    assert max(map(len, shown.split("\n"))) <= columns
    assert ("suite" in shown) is (columns > 120)
    assert ("name" in shown) is (columns >= 80)
    assert "0xc0ffee01" in shown
    assert gateway.asked


def test_colour_is_for_terminals_that_want_it(gateway: Any) -> None:
    """NO_COLOR is heeded."""
    assert "\x1b[36m" in on_a_terminal("status", 100)
    assert "\x1b[36m" not in on_a_terminal("status", 100, NO_COLOR="1")
    assert gateway.asked


def test_a_reader_who_leaves_ends_it_silently(gateway: Any) -> None:
    """As into head: status 0, nothing on standard error."""
    reading, writing = os.pipe()
    os.close(reading)
    with subprocess.Popen(
        [sys.executable, "-m", "saactors", "ctl", "status"],
        stdout=writing, stderr=subprocess.PIPE,
    ) as running:  # fmt: skip
        os.close(writing)
        _, told = running.communicate(timeout=20)
    assert (running.returncode, told) == (0, b"")
    assert gateway.asked


def test_steps_of_packets_are_shown_as_they_come(run: Run, gateway: Any) -> None:
    """For people a line each; as JSON an object a line; losses go to standard error."""
    ran = run("ctl", "trace", "add", "--count", "2", "--spi", "0xc0ffee01", "--protocol", "6")
    assert gateway.asked == [
        ("trace.add", {"count": 2, "filter": {"spi": 0xC0FFEE01, "protocol": 6}})
    ]
    first, second, third, end = ran.out.splitlines()
    assert first.startswith("packet 1 ")
    assert first.endswith(" 0.000 001 500 s  classifier  0xc0ffee01  policy 0: protect")
    assert " -  " in second
    assert third.endswith("nic         0xc0ffee01  encrypted, number 20482")
    assert end == "2 of 2 packets traced"
    assert ran.err == "saactors: 5 steps were lost\n"
    lines = run("ctl", "trace", "add", "--count", "2", "--json").out.splitlines()
    assert [json.loads(line)["packet"] for line in lines] == [1, 2, 1]
    assert json.loads(lines[1]) == {
        "kind": "packet_traced", "time_ns": 1900, "packet": 2, "actor": "classifier",
        "sa": None, "spi": None, "decision": "policy 1: bypass",
    }  # fmt: skip


def test_ctrl_c_ends_a_trace(gateway: Any) -> None:
    """With the status that shells expect; what came until then has been shown."""
    gateway.is_endless = True
    with subprocess.Popen(
        [sys.executable, "-m", "saactors", "ctl", "trace", "add", "--count", "9"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as running:  # fmt: skip
        assert running.stdout is not None
        shown = [running.stdout.readline() for _ in range(3)]
        running.send_signal(signal.SIGINT)
        _, told = running.communicate(timeout=20)
    assert all(line.startswith("packet ") for line in shown)
    assert (running.returncode, told) == (130, "saactors: 5 steps were lost\n")


def test_an_answer_of_another_release_is_told_and_json_shows_it(run: Run, gateway: Any) -> None:
    """What a table needs may not be there."""
    gateway.forgets = "packets"
    ran = run("ctl", "status")
    assert (ran.status, ran.out) == (1, "")
    assert "answer: found nothing under 'packets', expected what docs/control.md says" in ran.err
    assert run("ctl", "status", "--json").result["name"] == "edge-1"


def test_a_gateway_that_is_not_there_is_named_with_the_mend(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line, status 1."""
    monkeypatch.delenv("SAACTORS_SOCKET", raising=False)
    ran = run("ctl", "status", "--socket", tmp_path / "no.sock")
    assert (ran.status, ran.out) == (1, "")
    assert ran.err.count("\n") == 1
    assert f"gateway at {tmp_path}/no.sock: found no such file or directory" in ran.err
    assert "start it with 'saactors run'" in ran.err


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("explain 255", "found '255', expected an SPI from 256 to 4294967295 such as 0x1000"),
        ("explain 0x1000000000", "expected an SPI from 256"),
        ("explain x", "found 'x', expected an SPI from 256"),
        ("sa pin 0x1000 card", "'card' is not one of 'nic', 'software', 'auto'"),
        ("rule set metric threshold", "found 'threshold', expected NAME=VALUE"),
        ("policy add protect", "protect needs --sa SPI or --peer"),
        ("policy add bypass --sa 0x1000", "bypass has no SA; leave out --sa"),
        ("policy add discard --peer 192.0.2.1", "discard has no SA; leave out --sa"),
        ("status --to a", "No such option"),
        ("--to a status", "--to is for commands that change something; use --socket PATH"),
        ("--to a trace add", "--to is for commands that change something; use --socket PATH"),
        ("sa add 0x1000 --direction out --suite aes-gcm-128 --key-file no-such-file",
         "--key-file no-such-file: cannot be read: No such file or directory"),
        ("sa add 0x1000 --direction out --suite aes-gcm-128 --key-file - --integrity-key-file -",
         "only one of both keys can come from standard input"),
        ("sa import no-such-file", "FILE no-such-file: cannot be read: No such file"),
    ],
)  # fmt: skip
def test_a_wrong_command_line_is_told_before_anybody_is_asked(
    run: Run, gateway: Any, line: str, expected: str
) -> None:
    """Status 2, with what was expected."""
    ran = run("ctl", *line.split())
    assert (ran.status, ran.out) == (2, "")
    assert expected in ran.err
    assert gateway.asked == []


def test_it_starts_without_what_takes_long() -> None:
    """Neither help nor an answer in JSON needs NumPy, Numba, trio, pydantic or rich."""
    heavy = {"numba", "numpy", "trio", "rich", "pydantic", "structlog", "cryptography"}
    for line in ("ctl --help", "ctl sa add --help", "ctl status --json --socket nowhere"):
        ran = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "saactors", *line.split()],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        imported = {
            each.rpartition("|")[2].strip().partition(".")[0] for each in ran.stderr.split("\n")
        }
        assert "click" in imported
        assert imported & heavy == set()


@pytest.mark.slow
def test_help_and_an_answer_come_at_once(gateway: Any) -> None:
    """The best of five takes less than three tenths of a second of one core."""
    for line in ("ctl --help", "ctl status --json"):
        took = []
        for _ in range(5):
            began = _children_s()
            command = [sys.executable, "-m", "saactors", *line.split()]
            subprocess.run(command, check=True, capture_output=True)
            took.append(_children_s() - began)
        assert min(took) < 0.3
    assert gateway.asked


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
