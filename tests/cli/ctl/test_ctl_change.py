"""What ``saactors ctl`` changes, in one gateway or in many at once; keys are nowhere seen."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from saactors.errors import ControlError
from saactors.gateway.control.schema import COMMANDS

Run: TypeAlias = Callable[..., Any]
KEY = "000102030405060708090a0b0c0d0e0f10111213"

CHANGES = {
    "sa.delete": ("sa delete 0x1000 --destination 192.0.2.1",
                  {"spi": 0x1000, "destination": "192.0.2.1"}, "SA 0x00001000 deleted"),
    "sa.pin": ("sa pin 4096 nic", {"spi": 0x1000, "where": "nic"},
               "SA 0x00001000 pinned to nic, now: loading"),
    "policy.add": ("policy add protect --source fd00::/8 --protocol 6 --source-ports 8 --sa 7000",
                   {"action": "protect", "source": "fd00::/8", "protocol": 6,
                    "source_ports": "8", "sa": 7000}, "policy 2 added"),
    "policy.delete": ("policy delete 2", {"number": 2}, "policy 2 deleted"),
    "rule.set": ("rule set metric threshold=500 decay=factor:0.5 some-switch=true bonus=2.5",
                 {"name": "metric", "parameters": {"threshold": 500, "decay": "factor:0.5",
                                                   "some_switch": True, "bonus": 2.5}},
                 "rule metric, decay factor:0.9, period_ns 1000000, bonus 2.5"),
    "card.reset": ("card reset", {}, "card reset, 1 SAs forgotten"),
    "card.resize": ("card resize 512", {"slots": 512}, "512 slots"),
}  # fmt: skip


@pytest.mark.parametrize("command", CHANGES)
def test_a_change_says_what_was_done(
    run: Run, gateway: Any, answers: Mapping[str, Any], command: str
) -> None:
    """In one line, or as JSON the answer; arguments go as they were typed."""
    line, arguments, told = CHANGES[command]
    ran = run("ctl", *line.split())
    assert (ran.status, ran.out, ran.err) == (0, f"{told}\n", "")
    assert run("ctl", *line.split(), "--json").result == answers[command]
    assert gateway.asked == [(command, arguments)] * 2


def test_every_change_is_tried_here() -> None:
    """A command that changes something is in the table above or has a test of its own below."""
    changing = {name for name, each in COMMANDS.items() if each.changes}
    assert changing == {*CHANGES, "sa.add", "sa.import"}


@pytest.mark.parametrize("line", ["rule set metric threshold=500", "card reset"])
def test_many_gateways_are_changed_at_once(
    run: Run, gateways: Callable[..., Any], tmp_path: Path, line: str
) -> None:
    """A line each; if one fails the others are changed all the same, and the status is 1."""
    first, second, third = gateways("a", "b", "c")
    to = [word for each in (first, second) for word in ("--to", each.path)]
    ran = run("ctl", *line.split(), *to)
    assert (ran.status, ran.err) == (0, "")
    said = ran.out.splitlines()
    assert [each.partition(": ")[0] for each in said] == [first.path, second.path]
    second.refuses = ControlError("rule", "'x'", "a rule", "see 'saactors rules'")
    ran = run("ctl", *to, "--to", tmp_path / "no.sock", "--to", third.path, *line.split())
    assert (ran.status, ran.err) == (1, "")
    said = ran.out.splitlines()
    assert said[1] == f"{second.path}: rule: found 'x', expected a rule; see 'saactors rules'"
    assert f"{tmp_path}/no.sock: gateway at " in said[2]
    assert said[3].startswith(f"{third.path}: ")
    assert [len(each.asked) for each in (first, second, third)] == [2, 2, 1]


def test_many_gateways_answers_are_one_json_object(
    run: Run, gateways: Callable[..., Any], answers: Mapping[str, Any]
) -> None:
    """By their sockets; an error stands where an answer would."""
    first, second = gateways("a", "b")
    second.refuses = ControlError("slots", "512", "at most 33", "give fewer")
    ran = run("ctl", "card", "resize", "512", "--json", "--to", first.path, "--to", second.path)
    assert ran.status == 1
    error = {"what": "slots", "found": "512", "expected": "at most 33", "mend": "give fewer"}
    assert json.loads(ran.out) == {
        first.path: answers["card.resize"],
        second.path: {"error": error},
    }


def test_what_one_gateway_refuses_is_an_error(run: Run, gateway: Any) -> None:
    """One line on standard error, status 1."""
    gateway.refuses = ControlError("slots", "512", "at most 33", "give fewer")
    ran = run("ctl", "card", "resize", "512")
    assert (ran.status, ran.out) == (1, "")
    assert ran.err == "saactors: slots: found 512, expected at most 33; give fewer\n"


@pytest.mark.parametrize("text", [KEY, f"0x{KEY}\n", f" {KEY[:20]} {KEY[20:]}\n"])
def test_an_sas_key_comes_from_a_file(run: Run, gateway: Any, tmp_path: Path, text: str) -> None:
    """With or without 0x and line ends."""
    file = tmp_path / "key"
    file.write_text(text)
    ran = run(
        "ctl", "sa", "add", "0x1000", "--direction", "out", "--suite", "aes-gcm-128",
        "--key-file", file, "--source", "192.0.2.1", "--destination", "192.0.2.2",
        "--extended-sequence", "--protect", "10.1.0.0/16", "10.2.0.0/16",
    )  # fmt: skip
    assert (ran.status, ran.out) == (0, "SA 0x00001000 added as sa-9\n")
    ((command, arguments),) = gateway.asked
    assert command == "sa.add"
    assert arguments.pop("key").removeprefix("0x") == KEY
    assert arguments == {
        "spi": 0x1000, "direction": "out", "suite": "aes-gcm-128", "source": "192.0.2.1",
        "destination": "192.0.2.2", "extended_sequence": True,
        "policies": [{"source": "10.1.0.0/16", "destination": "10.2.0.0/16"}],
    }  # fmt: skip


def test_keys_come_from_standard_input_too(run_process: Run, gateway: Any, tmp_path: Path) -> None:
    """Where it is said; else a script that forgot them is told which option is missing."""
    (tmp_path / "hmac").write_text(KEY)
    line = [
        "ctl",
        "sa",
        "add",
        "0x1000",
        "--direction",
        "in",
        "--suite",
        "aes-cbc-128-hmac-sha1-96",
    ]
    hmac = ("--integrity-key-file", tmp_path / "hmac")
    ran = run_process(*line, "--key-file", "-", *hmac, stdin=KEY[:32].encode())
    assert (ran.status, ran.err) == (0, "")
    ((_, arguments),) = gateway.asked
    assert (arguments["key"], arguments["integrity_key"]) == (KEY[:32], KEY)
    ran = run_process(*line, *hmac)
    assert ran.status == 2
    assert "--key-file is missing; name a file, or - for standard input" in ran.err


def test_a_key_is_asked_for_on_a_terminal_and_not_shown(gateway: Any) -> None:
    """Typed keys are not echoed, and what is printed tells nothing of them."""
    ours, theirs = pty.openpty()
    line = ["ctl", "sa", "add", "0x1000", "--direction", "out", "--suite", "aes-gcm-128"]
    with subprocess.Popen(
        [sys.executable, "-m", "saactors", *line], stdin=theirs, stdout=theirs, stderr=theirs,
        start_new_session=True,
    ) as running:  # fmt: skip
        os.close(theirs)
        shown = b""
        while b"Key in hexadecimal:" not in shown:
            assert select.select([ours], [], [], 20)[0]
            shown += os.read(ours, 4096)
        os.write(ours, KEY.encode() + b"\n")
        try:
            while octets := os.read(ours, 4096):
                shown += octets
        except OSError:  # how Linux says that the other end has been closed
            pass
        os.close(ours)
        assert running.wait(10) == 0
    assert b"SA 0x00001000 added as sa-9" in shown
    assert KEY[:8].encode() not in shown
    assert gateway.asked[0][1]["key"] == KEY


def test_wrong_keys_are_refused_without_being_quoted(
    run: Run, gateway: Any, tmp_path: Path
) -> None:
    """Neither by the gateway nor by us (law 10)."""
    file = tmp_path / "key"
    line = [
        "ctl",
        "sa",
        "add",
        "0x1000",
        "--direction",
        "out",
        "--suite",
        "aes-gcm-128",
        "--key-file",
    ]
    for octets in (KEY.encode() + b"x", b"\xff" + KEY.encode(), KEY.encode() * 200):
        file.write_bytes(octets)
        ran = run(*line, file)
        assert ran.status in {1, 2}
        assert KEY[:8] not in ran.out + ran.err
    assert gateway.asked == []


def test_sas_are_imported_from_a_file_that_the_client_reads(
    run: Run, run_process: Run, gateway: Any, tmp_path: Path
) -> None:
    """Or from standard input; what was skipped is told with the reason."""
    file = tmp_path / "sas"
    file.write_text("src 192.0.2.1 dst 192.0.2.2 …")
    ran = run("ctl", "sa", "import", file, "--from", "ip-xfrm", "--direction", "in")
    assert (ran.status, ran.err) == (0, "")
    assert ran.out == "2 added, 1 replaced, 1 skipped\n  line 3: weak suite\n"
    ran = run_process("ctl", "sa", "import", "-", stdin=file.read_bytes())
    assert ran.status == 0
    assert gateway.asked == [
        ("sa.import", {"text": file.read_text(), "format": "ip-xfrm", "direction": "in"}),
        ("sa.import", {"text": file.read_text(), "direction": "out"}),
    ]


def test_long_tables_of_sas_go_in_parts(run: Run, gateway: Any, tmp_path: Path) -> None:
    """Lines of esp_sa stand alone, so they can; other formats cannot be cut."""
    file = tmp_path / "sas"
    line = (
        f'"IPv4","192.0.2.1","198.51.100.7","0x00001000","AES-GCM [RFC4106]","0x{KEY}","NULL",""\n'
    )
    file.write_text("# made here\n" + line * 50_000)
    ran = run("ctl", "sa", "import", file, "--json")
    assert ran.result["added"] == 2 * len(gateway.asked)
    texts = [arguments["text"] for _, arguments in gateway.asked]
    assert "".join(texts) == file.read_text()
    assert all(len(text) <= 2 << 20 and text.endswith("\n") for text in texts)
    ran = run("ctl", "sa", "import", file, "--from", "ip-xfrm")
    assert ran.status == 2
    assert "import it in parts, or as esp-sa" in ran.err
