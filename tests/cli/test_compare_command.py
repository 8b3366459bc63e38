"""``saactors compare``: what it prints and writes, and how it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import polars as pl
import pytest

from saactors.lab.frames import SCHEMA

Run: TypeAlias = Callable[..., Any]
SAACTORS = [sys.executable, "-m", "saactors"]
SMALL = "synth:zipf,sas=50,packets=3000"
RIVALS = ("--rules", "metric,first-come,never")


def test_json_is_a_list_with_an_object_per_trace_and_rule(
    run_process: Run, office_capture: Path
) -> None:
    """With the names that scripts rely on; nothing on standard error."""
    ran = run_process("compare", office_capture, SMALL, *RIVALS, "--profile", "netdevsim", "--json")
    assert (ran.status, ran.err) == (0, "")
    found = json.loads(ran.out)
    assert [(one["trace"], one["rule"]) for one in found] == [
        (trace, rule) for trace in ("office", SMALL) for rule in ("metric", "first-come", "never")
    ]
    for one in found:
        assert one.keys() >= {
            "trace", "rule", "parameters", "saving_percent", "optimum", "cost_ns", "offload_ratio",
            "loads", "wasted_loads", "packets", "packets_per_s",
        }  # fmt: skip
        assert one["optimum"].keys() >= {"lower_ns", "upper_ns", "gap"}
        assert one["optimum"]["lower_ns"] <= one["cost_ns"]["rule"]
        assert one["cost_ns"].keys() >= {"rule", "never"}
        assert one["offload_ratio"].keys() == {"packets", "bytes"}
        assert one["wasted_loads"] <= one["loads"]
        assert one["packets_per_s"] > 0
    assert found[0]["parameters"]["threshold"] == pytest.approx(1000 / 1200)
    assert {one["packets"] for one in found} == {100, 3000}


def test_the_table_is_sorted_by_saving_and_plain_in_a_pipe(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No colours, no trailing blanks, no line longer than the terminal."""
    monkeypatch.setenv("COLUMNS", "100")
    ran = run("compare", SMALL, *RIVALS, "--profile", "nfp", "--slots", "10%")
    assert (ran.status, ran.err) == (0, "")
    assert "\x1b" not in ran.out
    lines = ran.out.splitlines()
    assert all(line == line.rstrip() and len(line) <= 100 for line in lines)
    assert lines[0] == f"{SMALL} on nfp with 5 slots (10%)"
    assert "3000 packets of 50 SAs" in lines[1]
    heads = next(line.split() for line in lines if line.startswith("rule"))
    assert heads[:6] == ["rule", "saving", "offloaded", "bytes", "loads/s", "wasted"]
    savings = [
        float(line.split()[1].replace(",", ""))
        for line in lines
        if line.startswith(("metric", "first-come", "never"))
    ]
    assert len(savings) == 3
    assert savings == sorted(savings, reverse=True)


def test_the_table_fits_a_narrow_terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule and saving stay, whatever goes."""
    monkeypatch.setenv("COLUMNS", "40")
    lines = run("compare", SMALL, *RIVALS).out.splitlines()
    assert max(map(len, lines)) <= 40
    assert any(line.startswith("metric ") and "%" in line for line in lines)


def test_seeds_give_means_with_intervals(run: Run) -> None:
    """Each seed is a trace of its own; --json has them one by one."""
    ran = run("compare", SMALL, *RIVALS, "--seeds", 3)
    assert "the first of 3 seeds" in ran.out.replace("\n", " ")
    assert " ± " in next(line for line in ran.out.splitlines() if line.startswith("metric"))
    found = run("compare", SMALL, *RIVALS, "--seeds", 3, "--json").result
    assert [one["seed"] for one in found] == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_slots_are_counts_or_shares(run: Run) -> None:
    """A group for each; without, the profile's."""
    found = run("compare", SMALL, "--rules", "never", "--slots", "3,10%,50%", "--json").result
    assert [one["slots"] for one in found] == [3, 5, 25]
    found = run("compare", SMALL, "--rules", "never", "--json").result
    assert [(one["profile"], one["slots"]) for one in found] == [("82599", 1024)]


def test_parameters_and_figures_of_the_card_can_be_set(run: Run) -> None:
    """As on a scenario's tables: times with a unit, numbers, words."""
    (found,) = run(
        "compare", SMALL, "--rules", "metric", "--set", "metric.threshold=3.5", "--set",
        "metric.period=20ms", "--set", "metric.decay=amount:2", "--set", "metric.decide=periodic",
        "--card", "load_host_ns=7", "--card", "load_latency=3us", "--json",
    ).result  # fmt: skip
    parameters = found["parameters"]
    assert parameters["threshold"] == 3.5
    assert parameters["period_ns"] == 20_000_000
    assert (parameters["decay"], parameters["decide"]) == ("amount:2", "periodic")
    assert found["profile"] == "82599 (changed)"
    assert found["cost_ns"]["loads"] == 7 * found["loads"]


def test_bursts_decide_as_the_options_say(run: Run) -> None:
    """Bursts of one packet let a load begin earlier than bursts that gather."""
    common = ("compare", "synth:zipf,sas=5,packets=2000", "--rules", "first-come", "--json")
    ((single,), (gathered,)) = (
        run(*common, "--burst", burst, "--burst-wait-us", wait).result
        for burst, wait in ((1, 0), (256, 1_000_000))
    )
    assert single["offload_ratio"]["packets"] > gathered["offload_ratio"]["packets"]


def test_results_are_written_as_csv_parquet_and_page(run: Run, tmp_path: Path) -> None:
    """The same rows in both tables; the page holds all it shows."""
    files = {name: tmp_path / f"x.{name}" for name in ("csv", "parquet", "page")}
    given = [word for name, path in files.items() for word in (f"--{name}", path)]
    assert run("compare", SMALL, *RIVALS, *given).status == 0
    frame = pl.read_parquet(files["parquet"])
    assert frame.schema == SCHEMA
    assert pl.read_csv(files["csv"], schema=SCHEMA)["rule"].to_list() == frame["rule"].to_list()
    page = files["page"].read_text()
    assert page.startswith("<!DOCTYPE html>")
    assert "default-src 'none'" in page


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("nowhere.pcap",), "nowhere.pcap"),
        (("synth:zpf",), "zpf"),
        ((SMALL, "--rules", "metric,sieve2"), "rule: found 'sieve2', expected one of"),
        ((SMALL, "--rules", ","), "--rules: found ',', expected names with commas"),
        ((SMALL, "--profile", "cx7"), "profile: found 'cx7', expected one of 82599"),
        ((SMALL, "--slots", "0"), "slots: found 0, expected a whole number above 0"),
        ((SMALL, "--slots", "a"), "slots: found 'a', expected a whole number above 0"),
        ((SMALL, "--set", "threshold=3"), "--set: found 'threshold=3', expected RULE.NAME=VALUE"),
        ((SMALL, *RIVALS, "--set", "lru.x=3"), "--set: found 'lru.x=3', expected a parameter of"),
        ((SMALL, "--set", "metric.treshold=3"), "parameter: found 'treshold', expected one of"),
        ((SMALL, "--set", "metric.threshold=x"), "threshold: found 'x', expected a number"),
        ((SMALL, "--card", "slots"), "--card: found 'slots', expected FIGURE=VALUE"),
        ((SMALL, "--card", "size=3"), "figure of a card: found 'size', expected one of"),
        ((SMALL, "--card", "load_latency_distribution=uniform"), "load_latency"),
        ((SMALL, "--seeds", "0"), "--seeds"),
        ((SMALL, "--kind", "oracle"), "--kind"),
        ((), "TRACE"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_status_2(
    run: Run, arguments: tuple[str, ...], expected: str
) -> None:
    """It says what was found; a usage error also says where to read on."""
    ran = run("compare", *arguments)
    assert (ran.status, ran.out) == (2, "")
    assert expected in ran.err
    told = [line for line in ran.err.splitlines() if not line.startswith("Try ")]
    assert len(told) == 1
    assert "Traceback" not in ran.err


def test_nothing_is_written_over_a_trace(run: Run, tmp_path: Path, office_capture: Path) -> None:
    """Nor over another output; and nothing runs before that is checked."""
    capture = tmp_path / "capture.pcap"
    capture.write_bytes(office_capture.read_bytes())
    ran = run("compare", capture, *RIVALS, "--csv", capture)
    assert ran.status == 2
    assert "csv: found" in ran.err
    assert capture.read_bytes() == office_capture.read_bytes()
    same = tmp_path / "same"
    assert run("compare", capture, *RIVALS, "--csv", same, "--page", same).status == 2
    assert not same.exists()


def test_a_file_that_cannot_be_written_is_told(run: Run, tmp_path: Path) -> None:
    """Status 1 and one line, before anything has run."""
    nowhere = tmp_path / "no such folder" / "x.csv"
    ran = run("compare", SMALL, *RIVALS, "--csv", nowhere)
    assert (ran.status, ran.out) == (1, "")
    assert ran.err == f"saactors: {nowhere}: cannot be written: No such file or directory\n"


def test_a_damaged_capture_is_warned_of(run: Run, tmp_path: Path, office_capture: Path) -> None:
    """What could be read of it is compared."""
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(office_capture.read_bytes()[:-7])
    ran = run("compare", cut, "--rules", "never", "--json")
    assert ran.status == 0
    assert ran.err.startswith(f"saactors: warning: {cut}: ")
    assert json.loads(ran.out)[0]["packets"] == 99


def test_a_reader_that_leaves_early_is_no_error() -> None:
    """As in ``saactors compare … | head -1``."""
    command = [*SAACTORS, "compare", SMALL, *RIVALS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        assert running.stderr.read() == b""
        assert running.wait(30) == 0


@pytest.mark.slow
def test_ctrl_c_ends_it_with_status_130() -> None:
    """Told in one line, with no traceback, wherever it hits."""
    # Whoever runs the tests in the background has SIGINT ignored, and so would the command have.
    command = [
        "env",
        "--default-signal=INT",
        *SAACTORS,
        "compare",
        SMALL,
        *RIVALS,
        "--seeds",
        "9999",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        wait_until_it_works(running.pid)
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=30)
    assert running.returncode == 130
    assert err.decode().startswith("saactors: interrupted")
    assert b"Traceback" not in err


def wait_until_it_works(pid: int) -> None:
    """Until a process has used two seconds of CPU time: it has imported all and runs."""
    for _ in range(600):
        time.sleep(0.1)
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        if int(stat[11]) + int(stat[12]) > 200:  # utime and stime in 1/100 s, proc(5)
            return
    pytest.fail("the process never began to work")
