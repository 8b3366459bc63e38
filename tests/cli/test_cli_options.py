"""Every option of ``saactors replay`` does something; a wrong value is told with the way out."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from saactors.cli.replay import replay_command
from saactors.cli.sections import SectionedOption
from saactors.observe.event_log import read_event_log
from saactors.observe.units import parse_duration_ns
from saactors.placement.parameters import MetricParameters
from saactors.replay.options import ReplayOptions
from saactors.scenario.equipment import DEFAULT_PROFILE
from saactors.scenario.tables import DEFAULT_RULE

MS = 1_000_000


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory, write_traffic: Callable[..., Path]) -> Path:
    """60 flows in 3 s; flow f sends as many packets as its number says, hot ones late as well."""
    packets = [
        (20 * MS * turn + 7_000 * flow, flow, 100 + 10 * flow)
        for turn in range(150)
        for flow in range(60)
        if turn % (60 - flow) == 0 or (flow > 55 and turn > 50)
    ]
    return write_traffic(tmp_path_factory.mktemp("busy") / "busy.pcap", packets)


@pytest.fixture
def result(run: Callable[..., Any], busy: Path) -> Callable[..., Any]:
    """The JSON object of a replay of the busy capture with these options."""

    def result(*options: object) -> Any:
        return run("replay", busy, "--json", "--crypto", "none", *options).result

    return result


@pytest.fixture
def events_of(run: Callable[..., Any], busy: Path, tmp_path: Path) -> Callable[..., list[Any]]:
    """The events of such a replay."""

    def events_of(*options: object) -> list[Any]:
        path = tmp_path / "events.msgpack"
        assert run("replay", busy, "--json", "--events", path, *options).status == 0
        return list(read_event_log(path))

    return events_of


def test_crypto_none_decides_what_real_crypto_decides(events_of: Callable[..., Any]) -> None:
    """Load by load and eviction by eviction, at the same instants."""
    started, *without = events_of("--profile", "netdevsim", "--crypto", "none")
    started_real, *real = events_of("--profile", "netdevsim")
    assert started.options["crypto"] == "none"
    assert started_real.options["crypto"] == "real"
    assert len(without) > 100
    assert without == real


def test_the_same_seed_gives_the_same_run_and_another_gives_other_keys(
    run: Callable[..., Any], office_capture: Path, tmp_path: Path
) -> None:
    """To the byte, the key table included."""
    made = {}
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        esp, keys = tmp_path / f"{name}.pcap", tmp_path / f"{name}.keys"
        run("replay", office_capture, "--seed", seed, "--write-esp", esp, "--write-keys", keys)
        made[name] = (esp.read_bytes(), keys.read_bytes())
    assert made["a"] == made["b"]
    assert made["a"][0] != made["c"][0]
    assert made["a"][1] != made["c"][1]


@pytest.mark.parametrize(("profile", "slots"), [
    ("82599", 1024), ("netdevsim", 33), ("nfp", 16_384), ("connectx6", 32_768),
])  # fmt: skip
def test_every_profile_is_a_card_of_its_own(
    result: Callable[..., Any], profile: str, slots: int
) -> None:
    """Slots and costs are the profile's; everything that came is accounted for."""
    found = result("--profile", profile)
    assert (found["profile"], found["slots_max"]) == (profile, slots)
    assert found["packets"]["in"] == found["packets"]["out"] + sum(found["drops"].values())
    assert found["packets"]["nic"] > 0


def test_a_rule_decides_where_packets_go(result: Callable[..., Any]) -> None:
    """Never: nothing on the card. First come: as many as there are slots, for good."""
    never = result("--rule", "never", "--profile", "netdevsim")
    assert (never["loads"], never["packets"]["nic"]) == (0, 0)
    assert never["host_time_ns"]["saved"] == 0
    first_come = result("--rule", "first-come", "--profile", "netdevsim")
    assert (first_come["loads"], first_come["evictions"]) == (33, 0)
    assert first_come["loads_refused"] == 60 - 33
    metric = result("--profile", "netdevsim")
    assert metric["evictions"] > 0
    assert metric["packets"]["nic"] > first_come["packets"]["nic"]


def test_each_parameter_of_the_rule_moves_its_decisions(result: Callable[..., Any]) -> None:
    """On a card of 33 slots: who earns more or forgets less is loaded sooner or moved less."""
    small = ("--profile", "netdevsim")
    usual = result(*small)
    slower = result(*small, "--threshold", 5)
    assert slower["packets"]["nic"] < usual["packets"]["nic"]
    assert result(*small, "--threshold", 5, "--initial", 5)["loads"] > slower["loads"]
    assert result(*small, "--increment", 0.01, "--threshold", 1)["loads"] < usual["loads"]
    assert result(*small, "--bonus", 1000)["evictions"] < usual["evictions"]
    assert result(*small, "--decay", "amount:0")["evictions"] != usual["evictions"]
    assert result(*small, "--decay", "factor:0.5")["evictions"] != usual["evictions"]
    assert result(*small, "--period", "2s")["evictions"] < usual["evictions"]
    assert result(*small, "--threshold", 0)["evictions"] > usual["evictions"]
    assert result(*small, "--threshold", "inf")["loads"] == 0


def test_the_threshold_comes_from_the_cost_analysis_in_the_weight_s_unit(
    result: Callable[..., Any], run: Callable[..., Any], busy: Path
) -> None:
    """Load cost ÷ saving, and the calculation is printed."""
    for weight, expected in (("packets", 2550 / 1200), ("bytes", 2550 * 1.25), ("saved-ns", 2550)):
        rule = result("--weight", weight)["rule"]
        assert rule["parameters"]["weight"] == weight
        assert math.isclose(rule["parameters"]["threshold"], expected)
    printed = run("replay", busy, "--crypto", "none").out
    assert "threshold: 2,550 ns / 1,200 ns per packet = 2.125 packets" in printed
    assert "period 100 ms" in " ".join(printed.split())


def test_periodic_decisions_fall_on_the_period(events_of: Callable[..., Any]) -> None:
    """Claims 2 and 42; by default loads are decided when packets arrive (claims 1 and 41)."""
    loads = [e for e in events_of("--decide", "periodic", "--period", "70ms", "--crypto", "none")
             if e.kind == "load_issued"]  # fmt: skip
    assert loads
    assert {load.time_ns % (70 * MS) for load in loads} == {0}
    at_arrival = [e for e in events_of("--crypto", "none") if e.kind == "load_issued"]
    assert {load.time_ns % (100 * MS) for load in at_arrival} != {0}


def test_sas_are_made_per_flow_host_pair_or_subnet(
    run: Callable[..., Any], write_traffic: Callable[..., Path], tmp_path: Path
) -> None:
    """300 hosts of 10.1.0.0/16 send to one: 300 flows and host pairs, two subnets."""
    path = write_traffic(tmp_path / "x.pcap", [(n * MS, n, 60) for n in range(300)])
    for sa_per, sas in (("flow", 300), ("host-pair", 300), ("subnet", 2)):
        assert run("replay", path, "--json", "--sa-per", sa_per).result["sas"] == sas


@pytest.mark.parametrize(
    "suite",
    ["aes-gcm-128", "chacha20-poly1305", "aes-ccm-256-icv8", "aes-gmac-128",
     "aes-cbc-256-hmac-sha2-512-256", "aes-ctr-128-hmac-sha1-96", "null-hmac-sha2-384-192"],
)  # fmt: skip
@pytest.mark.parametrize("mode", ["tunnel", "transport"])
def test_every_kind_of_suite_and_mode_is_verified(
    run: Callable[..., Any], office_capture: Path, suite: str, mode: str
) -> None:
    """Every packet that was made comes back as it was, IPv4 and IPv6."""
    options = ("--suite", suite, "--mode", mode, "--verify", "--json")
    found = run("replay", office_capture, *options).result
    assert found["verify"] == {"checked": 100, "failed": 0}


def test_a_full_ring_drops_and_a_closed_loop_waits(
    run: Callable[..., Any], write_traffic: Callable[..., Path], tmp_path: Path
) -> None:
    """3000 packets in an instant meet a ring of 64, a ring of 4096, and a source that waits."""
    path = write_traffic(tmp_path / "flood.pcap", [(0, n % 3, 60) for n in range(3000)])
    small = run("replay", path, "--json", "--rx-ring", 64).result
    assert small["drops"] == {"rx_ring_full": 3000 - 64}
    assert small["packets"]["in"] == 3000
    assert small["packets"]["out"] == 64
    for options in (("--rx-ring", 4096), ("--closed-loop",)):
        whole = run("replay", path, "--json", *options).result
        assert (whole["drops"], whole["packets"]["out"]) == ({}, 3000)


def test_backpressure_shows_on_the_edges_and_more_workers_ease_it(
    run: Callable[..., Any], write_traffic: Callable[..., Path], tmp_path: Path
) -> None:
    """A host of 1 ms a packet: the software worker's edge fills, and who sends there waits."""
    path = write_traffic(tmp_path / "flood.pcap", [(n * 10_000, n % 40, 60) for n in range(4000)])
    slow = tmp_path / "slow.toml"
    slow.write_text("[host]\nsoftware_packet_ns = 1_000_000\n")
    options = ("--scenario", slow, "--rule", "never", "--closed-loop", "--burst", 16)
    one = run("replay", path, "--json", *options).result
    edge = one["edges"]["arbiter_software_0"]
    assert edge["high_water"] == edge["capacity"]
    assert edge["waits"] > 100
    assert edge["waited_ns"] > 10**9
    four = run("replay", path, "--json", *options, "--software-workers", 4).result
    assert "arbiter_software_3" in four["edges"]
    assert four["duration_ns"] < 0.5 * one["duration_ns"]
    told = run("replay", path, *options).out
    assert any(
        line.startswith("arbiter_software_0 ") and " s " in line for line in told.split("\n")
    )


def test_bursts_are_as_long_and_wait_as_long_as_asked(events_of: Callable[..., Any]) -> None:
    """An SA is received when its first burst is handed on: after the wait, or at once if full."""
    first = {
        wait: next(
            e.time_ns for e in events_of("--crypto", "none", *options) if e.kind == "sa_added"
        )
        for wait, options in (
            (50_000, ()),
            (300_000, ("--burst-wait-us", 300)),
            (0, ("--burst", 1)),
        )
    }
    assert all(wait == time_ns for wait, time_ns in first.items())


def test_real_pace_follows_the_wall_clock(
    run: Callable[..., Any], write_traffic: Callable[..., Path], tmp_path: Path
) -> None:
    """A second of traffic takes a second, or at tenfold speed a tenth."""
    path = write_traffic(tmp_path / "second.pcap", [(n * 10 * MS, n % 3, 60) for n in range(101)])
    took = {
        speed: run("replay", path, "--json", "--pace", "real", "--speed", speed).result["wall_s"]
        for speed in (1, 10)
    }
    assert took[1] >= 0.95
    assert 0.09 <= took[10] < 0.9


WRONG = [
    (("--burst", 257), "--burst: found 257, expected 1 to 256 packets"),
    (("--burst", "many"), "'--burst': 'many' is not a valid integer"),
    (("--burst-wait-us", -1), "'--burst-wait-us': -1 is not in the range 0<=x<=1000000"),
    (("--rx-ring", 0), "--rx-ring: found 0, expected 1 packet or more"),
    (("--rx-ring", 9, "--closed-loop"), "--rx-ring: found 9, expected nothing with a closed loop"),
    (("--events-verbose",), "--events-verbose: found True, expected a log to be written with "),
    (("--software-workers", 0), "--software-workers: found 0, expected 1 to 256 workers"),
    (("--seed", -1), "'--seed': -1 is not in the range"),
    (("--suite", "aes"), "--suite: found 'aes', expected aes-gcm-128 or aes-gcm-192"),
    (("--mode", "tunel"), "'--mode': 'tunel' is not one of 'tunnel', 'transport'"),
    (("--sa-per", "host"), "'--sa-per': 'host' is not one of 'flow', 'host-pair', 'subnet'"),
    (("--direction", "both"), "'--direction': 'both' is not one of 'out', 'in'"),
    (("--profile", "82598"), "--profile: found '82598', expected one of 82599, netdevsim"),
    (("--rule", "metrik"), "--rule: found 'metrik', expected one of metric, never, first-come"),
    (("--rule", "static-top-k"), "--rule: found 'static-top-k', expected a rule that need not"),
    (("--initial", -1), "--initial: found -1.0, expected a finite number, 0 or more"),
    (("--increment", 0), "--increment: found 0.0, expected a finite number above 0"),
    (("--bonus", "nan"), "--bonus: found nan, expected a finite number, 0 or more"),
    (("--decay", "half"), "--decay: found 'half', expected factor:F or amount:A"),
    (("--decay", "factor:2"), "--decay: found 'factor:2', expected a factor above 0 and at most 1"),
    (("--decay", "amount:-1"), "--decay: found 'amount:-1', expected an amount of 0 or more"),
    (("--period", 100), "'--period': found '100', expected a duration such as 1.5s, 20ms"),
    (("--period", 0), "'--period': found '0', expected 1 ns or more"),
    (("--threshold", -1), "--threshold: found -1.0, expected a number, 0 or more"),
    (("--weight", "bits"), "'--weight': 'bits' is not one of 'packets', 'bytes', 'saved-ns'"),
    (("--decide", "late"), "'--decide': 'late' is not one of 'arrival', 'periodic'"),
    (("--rule", "never", "--bonus", 1), "--bonus: found 1.0, expected nothing, for this rule"),
    (("--crypto", "fake"), "'--crypto': 'fake' is not one of 'real', 'none'"),
    (("--pace", "fast"), "'--pace': 'fast' is not one of 'virtual', 'real'"),
    (("--speed", 2), "--speed: found 'pace virtual', expected pace real"),
    (("--pace", "real", "--speed", 0), "--speed: found 0.0, expected a factor above 0"),
    (("--crypto", "none", "--verify"), "--verify: found 'crypto none', expected crypto real"),
    (("--crypto", "none", "--write-esp", "x"), "--write-esp: found 'crypto none', expected crypto"),
    (("--keys", "x"), "--keys: found 'direction out', expected direction in"),
    (("--write-plain", "x"), "--write-plain: found 'direction out', expected direction in"),
    (("--direction", "in"), "--keys: found 'none', expected --keys FILE, or [[sas]]"),
    (("--direction", "in", "--verify"), "--verify: found 'direction in', expected direction out"),
    (("--direction", "in", "--write-keys", "x"), "--write-keys: found 'direction in', expected"),
    (("--direction", "in", "--suite", "aes-gcm-128"), "--suite: found 'aes-gcm-128', expected"),
    (
        ("--log-level", "loud"),
        "'--log-level': 'loud' is not one of 'debug', 'info', 'warning', 'error'",
    ),
    (("--log-format", "xml"), "'--log-format': 'xml' is not one of 'console', 'json'"),
    (("--sede", 3), "No such option '--sede'"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "expected"), WRONG, ids=lambda value: " ".join(map(str, value))
                         if isinstance(value, tuple) else "")  # fmt: skip
def test_a_wrong_value_names_the_option_what_was_found_and_what_would_do(
    run: Callable[..., Any], busy: Path, options: tuple[object, ...], expected: str
) -> None:
    """Status 2; one line, and one that says where to read on; nothing on standard output."""
    ran = run("replay", busy, *options)
    assert (ran.status, ran.out) == (2, "")
    line, hint, *rest = ran.err.splitlines()
    assert line.startswith("saactors replay: ")
    assert expected in line
    assert hint == "Try 'saactors replay --help'."
    assert rest == []


def test_every_option_has_a_wrong_value_among_these() -> None:
    """All but those that are a switch or take any file's name."""
    wrong = {str(name) for options, _ in WRONG for name in options}
    for option in replay_command.params:
        if isinstance(option, SectionedOption) and option.opts[0] not in {
            "--scenario", "--pad-cut", "--events", "--report", "--json",
        }:  # fmt: skip
            assert option.opts[0] in wrong


def test_the_defaults_that_help_shows_are_those_in_force() -> None:
    """``unset`` is text, so it might drift from the code."""
    told = {p.name: p.unset for p in replay_command.params if isinstance(p, SectionedOption)}
    defaults = {field.name: field.default for field in dataclasses.fields(ReplayOptions)}
    for name in ("direction", "sa_per", "suite", "mode", "seed", "burst", "rx_ring", "crypto",
                 "software_workers", "pace"):  # fmt: skip
        assert told[name] == str(defaults[name]), name
    assert int(told["burst_wait_us"]) * 1000 == defaults["burst_wait_ns"]
    assert float(told["speed"]) == defaults["speed"]
    assert defaults["pad_cut"] is (told["pad_cut"] == "pad")
    rule = MetricParameters()
    for name in ("decay", "weight", "decide"):
        assert told[name] == str(getattr(rule, name)), name
    for name in ("initial", "increment"):
        assert float(told[name]) == getattr(rule, name), name
    assert parse_duration_ns(told["period"]) == rule.period_ns
    assert (rule.bonus, rule.threshold) == (None, None)
    assert told["bonus"] == told["threshold"] == "by cost analysis"
    assert (told["profile"], told["rule"]) == (DEFAULT_PROFILE, DEFAULT_RULE)


def test_help_is_readable_on_eighty_columns(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under headings, no line broken off, no option without a word."""
    monkeypatch.setenv("COLUMNS", "80")
    ran = run("replay", "--help")
    assert ran.status == 0
    lines = ran.out.splitlines()
    assert max(map(len, lines)) <= 80
    for heading in (
        "Protection:",
        "Arrival:",
        "Card and placement rule:",
        "Execution:",
        "Results:",
    ):
        assert heading in lines
    assert all(p.help for p in replay_command.params if isinstance(p, SectionedOption))
