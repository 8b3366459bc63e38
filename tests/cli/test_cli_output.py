"""What comes out of ``saactors replay``: files, one JSON object, a summary, and nothing besides."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

Run: TypeAlias = Callable[..., Any]
SAACTORS = [sys.executable, "-m", "saactors"]


def test_json_is_one_object_with_all_keys_of_the_issue_and_nothing_else(
    run_process: Run, office_capture: Path
) -> None:
    """On standard output; nothing at all on standard error."""
    ran = run_process("replay", office_capture, "--json", "--verify", "--seed", 3)
    assert (ran.status, ran.err) == (0, "")
    found, end = json.JSONDecoder().raw_decode(ran.out)
    assert ran.out[end:] == "\n"
    assert found["packets"] | dict.fromkeys(("in", "out", "software", "nic", "bypass"), 0)
    assert found["packets"]["in"] == found["packets"]["out"] == 100
    assert found["packets"]["software"] + found["packets"]["nic"] == 100
    assert found["bytes"]["in"] == found["bytes"]["software"] + found["bytes"]["nic"] > 50_000
    assert found["drops"] == {}
    assert (found["loads"], found["evictions"]) == (5, 0)
    host_time = found["host_time_ns"]
    assert host_time["saved"] == host_time["all_software"] - host_time["total"] > 0
    for edge in found["edges"].values():
        assert edge.keys() == {"capacity", "high_water", "waits", "waited_ns"}
        assert edge["high_water"] <= edge["capacity"]
    for component in ("software", "nic"):
        latency = found["latency_ns"][component]
        assert 0 < latency["p50"] <= latency["p99"] <= latency["p999"]
    assert found["verify"] == {"checked": 100, "failed": 0}
    assert found["rule"]["name"] == "metric"
    assert (found["profile"], found["seed"]) == ("82599", 3)
    assert 0 < found["wall_s"] < 60


def test_a_good_run_prints_its_summary_and_no_log(
    run: Run, office_capture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The default log level is warning, and there is nothing to warn of. No line ends in blanks."""
    monkeypatch.setenv("COLUMNS", "80")
    ran = run("replay", office_capture, "--verify")
    assert (ran.status, ran.err) == (0, "")
    assert "\x1b" not in ran.out
    for expected in ("offloaded ", "host time ", "loads ", "verified   all 100 packets", "p99.9",
                     "\nWaiting\n", "\nThreshold\n", "\nHottest SAs\n"):  # fmt: skip
        assert expected in ran.out
    assert "warning" not in ran.out
    assert all(line == line.rstrip() and len(line) <= 80 for line in ran.out.splitlines())


def test_the_summary_fits_a_narrow_terminal(
    run: Run, office_capture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forty columns; what has no room goes, what matters stays."""
    monkeypatch.setenv("COLUMNS", "40")
    lines = run("replay", office_capture).out.splitlines()
    assert max(map(len, lines)) <= 40
    assert any(line.startswith("0xc0000000") for line in lines)


@pytest.mark.parametrize("arguments", [
    ("replay", "CAPTURE", "--json"), ("replay", "CAPTURE"), ("rules",), ("profiles", "nfp"),
])  # fmt: skip
def test_a_reader_that_leaves_early_is_no_error(
    arguments: tuple[str, ...], office_capture: Path
) -> None:
    """As in ``saactors … | head -1``: status 0 and no complaint."""
    command = [*SAACTORS, *(str(office_capture) if a == "CAPTURE" else a for a in arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        assert running.stderr.read() == b""
        assert running.wait(30) == 0


def test_a_full_disk_behind_standard_output_is_told(office_capture: Path) -> None:
    """One line and status 1, where Python would show a traceback."""
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(
            [*SAACTORS, "replay", office_capture, "--json"],
            stdout=full, stderr=subprocess.PIPE, check=False,
        )  # fmt: skip
    assert ran.returncode == 1
    expected = b"saactors: standard output: cannot be written: No space left on device\n"
    assert ran.stderr == expected


OUTPUTS = ("--write-esp", "--write-keys", "--events", "--report")


def test_every_file_is_written_and_listed(run: Run, office_capture: Path, tmp_path: Path) -> None:
    """In the summary and in JSON, under a name each."""
    files = [tmp_path / name.removeprefix("--") for name in OUTPUTS]
    pairs = [word for pair in zip(OUTPUTS, files, strict=True) for word in pair]
    found = run("replay", office_capture, "--json", *pairs).result
    assert list(found["outputs"]) == ["esp", "keys", "events", "report"]
    assert [Path(path) for path in found["outputs"].values()] == files
    assert all(path.stat().st_size > 100 for path in files)


def test_the_report_is_complete_in_itself(run: Run, office_capture: Path, tmp_path: Path) -> None:
    """A page that names no other file and whose policy forbids any request."""
    run("replay", office_capture, "--report", tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text()
    assert page.startswith("<!DOCTYPE html>")
    assert "default-src 'none'" in page
    head, _, body = page.partition("<script>")
    for fetched in ("src=", "href=", "@import", "url("):
        assert fetched not in head
    assert '<script type="application/json" id="charts">[{' in body


@pytest.mark.parametrize("option", OUTPUTS)
def test_nothing_is_written_over_the_capture(
    run: Run, office_capture: Path, tmp_path: Path, option: str
) -> None:
    """Not through a link either: the capture is mapped, and the process would crash."""
    capture, link = tmp_path / "capture.pcap", tmp_path / "link"
    capture.write_bytes(office_capture.read_bytes())
    link.symlink_to(capture)
    for output in (capture, link):
        ran = run("replay", capture, option, output)
        assert ran.status == 2
        assert f"{option}: found '{output}', expected another file than the one of CAP" in ran.err
    assert capture.read_bytes() == office_capture.read_bytes()


def test_no_two_files_go_to_the_same_place(run: Run, office_capture: Path, tmp_path: Path) -> None:
    """Nor onto the scenario or the key table that are read; a device takes what comes."""
    one, other = tmp_path / "x", tmp_path / "." / "y" / ".." / "x"
    (tmp_path / "y").mkdir()
    ran = run("replay", office_capture, "--write-esp", one, "--events", other)
    assert ran.status == 2
    assert "--events: found " in ran.err
    assert "expected another file than the one of --write-esp" in ran.err
    one.write_text("seed = 1\n")
    ran = run("replay", office_capture, "--scenario", one, "--report", one)
    assert "--report: found " in ran.err
    assert "expected another file than the one of --scenario" in ran.err
    assert one.read_text() == "seed = 1\n"
    null = "/dev/null"
    assert run("replay", office_capture, "--write-esp", null, "--events", null).status == 0


@pytest.mark.parametrize("option", OUTPUTS)
def test_a_file_that_cannot_be_written_ends_the_run_before_it_begins(
    run: Run, office_capture: Path, tmp_path: Path, option: str
) -> None:
    """Status 1 and one line, and other files that could be written are as they were."""
    kept, nowhere = tmp_path / "kept", tmp_path / "no such folder" / "file"
    kept.write_text("as it was")
    other = "--events" if option != "--events" else "--write-esp"
    ran = run("replay", office_capture, other, kept, option, nowhere)
    assert (ran.status, ran.out) == (1, "")
    assert ran.err == f"saactors: {nowhere}: cannot be written: No such file or directory\n"
    assert kept.read_text() == "as it was"


@pytest.mark.parametrize("option", OUTPUTS)
def test_a_disk_that_is_full_in_the_end_is_told(
    run: Run, office_capture: Path, option: str
) -> None:
    """Status 1 and one line that names the file."""
    ran = run("replay", office_capture, option, "/dev/full")
    assert (ran.status, ran.out) == (1, "")
    assert ran.err == "saactors: /dev/full: cannot be written: No space left on device\n"


def test_events_are_logged_to_standard_error_in_the_format_asked_for(
    run: Run, office_capture: Path
) -> None:
    """With --log-level info: JSON objects, or lines to read; standard output stays clean."""
    options = ("--json", "--log-level", "info")
    ran = run("replay", office_capture, *options, "--log-format", "json")
    kinds = [json.loads(line)["kind"] for line in ran.err.splitlines()]
    assert kinds[0] == "run_started"
    assert kinds[-1] == "run_ended"
    assert kinds.count("loaded") == 5
    assert json.loads(ran.out)["loads"] == 5
    ran = run("replay", office_capture, *options)
    assert len(ran.err.splitlines()) == len(kinds)
    assert "loaded           sa=0 latency=2.55µs" in ran.err


def test_the_event_log_is_printed_and_filtered_by_saactors_events(
    run: Run, office_capture: Path, tmp_path: Path
) -> None:
    """By kind, SA and time; each load says why."""
    log = tmp_path / "x.msgpack"
    run("replay", office_capture, "--events", log, "--profile", "netdevsim")
    loads = run("events", log, "--kind", "load_issued", "--format", "json").out.splitlines()
    assert len(loads) == 5
    for load in map(json.loads, loads):
        assert load["metric"] >= load["victim_metric"] + load["threshold"]
        assert (load["saving_ns"], load["load_host_ns"]) == (1200, 1000)
        assert load["reason"] == "metric 1 ≥ free slot's 0 + threshold 0.833"
    of_one = run("events", log, "--sa", "0xc0000002").out.splitlines()
    assert [line.split()[4] for line in of_one] == ["sa_added", "load_issued", "loaded"]
    early = run("events", log, "--until", "30ms", "--format", "json").out.splitlines()
    late = run("events", log, "--from", "30ms", "--format", "json").out.splitlines()
    whole = run("events", log, "--format", "json").out.splitlines()
    assert early + late == whole
    assert min(len(early), len(late)) > 0


def test_packets_that_do_not_come_back_right_fail_the_command(
    run: Run, office_capture: Path, tmp_path: Path
) -> None:
    """A card that flips a bit in every packet: --verify sees each, and the status is 1."""
    (tmp_path / "x.toml").write_text("[card.faults]\nbit_flip_probability = 1.0\n")
    ran = run("replay", office_capture, "--scenario", tmp_path / "x.toml", "--verify")
    assert ran.status == 1
    failed = int(ran.out.partition("verified ")[2].split()[0])
    assert failed > 50
    assert f"{failed} of 100 packets did NOT come back as they were" in ran.out
