"""``--scenario``: its settings reach the run, the command line goes first, errors start nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from saactors.observe.event_log import read_event_log

Run: TypeAlias = Callable[..., Any]
CHECKOUT = Path(__file__).parent.parent.parent

SETTINGS = """\
seed = 77

[replay]
burst = 32
burst_wait_us = 120
rx_ring = 100
software_workers = 3
pad_cut = false
crypto = "none"

[card]
profile = "netdevsim"
slots_max = 5

[host]
software_packet_ns = 3_000

[rule]
name = "metric"
decay = "amount:2"
period_ns = 50_000_000
"""


@pytest.fixture
def started(run: Run, office_capture: Path, tmp_path: Path) -> Callable[..., Any]:
    """The first event of a replay of a scenario with these options: all that was set."""

    def started(scenario: str, *options: object) -> Any:
        (tmp_path / "x.toml").write_text(scenario)
        log = tmp_path / "x.msgpack"
        ran = run(
            "replay", office_capture, "--scenario", tmp_path / "x.toml", "--events", log, *options
        )
        assert ran.status == 0, ran.err
        return next(iter(read_event_log(log)))

    return started


def test_what_a_scenario_sets_reaches_the_run(started: Callable[..., Any]) -> None:
    """Every key of [replay], and seed, card and rule."""
    event = started(SETTINGS)
    assert event.seed == 77
    assert event.options | {
        "burst": 32, "burst_wait_ns": 120_000, "rx_ring": 100, "software_workers": 3,
        "pad_cut": False, "crypto": "none", "closed_loop": False, "direction": "out",
    } == event.options  # fmt: skip
    assert event.profile == "netdevsim (changed)"
    assert event.rule == "metric"
    assert event.parameters["decay"] == "amount:2"
    assert event.parameters["period_ns"] == 50_000_000
    assert started("[replay]\nclosed_loop = true\n").options["closed_loop"] is True


def test_the_command_line_goes_before_the_scenario(started: Callable[..., Any]) -> None:
    """Setting by setting; what it leaves out stays the scenario's."""
    event = started(
        SETTINGS, "--seed", 5, "--burst", 8, "--burst-wait-us", 0, "--rx-ring", 7,
        "--software-workers", 1, "--pad-cut", "--crypto", "real", "--decay", "factor:0.5",
    )  # fmt: skip
    assert event.seed == 5
    assert event.options | {
        "burst": 8, "burst_wait_ns": 0, "rx_ring": 7, "software_workers": 1,
        "pad_cut": True, "crypto": "real",
    } == event.options  # fmt: skip
    assert event.parameters["decay"] == "factor:0.5"
    assert event.parameters["period_ns"] == 50_000_000
    assert started(SETTINGS, "--rule", "never").rule == "never"
    assert started(SETTINGS, "--profile", "nfp").profile == "nfp (changed)"
    closed = "[replay]\nclosed_loop = true\n"
    assert started(closed, "--rx-ring", 9).options["closed_loop"] is False


def test_policies_protect_bypass_and_discard_in_order(
    run: Run, office_capture: Path, tmp_path: Path
) -> None:
    """The first match decides, and what none matches is counted as such."""
    (tmp_path / "spd.toml").write_text("""
[[policies]]
action = "discard"
source = "10.1.0.1"
[[policies]]
action = "bypass"
source = "10.1.0.0/30"
protocol = "tcp"
[[policies]]
action = "protect"
source = "10.1.0.0/16"
destination_ports = "4000-6000"
sa = "all"
[[policies]]
action = "protect"
source = "2001:db8:1::3"
sa_per = "host-pair"
template = { suite = "aes-gcm-128", source = "2001:db8::a", destination = "2001:db8::b" }
[[sas]]
name = "all"
spi = "0x1234"
suite = "aes-gcm-192"
key_from_seed = true
source = "192.0.2.1"
destination = "192.0.2.2"
""")
    found = run(
        "replay", office_capture, "--scenario", tmp_path / "spd.toml", "--verify", "--json"
    ).result
    assert found["drops"] == {"discarded_by_policy": 20, "no_policy": 20}
    assert found["packets"]["bypass"] == 20
    assert found["verify"] == {"checked": 40, "failed": 0}
    assert {sa["spi"] for sa in found["hottest"]} == {0x1234, 0xC0000001}


@pytest.mark.parametrize(
    ("scenario", "expected"),
    [
        ("[replay\n", "line 1, column 8: "),
        ("[replay]\nburst = 300\n", "replay.burst: found 300, expected a whole number of packets"),
        ("[reply]\n", "reply: unknown key; did you mean 'replay'?"),
        ('[[policies]]\naction = "protekt"\n', "policies[0].action: found 'protekt', expected"),
        ('[card]\nprofile = "82598"\n', "card.profile: found '82598', expected one of '82599'"),
        ('[rule]\ndecay = "x"\n', "rule.decay: found 'x', expected factor:F or amount:A"),
    ],
)
def test_a_bad_scenario_names_file_place_found_and_expected_and_starts_nothing(
    run: Run, office_capture: Path, tmp_path: Path, scenario: str, expected: str
) -> None:
    """Status 2, nothing on standard output, nothing written."""
    path, log = tmp_path / "bad.toml", tmp_path / "x.msgpack"
    path.write_text(scenario)
    ran = run("replay", office_capture, "--scenario", path, "--events", log)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith(f"saactors: {path}: {expected}")
    assert not log.exists()


def test_options_that_the_scenario_leaves_nothing_to_say_on_are_refused(
    run: Run, office_capture: Path, tmp_path: Path
) -> None:
    """Its policies have templates of their own; an ignored --suite would mislead."""
    path = tmp_path / "spd.toml"
    path.write_text('[[policies]]\naction = "bypass"\n')
    for option, value in (
        ("--suite", "aes-gcm-256"),
        ("--mode", "transport"),
        ("--sa-per", "flow"),
    ):
        ran = run("replay", office_capture, "--scenario", path, option, value)
        assert ran.status == 2
        assert f"{option}: found '{value}', expected nothing: the scenario's policies" in ran.err


@pytest.mark.slow
def test_the_branch_office_example_fits_the_demo_capture(run: Run) -> None:
    """Nothing discarded, names looked up in the clear, a card with faults, all verified."""
    found = run(
        "replay", CHECKOUT / "demo/traffic.pcap.gz",
        "--scenario", CHECKOUT / "examples/branch-office.toml", "--verify", "--json",
    ).result  # fmt: skip
    assert set(found["drops"]) == {"not_ip"}
    assert found["packets"]["bypass"] > 1000
    assert found["verify"]["checked"] == found["packets"]["software"] + found["packets"]["nic"]
    assert found["verify"]["failed"] == 0
    assert (found["slots_max"], found["seed"]) == (16, 2024)
    assert found["loads_lost"] > 0
