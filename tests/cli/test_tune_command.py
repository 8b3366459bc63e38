"""``saactors tune`` as its users meet it."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from saactors.scenario import load_scenario
from tests.cli.conftest import Ran

Run = Callable[..., Ran]

TRACE = "synth:zipf,sas=100,packets=4000"
CARD = ("--profile", "netdevsim", "--slots", "10%")


def test_it_prints_a_verdict_the_best_trials_and_the_cost_analysis(run: Run) -> None:
    """In words first."""
    ran = run("tune", TRACE, *CARD, "--trials", 6)
    assert ran.status == 0
    verdict, *_ = ran.out.splitlines()
    assert "defaults" in verdict
    assert "interval" in ran.out
    assert "Best trials" in ran.out
    assert "load cost" in ran.out
    assert "1,200 ns" in ran.out  # the saving on 1500 bytes


def test_json_is_one_object(run: Run) -> None:
    """With whatever is printed, and every trial."""
    found = run("tune", TRACE, *CARD, "--trials", 6, "--json").result
    assert found["rule"] == "metric"
    assert found["slots"] == 10
    assert len(found["trials"]) == 6
    assert found["difference_ns"]["low"] <= found["difference_ns"]["high"]
    assert found["packets"] == {"training": 2800, "held_out": 1200}


def test_the_same_seed_prints_the_same(run: Run) -> None:
    """Trace and search, both."""
    given = ("tune", TRACE, *CARD, "--trials", 6)
    first, second = (run(*given, "--seed", 3).out for _ in range(2))
    assert first == second
    assert run(*given, "--seed", 4).out != first


def test_the_scenario_and_the_page_are_written(run: Run, tmp_path: Path) -> None:
    """A scenario with the card as it was given, a page with the surface."""
    output, page = tmp_path / "tuned.toml", tmp_path / "tuned.html"
    ran = run(
        "tune", TRACE, *CARD, "--card", "load_host_ns=5us", "--trials", 6, "--output", output,
        "--page", page,
    )  # fmt: skip
    assert ran.status == 0, ran.err
    assert f"--scenario {output}" in ran.out
    assert load_scenario(output).rule_name == "metric"
    assert tomllib.loads(output.read_text())["card"] == {
        "profile": "netdevsim",
        "slots_max": 10,
        "load_host_ns": 5000,
    }
    assert "The surface" in page.read_text()


def test_replay_takes_the_scenario(run: Run, tmp_path: Path, office_capture: Path) -> None:
    """As it is; here from a trace of other traffic."""
    output = tmp_path / "tuned.toml"
    run("tune", TRACE, *CARD, "--trials", 3, "--output", output)
    found = run("replay", office_capture, "--scenario", output, "--crypto", "none", "--json").result
    assert found["rule"]["name"] == "metric"


def test_parameters_can_be_fixed_and_ranges_chosen(run: Run) -> None:
    """With or without the rule's name in front; a time has a unit."""
    found = run(
        "tune", TRACE, *CARD, "--trials", 4, "--json", "--set", "period=5ms",
        "--set", "metric.decay=factor:0.5", "--search", "threshold=2..4",
    ).result  # fmt: skip
    for trial in found["trials"]:
        assert trial["parameters"]["period_ns"] == 5_000_000
        assert trial["parameters"]["decay"] == "factor:0.5"
        assert trial["parameters"]["threshold"] in {2, 3, 4}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--rule", "metrik"), "rule: found 'metrik', expected one of"),
        (("--rule", "never"), "--search NAME=LOW..HIGH"),
        (("--profile", "8259"), "profile: found '8259', expected one of"),
        (("--slots", "0"), "slots: found 0, expected a whole number above 0"),
        (("--slots", "3,4"), "slots: found '3,4', expected one number of slots"),
        (("--hold-out", "1"), "hold_out: found 1.0, expected a share"),
        (("--hold-out", "0.99"), "expected at least 100 packets"),
        (("--search", "threshold"), "search: found 'threshold', expected NAME=LOW..HIGH"),
        (("--search", "treshold=1..2"), "parameter: found 'treshold', expected one of initial"),
        (("--set", "threshold"), "--set: found 'metric.threshold', expected RULE.NAME=VALUE"),
        (("--set", "threshold=-1"), "threshold: found -1.0, expected a number, 0 or more"),
        (("--card", "nic_packet_ns=9000"), "expected a card on which a packet saves host time"),
        (("--trials", "0"), "0 is not in the range x>=1"),
    ],
)
def test_a_mistake_is_one_line(run: Run, options: tuple[str, ...], said: str) -> None:
    """With what was found and what was expected; status 2."""
    ran = run("tune", TRACE, "--trials", 2, *options)
    assert ran.status == 2
    assert said in ran.err
    assert ran.out == ""
    assert "Traceback" not in ran.err


def test_a_trace_that_is_not_there_is_named(run: Run, tmp_path: Path) -> None:
    """As every command does."""
    ran = run("tune", tmp_path / "none.pcap")
    assert ran.status == 2
    assert "none.pcap" in ran.err


def test_nothing_is_written_over_the_trace(run: Run, tmp_path: Path) -> None:
    """Nor over the other file that is written."""
    trace = tmp_path / "trace.npz"
    trace.write_bytes(b"a trace")
    for outputs in (("--output", trace), ("--output", tmp_path / "a", "--page", tmp_path / "a")):
        ran = run("tune", trace, *outputs)
        assert ran.status == 2
        assert "expected another file" in ran.err
    assert trace.read_bytes() == b"a trace"


def test_a_file_that_cannot_be_written_is_named(run: Run, tmp_path: Path) -> None:
    """The search is not repeated for it: status 1."""
    ran = run("tune", TRACE, *CARD, "--trials", 1, "--output", tmp_path / "no" / "a.toml")
    assert ran.status == 1
    assert "cannot be written: No such file" in ran.err


def test_a_reader_who_leaves_is_no_error() -> None:
    """As in ``saactors tune … | head -1``: status 0 and no complaint."""
    command = [sys.executable, "-m", "saactors", "tune", TRACE, "--trials", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        assert running.stderr.read() == b""
        assert running.wait(60) == 0
