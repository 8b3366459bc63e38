"""A file becomes a scenario, or one error that says all that is wrong and where."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from pydantic import ValidationError

from saactors.errors import ScenarioError, UserError
from saactors.scenario import Replay, Scenario, UdpEncapsulation, load_scenario
from saactors.scenario.document import FILE_BYTES_MAX

Load = Callable[[str], Scenario]
Refusal = Callable[[str], tuple[str, str]]


def test_an_empty_file_is_a_scenario_that_leaves_everything_open(load: Load) -> None:
    """What the file does not say stays None, so that the command's own defaults apply."""
    scenario = load("")
    assert (scenario.seed, scenario.policies, scenario.sas) == (None, (), ())
    assert scenario.replay == Replay()
    assert set(dict(scenario.replay).values()) == {None}
    assert (scenario.rule_name, scenario.rule_parameters) == (None, {})


def test_every_replay_option_can_be_given(load: Load) -> None:
    """The options have the names and the values of the command line."""
    scenario = load(
        "seed = 7\n[replay]\ndirection = 'in'\nburst = 32\nburst_wait_us = 0\nrx_ring = 512\n"
        "closed_loop = true\nsoftware_workers = 4\npad_cut = false\ncrypto = 'none'\n"
    )
    assert scenario.seed == 7
    assert dict(scenario.replay) == {
        "direction": "in",
        "burst": 32,
        "burst_wait_us": 0,
        "rx_ring": 512,
        "closed_loop": True,
        "software_workers": 4,
        "pad_cut": False,
        "crypto": "none",
    }


def test_policies_and_sas_are_read_as_what_they_mean(load: Load) -> None:
    """Prefixes become networks, names become numbers, ports become ranges."""
    scenario = load(
        """
        [[policies]]
        action = "protect"
        source = "10.0.0.0/8"
        protocol = "tcp"
        source_ports = "1024-65535"
        destination_ports = 443
        sa = "web"

        [[policies]]
        action = "discard"
        protocol = 99
        destination = "2001:db8::1"

        [[sas]]
        name = "web"
        spi = "0xFFFFFFFF"
        suite = "chacha20-poly1305"
        key_from_seed = true
        source = "2001:db8::1"
        destination = "2001:db8::2"
        udp_encapsulation = { source_port = 5000 }
        """
    )
    web, rest = scenario.policies
    assert (web.source, web.destination, web.protocol) == (ip_network("10.0.0.0/8"), None, 6)
    assert (web.source_ports, web.destination_ports) == ((1024, 65535), (443, 443))
    assert (rest.destination, rest.protocol) == (ip_network("2001:db8::1/128"), 99)
    (sa,) = scenario.sas
    assert (sa.spi, sa.mode, sa.direction) == (2**32 - 1, "tunnel", "out")
    assert (sa.source, sa.destination) == (ip_address("2001:db8::1"), ip_address("2001:db8::2"))
    assert sa.udp_encapsulation == UdpEncapsulation(source_port=5000, destination_port=4500)
    assert (sa.first_sequence, sa.replay_window, sa.extended_sequence) == (1, 128, False)


def test_any_is_what_a_selector_is_without_a_word(load: Load) -> None:
    """Written or left out, it matches everything."""
    said = "source = 'any'\ndestination = 'any'\nprotocol = 'any'\n"
    said += "source_ports = 'any'\ndestination_ports = 'any'\n"
    policies = load(f"[[policies]]\naction = 'bypass'\n{said}[[policies]]\naction = 'bypass'\n")
    assert policies.policies[0] == policies.policies[1]
    assert policies.policies[0].source_ports == (0, 65535)


def test_udp_encapsulation_is_a_switch_or_a_table(load: Load) -> None:
    """``true`` means port 4500 at both ends (RFC 3948 §2.1), ``false`` means none."""
    sas = "".join(
        f"[[sas]]\nname = 'sa-{number}'\nspi = {4096 + number}\nsuite = 'aes-gcm-128'\n"
        f"key_from_seed = true\nmode = 'transport'\nudp_encapsulation = {value}\n"
        for number, value in enumerate(["true", "false"])
    )
    encapsulations = [sa.udp_encapsulation for sa in load(sas).sas]
    assert encapsulations == [UdpEncapsulation(source_port=4500, destination_port=4500), None]


def test_a_scenario_cannot_be_changed(load: Load) -> None:
    """It is frozen, down to the tables that later parts read."""
    scenario = load("[card]\nslots_max = 5\n")
    with pytest.raises(ValidationError, match="frozen"):
        scenario.seed = 5
    with pytest.raises(TypeError, match="does not support item assignment"):
        scenario.card["slots_max"] = 6  # type: ignore[index]  # the mapping is read-only: the point


def test_the_error_is_the_users_and_names_file_and_place(tmp_path: Path) -> None:
    """Exit status 2, and a message that a reader can act on."""
    path = tmp_path / "run.toml"
    path.write_text("seed = 'seven'\n")
    with pytest.raises(UserError) as caught:
        load_scenario(path)
    expected = "found 'seven', expected a whole number from 0 to 18446744073709551615"
    assert str(caught.value) == f"{path}: seed: {expected}"
    assert caught.value.exit_status == 2


@pytest.mark.parametrize(
    ("text", "where", "start"),
    [
        ("seed = 1\nseed = 2\n", "line 2, column 9", "Cannot overwrite a value"),
        ("seed = \n", "line 1, column 8", "Invalid value"),
        ("[replay\n", "line 1, column 8", "Expected ']'"),
        ("seed = 1\n\n[[sas]]\nname 'x'\n", "line 4, column 6", "Expected '='"),
        ("name = 'x", "end of file", "Expected"),
    ],
)
def test_a_syntax_error_names_its_line(refusal: Refusal, text: str, where: str, start: str) -> None:
    """The parser's position stands where a key would."""
    found, problem = refusal(text)
    assert found == where
    assert problem.startswith(start)
    assert problem.endswith("; mend the TOML there or just before")


def test_text_in_another_encoding_names_its_line(tmp_path: Path) -> None:
    """TOML is UTF-8; a Latin-1 comment is the usual way not to be."""
    path = tmp_path / "latin.toml"
    path.write_bytes(b"seed = 1\n# na\xefve\n")
    with pytest.raises(ScenarioError) as caught:
        load_scenario(path)
    assert caught.value.where == "line 2"
    assert caught.value.problem == "found bytes that are not UTF-8, expected TOML in UTF-8"


def test_a_number_beyond_pythons_own_limit_is_refused(refusal: Refusal) -> None:
    """The TOML parser lets Python's limit on digits (4300) through as a bare ValueError."""
    expected = ("", "found a number of thousands of digits, expected at most 64 bits")
    assert refusal("seed = " + "9" * 5000) == expected


def test_endless_nesting_is_refused(refusal: Refusal) -> None:
    """Arrays in arrays end at Python's stack."""
    expected = ("", "found arrays or tables nested too deeply, expected at most a few levels")
    assert refusal("seed = " + "[" * 100_000) == expected


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("missing.toml", "cannot be read: No such file or directory"),
        (".", "cannot be read: Is a directory"),
        ("nul\0.toml", "cannot be read: embedded null byte"),
    ],
)
def test_a_file_that_cannot_be_opened_says_why(tmp_path: Path, name: str, problem: str) -> None:
    """The system's own reason, without a traceback."""
    with pytest.raises(ScenarioError) as caught:
        load_scenario(tmp_path / name)
    assert (caught.value.where, caught.value.problem) == ("", problem)


def test_a_file_without_end_is_refused(tmp_path: Path) -> None:
    """Memory is bounded whatever the path leads to (law 9)."""
    path = tmp_path / "huge.toml"
    with path.open("wb") as file:
        file.truncate(FILE_BYTES_MAX + 1)  # sparse: takes no room
    with pytest.raises(ScenarioError, match="found more than 64 MiB, expected a scenario in TOML"):
        load_scenario(path)


def test_all_problems_are_listed_one_a_line(refusal: Refusal) -> None:
    """Nobody wants to learn of ten mistakes in ten runs."""
    where, problem = refusal("seed = -1\n[replay]\nburst = 300\nbrust = 3\n[[policies]]\n")
    assert where == ""
    assert problem == (
        "4 problems\n"
        "  seed: found -1, expected a whole number from 0 to 18446744073709551615\n"
        "  replay.burst: found 300, expected a whole number of packets from 1 to 256\n"
        "  replay.brust: unknown key; did you mean 'burst'?\n"
        "  policies[0].action: missing, expected 'protect', 'bypass' or 'discard'"
    )


def test_a_slip_made_many_times_is_listed_so_often_and_then_counted(refusal: Refusal) -> None:
    """20 lines tell what 100 would."""
    _, problem = refusal("[[policies]]\naction = 'bypas'\n" * 100)
    lines = problem.splitlines()
    assert lines[0] == "100 problems"
    assert len(lines) == 22
    assert lines[-1] == "  and 80 more"
