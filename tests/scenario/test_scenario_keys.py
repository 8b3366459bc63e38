"""Every key refuses what it cannot use, and says what it can."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from saactors.scenario.values import PROTOCOLS

Refusal = Callable[[str], tuple[str, str]]

POLICY = "[[policies]]\naction = 'bypass'\n"
SA = (
    "[[sas]]\nname = 'one'\nspi = 4096\nsuite = 'aes-gcm-128'\nkey_from_seed = true\n"
    "source = '192.0.2.1'\ndestination = '192.0.2.2'\n"
)
PREFIX = "expected a prefix such as '10.1.0.0/16' or '2001:db8::/32', or 'any'"
ENDPOINT = "expected an address such as '192.0.2.1' or '2001:db8::1'"
PORTS = "expected a port from 0 to 65535, a range such as '1024-65535', or 'any'"
PROTOCOL = "expected a protocol's name such as 'tcp', its number from 0 to 255, or 'any'"
PROTOCOL_NAMES = f"the names are {', '.join(PROTOCOLS)}"
SPI = "expected an SPI from 256 to 4294967295, also as text such as '0x1000'"
SUITE = "expected a suite such as 'aes-gcm-128' (docs/suites.md has all)"
NAME = "expected a name of up to 64 letters, digits, '.', '_' and '-'"
UDP = "expected true, false, or a table of source_port and destination_port"


def key_of(line: str) -> str:
    """The key that a line of TOML sets."""
    return line.split(maxsplit=1)[0]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("policies = 1", "an array of up to 65535 tables, [[policies]]"),
        ("sas = 'one'", "an array of tables, [[sas]]"),
        ("replay = 1", "a table"),
        ("card = 1", "a table of settings"),
        ("host = 1", "a table of settings"),
        ("rule = 1", "a table of settings"),
    ],
)
def test_a_section_is_a_table_or_an_array_of_them(
    refusal: Refusal, line: str, expected: str
) -> None:
    """A number or text where a table belongs is refused as a whole."""
    where, problem = refusal(line)
    assert where == key_of(line)
    assert problem.endswith(f"expected {expected}")


def test_one_pair_of_brackets_where_two_belong(refusal: Refusal) -> None:
    """The message shows the brackets that are needed."""
    expected = "found a table, expected an array of up to 65535 tables, [[policies]]"
    assert refusal("[policies]\naction = 'bypass'\n") == ("policies", expected)


def test_an_entry_that_is_no_table(refusal: Refusal) -> None:
    """An array of something else is told apart from no array."""
    assert refusal("policies = [1]") == ("policies[0]", "found 1, expected a table")
    assert refusal("sas = [[]]") == ("sas[0]", "found an array of 0, expected a table")


def test_the_spd_is_as_long_as_the_stream_tables_can_number(refusal: Refusal) -> None:
    """65 535 entries; the error does not print them."""
    where, problem = refusal("policies = [" + "{action='bypass'}," * 65_536 + "]")
    assert (where, problem) == (
        "policies",
        "found an array of 65536, expected an array of up to 65535 tables, [[policies]]",
    )


@pytest.mark.parametrize(
    ("text", "where", "problem"),
    [
        ("sead = 1", "sead", "unknown key; did you mean 'seed'?"),
        (
            "zebra = 1",
            "zebra",
            "unknown key; the keys here are seed, replay, policies, sas, card, host, rule",
        ),
        ("'a b' = 1", "'a b'", None),
        ('"line\\nbreak" = 1', "'line\\nbreak'", None),
        ("[replay]\nrxring = 1", "replay.rxring", "unknown key; did you mean 'rx_ring'?"),
        (POLICY + "sorce = 'any'", "policies[0].sorce", "unknown key; did you mean 'source'?"),
        (POLICY + POLICY + "port = 1", "policies[1].port", None),
        (SA + "speed = 1", "sas[0].speed", None),
        (
            POLICY + "template = { suites = 'x', suite = 'aes-gcm-128' }",
            "policies[0].template.suites",
            "unknown key; did you mean 'suite'?",
        ),
        (
            SA + "udp_encapsulation = { port = 1 }",
            "sas[0].udp_encapsulation.port",
            "unknown key; the keys here are source_port, destination_port",
        ),
    ],
)
def test_an_unknown_key_gets_a_suggestion(
    refusal: Refusal, text: str, where: str, problem: str | None
) -> None:
    """The key most like it, or all keys of its table if none is; odd names stand in quotes."""
    found, message = refusal(text)
    assert found == where
    assert message.startswith("unknown key; ")
    assert problem is None or message == problem


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("direction = 'both'", "'both', expected 'out' or 'in'"),
        ("burst = 0", "0, expected a whole number of packets from 1 to 256"),
        ("burst = 257", "257, expected a whole number of packets from 1 to 256"),
        ("burst = 4.0", "4.0, expected a whole number of packets from 1 to 256"),
        ("burst = true", "true, expected a whole number of packets from 1 to 256"),
        ("burst_wait_us = -1", "-1, expected a whole number of microseconds from 0 to 1000000"),
        ("rx_ring = 0", "0, expected a whole number of packets from 1 to 16777216"),
        ("closed_loop = 1", "1, expected true or false"),
        ("software_workers = 0", "0, expected a whole number of workers from 1 to 256"),
        ("pad_cut = 'no'", "'no', expected true or false"),
        ("crypto = 2026-01-01", "a date or time, expected 'real' or 'none'"),
        ("crypto = {}", "a table, expected 'real' or 'none'"),
    ],
)
def test_a_replay_option_outside_its_range(refusal: Refusal, line: str, found: str) -> None:
    """The ranges are those of the command line; nothing is converted on the quiet."""
    assert refusal(f"[replay]\n{line}\n") == (f"replay.{key_of(line)}", f"found {found}")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("action = 'encrypt'", "found 'encrypt', expected 'protect', 'bypass' or 'discard'"),
        ("source = '10.0.0/8'", f"found '10.0.0/8', {PREFIX}"),
        ("source = 10", f"found 10, {PREFIX}"),
        (
            "source = '10.0.0.1/8'",
            f"found '10.0.0.1/8', {PREFIX}; its host bits are set, write '10.0.0.0/8'",
        ),
        (
            "destination = '2001:db8::1/32'",
            f"found '2001:db8::1/32', {PREFIX}; its host bits are set, write '2001:db8::/32'",
        ),
        (
            "source = 'fe80::%eth0/64'",
            f"found 'fe80::%eth0/64', {PREFIX}; write it without the zone",
        ),
        ("protocol = 256", f"found 256, {PROTOCOL}"),
        ("protocol = true", f"found true, {PROTOCOL}"),
        (
            "protocol = 'tpc'",
            f"found 'tpc', {PROTOCOL}; {PROTOCOL_NAMES}",
        ),
        ("source_ports = 65536", f"found 65536, {PORTS}"),
        ("source_ports = '1-99999'", f"found '1-99999', {PORTS}"),
        ("source_ports = '1 - 5'", f"found '1 - 5', {PORTS}"),
        ("destination_ports = [80]", f"found an array of 1, {PORTS}"),
        ("destination_ports = true", f"found true, {PORTS}"),
        (
            "destination_ports = '443-80'",
            f"found '443-80', {PORTS}; write the lower port first: '80-443'",
        ),
        ("sa = 1", "found 1, expected the name of one of the sas"),
        ("sa_per = 'packet'", "found 'packet', expected 'flow', 'host-pair' or 'subnet'"),
        ("template = 'x'", "found 'x', expected a table with suite, mode and endpoints"),
    ],
)
def test_a_policy_key_with_an_unfit_value(refusal: Refusal, line: str, problem: str) -> None:
    """The policy is named by its place, its key and what the key expects."""
    other = "" if line.startswith("action") else "action = 'bypass'\n"
    text = f"[[policies]]\naction = 'discard'\n[[policies]]\n{other}{line}\n"
    assert refusal(text) == (f"policies[1].{key_of(line)}", problem)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("name = 'a b'", f"found 'a b', {NAME}"),
        ("name = ''", f"found '', {NAME}"),
        ("name = 'café'", f"found 'café', {NAME}"),
        ("spi = 255", f"found 255, {SPI}; 0 to 255 are reserved, RFC 4303 §2.1"),
        ("spi = '0xff'", f"found '0xff', {SPI}; 0 to 255 are reserved, RFC 4303 §2.1"),
        ("spi = 4294967296", f"found 4294967296, {SPI}"),
        ("spi = -1", f"found -1, {SPI}"),
        ("spi = '1000'", f"found '1000', {SPI}"),
        ("spi = true", f"found true, {SPI}"),
        ("suite = 'aes-gcm'", f"found 'aes-gcm', {SUITE}; did you mean 'aes-gcm-256'?"),
        ("suite = 128", f"found 128, {SUITE}"),
        ("mode = 'beet'", "found 'beet', expected 'tunnel' or 'transport'"),
        ("direction = 'both'", "found 'both', expected 'out' or 'in'"),
        ("source = '192.0.2'", f"found '192.0.2', {ENDPOINT}"),
        ("source = 3221225985", f"found 3221225985, {ENDPOINT}"),
        (
            "source = '192.0.2.0/24'",
            f"found '192.0.2.0/24', {ENDPOINT}; it is one host, without a prefix length",
        ),
        ("destination = 'fe80::1%2'", f"found 'fe80::1%2', {ENDPOINT}; write it without the zone"),
        ("key_from_seed = 'yes'", "found 'yes', expected true or false"),
        ("udp_encapsulation = 4500", f"found 4500, {UDP}"),
        ("extended_sequence = 64", "found 64, expected true or false"),
        ("first_sequence = 0", "found 0, expected a whole number from 1 to 18446744073709551615"),
        ("replay_window = 5000", "found 5000, expected a whole number of packets from 1 to 4096"),
    ],
)
def test_an_sa_key_with_an_unfit_value(refusal: Refusal, line: str, problem: str) -> None:
    """Likewise for SAs; what is reserved says so."""
    key = key_of(line)
    rest = "".join(kept for kept in SA.splitlines(keepends=True) if key_of(kept) != key)
    assert refusal(rest + line) == (f"sas[0].{key}", problem)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("'0x'", "text of 2 characters"),
        ("'AABB'", "text of 4 characters"),
        ("5", "a number of 3 bits"),
        ("1.5", "a number"),
        ("true", "true or false"),
        ("[5]", "an array of 1"),
        ("{ hex = '0x' }", "a table"),
        ("07:32:00", "a date or time"),
    ],
)
def test_what_stands_where_a_key_belongs_is_never_shown(
    refusal: Refusal, value: str, found: str
) -> None:
    """Only its kind and size: even a short value may be the beginning of a key (law 10)."""
    expected = "expected '0x…': the key, and the suite's salt behind it, in hexadecimal"
    where, problem = refusal(SA.replace("key_from_seed = true", f"key = {value}"))
    assert where == "sas[0].key"
    assert problem.startswith(f"found {found}, {expected}")


@pytest.mark.parametrize("port", ["source_port", "destination_port"])
def test_udp_ports_are_between_1_and_65535(refusal: Refusal, port: str) -> None:
    """A nested table's key has the whole way in its name."""
    where, problem = refusal(f"{SA}udp_encapsulation = {{ {port} = 0 }}")
    assert where == f"sas[0].udp_encapsulation.{port}"
    assert problem == "found 0, expected a whole number from 1 to 65535"


@pytest.mark.parametrize(
    ("table", "key", "expected"),
    [
        ("[[policies]]\n", "policies[0].action", "'protect', 'bypass' or 'discard'"),
        (SA.replace("name = 'one'\n", ""), "sas[0].name", NAME.removeprefix("expected ")),
        (SA.replace("spi = 4096\n", ""), "sas[0].spi", SPI.removeprefix("expected ")),
        (SA.replace("suite = 'aes-gcm-128'\n", ""), "sas[0].suite", SUITE[9:]),
        (POLICY + "template = {}", "policies[0].template.suite", SUITE[9:]),
    ],
)
def test_a_missing_key_says_what_belongs_there(
    refusal: Refusal, table: str, key: str, expected: str
) -> None:
    """The key that is not there is named as if it were."""
    assert refusal(table) == (key, f"missing, expected {expected}")
